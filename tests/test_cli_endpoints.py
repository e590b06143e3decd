"""The verb `endpoints`: what it lists, adds, tests and removes, and that it shows no key."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.cli import main
from tests.patience import SOON_S
from tests.standins.lmstudio_server import lmstudio_standin
from tests.standins.ollama_server import ollama_standin
from tests.standins.openai_server import KEY, OpenAIStandIn

Said = Callable[[], Any]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return capsys.readouterr


def run(*arguments: str) -> int:
    return main(["endpoints", *arguments])


def test_the_list_says_whose_key_is_set_and_shows_none(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    assert run("--json") == 0
    told = said().out
    rows = {row["id"]: row for row in json.loads(told)["endpoints"]}
    assert (rows["mistral"]["key_set"], rows["openai"]["key_set"]) == (True, False)
    assert rows["ollama"]["native"] == "ollama" and KEY not in told
    assert run() == 0
    told = said().out
    assert "MISTRAL_API_KEY (set)" in told and KEY not in told


def test_one_is_added_tested_used_and_forgotten(said: Said) -> None:
    with ollama_standin() as ollama:
        assert run("add", "box", ollama.base_url, "--like", "ollama", "--window", "512", "--json") == 0
        assert json.loads(said().out)["window"] == 512
        assert run("test", "box") == 0
        assert "version 0.33.0" in (told := said().out) and "plain:latest" in told
        assert main(["chat", "Hi", "--model", "box/plain"]) == 0
        assert said().out.startswith("Hello from the stand-in.") and ollama.chats()
    assert run("test", "box") == 3
    assert "unreachable" in said().out
    assert run("remove", "box") == 0 and run("remove", "box") == 2


def test_a_key_is_named_by_its_variable(
    said: Said, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_ROOM_KEY", KEY)
    assert run("add", "room", openai_server.base_url, "--key-env", "ATELIER_ROOM_KEY") == 0
    assert run("test", "room", "--json") == 0
    assert openai_server.last.headers["Authorization"] == f"Bearer {KEY}" and KEY not in said().out
    assert run("add", "room", "--key-env", "OPENAI_API_KEY") == 2
    assert "belongs to OpenAI" in said().err
    assert run("test", "nobody") == 2 and run("test", "room", "--key-env", "NO_SUCH_KEY") == 2


def test_models_are_loaded_unloaded_and_pulled_by_order(said: Said) -> None:
    with ollama_standin() as ollama, lmstudio_standin() as studio:
        assert run("add", "box", ollama.base_url, "--like", "ollama") == 0
        assert run("add", "desk", studio.base_url, "--like", "lmstudio") == 0
        said()
        assert run("load", "box/plain", "--window", "2048") == run("load", "desk/plain", "--window", "1024") == 0
        assert said().out == "plain:latest: 2048 tokens\nplain: 1024 tokens\n"
        assert (ollama.loaded, studio.loaded) == ({"plain:latest": 2048}, {"plain": 1024})
        assert run("unload", "box/plain", "--json") == run("unload", "desk/plain") == 0
        assert (ollama.loaded, studio.loaded) == ({}, {})
        assert run("unload", "desk/plain") == 0
        assert "was not loaded" in said().out
        assert run("pull", "box", "plain") == 0
        assert "pulling abc 50 %" in (told := said().out) and told.endswith("success\n")
        assert run("pull", "box", "nowhere") == 3 and run("pull", "desk", "plain") == 2
    assert run("load", "vllm/any") == 2 and run("load", "echo") == 2


def test_what_is_found_here_is_said(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with ollama_standin() as ollama:
        places = (("ollama", ollama.port), ("vllm", 9))
        monkeypatch.setattr("engine.connection.detect.__defaults__", (places, "127.0.0.1", SOON_S))
        assert run("detect", "--json") == 0
        assert [one["like"] for one in json.loads(said().out)["found"]] == ["ollama"]
    assert run("detect") == 0
    assert "answers on its usual port" in said().out
