"""The course sheet's two scripts, run: the first against our own `/v1`, the second against a server that stands in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sheet import LOCAL, OPENROUTER, OPENROUTER_KEY, scripts
from tests.standins.app_server import AppServer, app_server
from tests.test_snippets import KEY, MESSAGE, NASTY, Recorder, recording


@pytest.fixture(scope="module")
def app() -> Iterator[AppServer]:
    with app_server() as server:
        yield server


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


def run(folder: Path, name: str, text: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="\n")
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **variables}
    command = ["bash", str(path), *words]
    return subprocess.run(command, capture_output=True, timeout=240, env=environment, encoding="utf-8")


def test_the_first_asks_our_own_v1(app: AppServer, tmp_path: Path) -> None:
    local, _ = scripts(f"{app.address}/v1", "echo")
    assert local.name == LOCAL == "chatCompletions-LMS.sh"
    done = run(tmp_path, local.name, local.text, "Quel jour ? « été »")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Quel jour ? « été »"


def test_without_words_it_asks_the_sheets_question(recorder: Recorder, tmp_path: Path) -> None:
    local, _ = scripts(recorder.address, "m")
    done = run(tmp_path, local.name, local.text)
    assert json.loads(done.stdout)["choices"][0]["message"] == MESSAGE
    path, key, body = recorder.received[-1]
    assert (path, key) == ("/v1/chat/completions", None)
    assert body["messages"][0]["content"] == "Always answer in rhymes. Today is Thursday"
    assert body["messages"][1]["content"] == "What day is it today?"
    assert body["temperature"] == 0.7 and body["stream"] is False


def test_the_second_asks_openrouter_unless_told_otherwise(recorder: Recorder, tmp_path: Path) -> None:
    _, other = scripts("http://127.0.0.1:1/v1", "m")
    assert other.name == OPENROUTER == "chatCompletions.sh"
    assert "https://openrouter.ai/api/v1" in other.text
    variables = {"BASE_URL": recorder.address, "MODEL": "some/model:free", OPENROUTER_KEY: KEY}
    done = run(tmp_path, other.name, other.text, "hi", "be brief", **variables)
    assert done.returncode == 0, done.stderr
    path, key, body = recorder.received[-1]
    assert (path, key, body["model"]) == ("/v1/chat/completions", f"Bearer {KEY}", "some/model:free")
    assert [message["content"] for message in body["messages"]] == ["be brief", "hi"]


def test_the_second_says_which_variable_it_wants(recorder: Recorder, tmp_path: Path) -> None:
    _, other = scripts("http://127.0.0.1:1/v1", "m")
    before = len(recorder.received)
    done = run(tmp_path, other.name, other.text, "hi", BASE_URL=recorder.address)
    assert done.returncode != 0 and OPENROUTER_KEY in done.stderr
    assert len(recorder.received) == before


@pytest.mark.parametrize(
    "text", [NASTY.replace("\x00", ""), 'a & b \\ \\\\ \\n & "&"', "\n\n\t", "vers 1\r\nvers 2 " * 200]
)
def test_every_character_arrives(recorder: Recorder, tmp_path: Path, text: str) -> None:
    local, _ = scripts(recorder.address, "m")
    done = run(tmp_path, local.name, local.text, text, text)
    assert done.returncode == 0, done.stderr
    assert [message["content"] for message in recorder.received[-1][2]["messages"]] == [text, text]


def test_the_key_is_a_variable(recorder: Recorder, tmp_path: Path) -> None:
    local, _ = scripts(recorder.address, "m", "ATELIER_KEY")
    run(tmp_path, local.name, local.text, "hi", ATELIER_KEY=KEY)
    assert recorder.received[-1][1] == f"Bearer {KEY}"
    run(tmp_path, local.name, local.text, "hi")
    assert recorder.received[-1][1] is None


@pytest.mark.parametrize("name", ["it's $(touch x)", 'a"b\\c', "`id`"])
def test_names_are_only_names(recorder: Recorder, tmp_path: Path, name: str) -> None:
    local, _ = scripts(recorder.address, name)
    done = run(tmp_path, local.name, local.text, "hi")
    assert done.returncode == 0, done.stderr
    assert recorder.received[-1][2]["model"] == name
