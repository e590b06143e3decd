"""The exercises of the course sheet, each done by hand in a real Chromium, in French, with the real model."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.comptine.rhyme import rhyme
from engine.sheet import LOCAL, OPENROUTER, OPENROUTER_KEY
from tests.browser.chatting import CHATS, Chatting
from tests.browser.conftest import SIZE
from tests.standins.app_server import AppServer
from tests.standins.openai_server import OpenAIStandIn, openai_standin

pytestmark = [pytest.mark.browser, pytest.mark.model]

MODEL = "smollm2-1.7b-instruct"  # the sheet's name; here it is another name of the bundled model
# The sheet's statistics, key for key
KEYS = [
    "stopReason", "tokensPerSecond", "numGpuLayers", "timeToFirstTokenSec", "totalTimeSec", "promptTokensCount",
    "predictedTokensCount", "totalTokensCount",
]  # fmt: skip
SYSTEM, QUESTION = "Always answer in rhymes. Today is Thursday", "What day is it today?"
RECITE = "Répète uniquement les informations des vers 1 à 30 dans l’ordre."
WINDOW = int(SIZE["ATELIER_WINDOW"])
# Some exercises are done in Gradio only when somebody wants all of them: a page of its costs seconds of processor
WHOLE = os.environ.get("ATELIER_SHEET") == "whole"
once = pytest.mark.parametrize("window", ["streamlit", "gradio"] if WHOLE else ["streamlit"], indirect=True)


@pytest.fixture(scope="module", params=["streamlit", "gradio"])
def window(request: pytest.FixtureRequest, chromium: Any, app: AppServer) -> Iterator[Chatting]:
    """One tab of that interface for all exercises: it has read the interface's files already."""
    opened = CHATS[request.param](chromium, app.address)
    yield opened
    opened.close()


@pytest.fixture
def tab(window: Chatting, app: AppServer) -> Iterator[Chatting]:
    """The tab; afterwards nothing was asked of another host, nothing complained."""
    yield window
    assert window.hosts <= {f"127.0.0.1:{app.port}"}
    assert window.complaints == []
    window.page.goto("about:blank")
    window.complaints.clear()  # leaving a page cuts its streams, which Gradio writes to the console


@pytest.fixture(scope="module")
def lm_studio() -> Iterator[OpenAIStandIn]:
    """What stands in for LM Studio, at its own address."""
    try:
        with openai_standin(1234) as server:
            yield server
    except OSError:
        pytest.skip("port 1234 is taken, perhaps by LM Studio itself")


