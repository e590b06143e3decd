"""What is kept for a model counts wherever it is asked: a chat, the command line, `/v1`, the controls of a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.api.configured import filled
from apps.ui.controls import followed
from apps.ui.window import Fate, fates
from engine import Engine, Settings
from engine.chat import Chat, Choice
from engine.cli import main
from engine.instances import configure
from engine.models.configuration import Configuration
from engine.params import PARAMS, Params

SYSTEM = "You rhyme."
SCHEMA = {"type": "object"}
COLD = {"params": {"temperature": 0.1, "max_tokens": 3, "stop": ["#"]}, "prompt": {"system": SYSTEM}}
FORMED = {**COLD, "output": {"kind": "json_schema", "source": json.dumps(SCHEMA)}}


@pytest.fixture
def engine(isolation: Path) -> Iterator[Engine]:
    opened = Engine(Settings(home=isolation, model="echo"))
    configure(opened, "echo@cold", Configuration.from_dict(COLD))
    yield opened
    opened.close()


def said(chat: Chat, text: str, choice: Choice) -> Any:
    writing = chat.say(text, choice)
    assert writing is not None
    return writing.wait()


def test_a_chat_is_answered_as_it_is_kept(engine: Engine) -> None:
    chat = Chat(engine, "local")
    node = said(chat, "one two three four five", Choice("echo@cold", Params(temperature=0.9)))
    assert (node.content, node.outcome) == ("one two three", "max_tokens")
    assert node.params["temperature"] == 0.9 and node.params["max_tokens"] == 3 and node.params["stop"] == ["#"]
    _, request = chat.request_of(node.id)
    assert (request.messages[0].role, request.messages[0].content) == ("system", SYSTEM)
    chat.settings(system="Say it in prose.")
    node = said(chat, "again", Choice("echo@cold"))
    assert chat.request_of(node.id)[1].messages[0].content == "Say it in prose."
    assert said(chat, "one two three four", Choice("echo")).outcome == "stop"


def test_what_a_policy_drops_is_told_of_the_right_messages(engine: Engine) -> None:
    chat = Chat(engine, "local")
    chat.settings(policy="rolling", virtual_window=40)
    for number in range(3):
        said(chat, f"{number} " * 8, Choice("echo@cold"))
    plan = chat.preview("and now", Choice("echo@cold"))
    path = chat.conversation.path()
    assert plan.led and plan.messages[0].content == SYSTEM and plan.dropped
    dropped = [node.id for node in path if fates(plan, chat.conversation).get(node.id) == Fate()]
    assert dropped and dropped == [node.id for node in path][: len(dropped)]
    assert len(dropped) == len(plan.dropped)


def test_the_command_line_is_answered_as_it_is_kept(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "one two three four five", "-m", "echo@cold"]) == 0
    assert capsys.readouterr().out == "one two three\n"
    assert main(["trace", "hi", "-m", "echo@cold", "--json"]) == 0
    assert SYSTEM in json.loads(capsys.readouterr().out)["prompt"]


def test_the_verb_config_sets_shows_and_forgets(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    def called(*arguments: str, code: int = 0) -> str:
        assert main(["config", *arguments]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    called("set", "echo@cold", "temperature=0.4", "context=2048", "max_tokens=", "system=")
    kept = engine.configurations.get("echo@cold").to_dict()
    assert kept == {"load": {"context": 2048}, "params": {"stop": ["#"], "temperature": 0.4}}
    (line,) = (line for line in called("show", "echo@cold").splitlines() if line.startswith("temperature "))
    assert line.split()[1:] == ["0.4", "configuration", "engine:", "0.7"]
    assert "load.context" in called("set", "echo", "context=much", code=2)
    assert "heat" in called("set", "echo", "heat=1", code=2)
    called("remove", "echo@cold")
    assert engine.configurations.all() == {}


def test_a_body_of_v1_is_filled_where_it_says_nothing(engine: Engine) -> None:
    configure(engine, "echo", Configuration.from_dict(FORMED))
    hi = {"role": "user", "content": "hi"}
    model = engine.model("echo")
    whole = filled(model, {"messages": [hi]})
    assert whole["messages"] == [{"role": "system", "content": SYSTEM}, hi]
    assert (whole["temperature"], whole["max_tokens"], whole["stop"]) == (0.1, 3, ["#"])
    assert "json_schema" in whole or "response_format" in whole
    own = {"messages": [{"role": "system", "content": "x"}, hi], "temperature": 1, "max_completion_tokens": 9,
           "stop": "!", "response_format": {"type": "text"}}  # fmt: skip
    assert filled(model, own) == own
    assert filled(model, {"prompt": "a"}) == {"prompt": "a", "temperature": 0.1, "max_tokens": 3, "stop": ["#"]}


def test_controls_that_nobody_moved_follow_the_model() -> None:
    shown = {param.name: param.default for param in PARAMS}
    cold = {"temperature": 0.1, "top_k": 1}
    moved = followed(shown, {}, cold, lambda _, value: value)
    assert moved == cold
    assert followed({**shown, **moved, "top_k": 5}, cold, {}, lambda _, value: value) == {"temperature": 0.7}
