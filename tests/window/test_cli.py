"""The policies on the command line: shown by trace before anything is sent, kept by chat."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from engine.cli import main
from engine.transfer import to_openai_jsonl
from engine.types import Message
from tests.transfer.test_transfer import talk

WINDOW = ("--virtual-window", "20", "-n", "4", "--model", "echo")


@pytest.fixture
def conversation(tmp_path: Path) -> str:
    """The file of a conversation of three questions with their answers, 25 of echo's tokens."""
    path = tmp_path / "before.jsonl"
    path.write_text(to_openai_jsonl([talk("S", ["a", "b", "c d", "e", "f", "g"])]), encoding="utf-8")
    return str(path)


def test_trace_shows_what_goes(conversation: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "last", "-c", conversation, *WINDOW, "--policy", "rolling"]) == 0
    out = capsys.readouterr().out
    assert "14 prompt + 4 reserved for the answer + 2 free = 20 tokens" in out
    assert "10 template + 1 system + 3 history + 0 retrieved = 14 prompt" in out
    assert "rolling: not sent: messages 2, 3, 4, 5" in out


def test_trace_as_json_has_the_plan(conversation: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "last", "-c", conversation, *WINDOW, "--policy", "truncate_middle", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["plan"]["dropped"] == [2, 3, 4, 5] and found["count"] == found["plan"]["prompt_tokens"]
    assert [message["content"] for message in found["request"]["messages"]] == ["S", "a", "g", "last"]


def test_trace_of_what_is_refused_says_so(conversation: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "last", "-c", conversation, *WINDOW]) == 0
    assert "≥ 20 window: refused" in capsys.readouterr().out


def test_trace_names_a_cut_message_and_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "word " * 50, *WINDOW, "--policy", "truncate_middle"]) == 0
    assert "truncate_middle: of message 1 only its first " in capsys.readouterr().out
    remote = ["trace", "word " * 50, "--virtual-window", "40", "--model", "openai/gpt-5", "--policy", "rolling"]
    assert main(remote) == 0
    assert "a guess of " in capsys.readouterr().out


def test_chat_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed = io.TextIOWrapper(io.BytesIO(b"one two\nthree four\nfive six\n"), encoding="utf-8")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    assert main(["chat", *WINDOW, "--policy", "rolling"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "> one two\n> three four\n> five six\n> "
    assert captured.err == "rolling: 2 of 5 messages not sent, 0 sent in part\n"


def test_chat_as_json_has_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "word " * 50, *WINDOW, "--policy", "truncate_middle", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["window"]["cut"] and found["window"]["prompt_tokens"] == found["usage"]["prompt_tokens"]


def test_a_message_is_what_the_example_says() -> None:
    assert talk("S", ["a"]).messages() == (Message("system", "S"), Message("user", "a"))