def bash(*command: str, **variables: str) -> str:
    """What a command of bash writes."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables}
    done = subprocess.run(["bash", *command], capture_output=True, timeout=300, env=environment, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def content(reply: str) -> str:
    """The text of a chat completion."""
    return str(json.loads(reply)["choices"][0]["message"]["content"])


def seed(line: str) -> int | None:
    """The seed in a line of statistics; None while the line is of an answer under way."""
    found = re.search(r"graine\s+(\d+)", line)
    return int(found[1]) if found else None


@once
def test_query_hi(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0")
    assert "How can I" in tab.answer("hi", 2)
    assert tab.said()[0] == ("user", "hi") and tab.alerts() == []


def test_read_the_statistics(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0")
    tab.answer("hi", 2)
    stats = tab.statistics()
    assert list(stats)[: len(KEYS)] == KEYS
    assert stats["stopReason"] == "eosFound"
    prompt, written, total = (stats[name] for name in KEYS[-3:])
    assert prompt == 31 and 0 < written < 20 and total == prompt + written  # 31 is the sheet's own number
    assert all(stats[name] > 0 for name in ("tokensPerSecond", "timeToFirstTokenSec", "totalTimeSec"))


def test_regenerate_changes_something_and_keeps_both(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="2", max_tokens="24")  # so many that two draws do not write the same
    tab.answer("Write a poem about the sea.", 2)
    first = tab.then(lambda _: seed(tab.line()) is not None)[1][1]
    drawn = seed(tab.line())
    tab.act("regenerate")
    second = tab.then(  # the seed is random by default, and shown
        lambda said: (
            tab.versions() == ["2/2"]
            and seed(tab.line()) not in (None, drawn)
            and [role for role, text in said if text not in ("", first)] == ["user", "assistant"]
        )
    )[1][1]
    tab.turn("‹")
    tab.then(lambda said: said[1][1] == first and tab.versions() == ["1/2"])
    tab.turn("›")
    # Gradio draws the line before the last words: what was read then may be a beginning
    tab.then(lambda said: said[1][1].startswith(second) and tab.versions() == ["2/2"])


def test_continue_an_answer(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="8")
    first = tab.answer("Write a poem about the sea.", 2)
    tab.act("continue")
    (_, (_, longer)) = tab.then(lambda said: len(said[-1][1]) > len(first))
    assert longer.startswith(first) and tab.versions() == []


@once
def test_branch(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="6")
    hello = tab.answer("hi", 2)
    sea = tab.answer("Write a poem about the sea.", 4)
    tab.act_at(1, "branch")
    tab.then(lambda said: len(said) == 2)
    assert tab.words.t("chat_act.here") in tab.page.inner_text("body")
    tab.answer("Write a poem about the moon.", 4)
    assert tab.said()[:3] == [("user", "hi"), ("assistant", hello), ("user", "Write a poem about the moon.")]
    tab.take(2)
    assert tab.versions() == ["2/2"]
    tab.turn("‹")
    said = tab.then(lambda said: said[2][1] == "Write a poem about the sea.")
    assert said[1][1] == hello and said[3][1] == sea


@once
def test_change_the_system_prompt(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="12")
    tab.system(SYSTEM)
    tab.answer(QUESTION, 2)
    assert SYSTEM in tab.page.inner_text("body")  # in the folded line, too
    assert tab.prompt() == f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n" + (
        "<|im_start|>assistant\n"
    )


@once
def test_change_the_role(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="6")
    tab.answer("hi", 2)
    tab.role("assistant")
    tab.say("Je m’appelle Zorblax.")
    tab.then(lambda said: len(said) == 3)
    assert tab.said()[2] == ("assistant", "Je m’appelle Zorblax.")  # nobody has asked the model
    tab.role("user")
    tab.answer("Who are you?", 5)
    assert "<|im_start|>assistant\nJe m’appelle Zorblax.<|im_end|>\n<|im_start|>user\nWho are you?" in tab.prompt()


def test_copy_the_curl_and_run_it(tab: Chatting, app: AppServer) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="12")
    answer = tab.answer("hi", 2)
    copied = tab.curl()
    assert copied.startswith("curl") and f"{app.address}/v1/chat/completions" in copied
    assert content(bash("-c", copied)) == answer


@once
def test_the_two_scripts(tab: Chatting, openai_server: OpenAIStandIn, tmp_path: Path) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="12")
    tab.answer("hi", 2)
    found = tab.scripts(tmp_path)
    assert set(found) == {LOCAL, OPENROUTER} == {"chatCompletions-LMS.sh", "chatCompletions.sh"}
    assert content(bash(str(tmp_path / LOCAL), "hi", "Say hello.")).strip()
    asked = {"BASE_URL": openai_server.base_url, OPENROUTER_KEY: "sk-test", "MODEL": "plain"}
    assert content(bash(str(tmp_path / OPENROUTER), QUESTION, **asked)) == "Hello from the stand-in."
    assert openai_server.last.headers["Authorization"] == "Bearer sk-test"
    assert [one["content"] for one in openai_server.last.body["messages"]] == [SYSTEM, QUESTION]


@once
def test_the_rhyme_at_69_verses_is_answered(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="16")
    assert "Marin" in tab.answer(f"{rhyme(69).text}\n\n{RECITE}", 2)
    assert tab.alerts() == []


def test_the_rhyme_past_the_window_is_refused_with_the_numbers_and_nothing_is_lost(tab: Chatting) -> None:
    tab.open(model=MODEL, temperature="0", max_tokens="6")
    hello, pasted = tab.answer("hi", 2), f"{rhyme(160).text}\n\n{RECITE}"
    tab.say(pasted)
    told = re.search(r"fait (\d+) tokens, la fenêtre du modèle (\d+)", tab.alert().replace("\u202f", ""))
    assert told and int(told[2]) == WINDOW < int(told[1])
    assert tab.typed() == pasted  # back in the box
    tab.then(lambda said: said == [("user", "hi"), ("assistant", hello)])  # what was refused is drawn no more


@once
def test_query_statistics_and_curl_with_lm_studio(tab: Chatting, lm_studio: OpenAIStandIn) -> None:
    tab.open(model="lmstudio/plain")
    assert tab.answer("hi", 2) == "Hello from the stand-in."
    stats = tab.statistics()
    assert list(stats)[: len(KEYS)] == KEYS
    assert [stats[name] for name in KEYS[-3:]] == [7, 5, 12] and stats["stopReason"] == "eosFound"
    copied = tab.curl()
    assert "http://localhost:1234/v1/chat/completions" in copied  # word for word the sheet's address
    assert content(bash("-c", copied)) == "Hello from the stand-in."
    assert [one["content"] for one in lm_studio.last.body["messages"]] == ["hi"]
