"""The verb `log`: exact prompts and answers, those of another process too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli import main
from engine.engine import Engine
from engine.settings import Settings
from engine.types import Message
from tests.standins.app_server import wait_for

ROOT = Path(__file__).parents[1]


def ask(home: Path, *questions: str, owner: str = "local") -> None:
    engine = Engine(Settings(home=home))
    try:
        if owner != "local":
            owner = engine.people.join(owner, "student").id
        for question in questions:
            engine.model("echo").answer([Message("user", question)], owner=owner)
    finally:
        engine.close()


def test_it_shows_the_last_ones_oldest_first(isolation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(isolation, "one", "été two", "three")
    assert main(["log", "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("user: été two\nassistant:") < shown.index("user: three\nassistant:")
    assert "user: one" not in shown
    assert shown.count("# in:") == shown.count("# out:") == 2 and " · echo · " in shown


def test_as_json_one_object_on_a_line(isolation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(isolation, "one\nline", "two")
    assert main(["log", "--json"]) == 0
    one, two = map(json.loads, capsys.readouterr().out.splitlines())
    assert one["prompt"] == "user: one\nline\nassistant:" and one["response"]["text"] == "one\nline"
    assert two["request"]["messages"][0]["content"] == "two"


def test_another_person_is_not_in_it(isolation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(isolation, "theirs", owner="Ada")
    assert main(["log"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("limit", ["-1", "1001", "x"])
def test_a_wrong_limit_is_bad_input(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", f"--limit={limit}"]) == 2
    assert "bad_input" in capsys.readouterr().err


def test_it_follows_what_other_processes_ask(isolation: Path) -> None:
    ask(isolation, "before")
    command = [sys.executable, "-m", "engine", "log", "--follow", "--json", "--limit", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["response"]["text"] == "before"
        ask(isolation, "after", "and after")
        assert [json.loads(process.stdout.readline())["response"]["text"] for _ in range(2)] == ["after", "and after"]
        assert process.poll() is None
    finally:
        process.terminate()
        process.communicate()
    assert wait_for(lambda: process.poll() is not None)
