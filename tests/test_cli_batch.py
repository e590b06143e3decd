"""The verb `batch`: JSON, CSV and list; going on with a file; what it refuses. With the echo and a real HTTP server."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from tests.marks import marks_in
from tests.standins.openai_server import OpenAIStandIn

KEY = "sk-marked-cli-batch-0123456789"


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "t.csv"
    path.write_text("q;a\nParis;paris\nRome;Oslo\n", encoding="utf-8")
    return str(path)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["batch", *arguments]) == code, capsys.readouterr().err
    return capsys.readouterr().out


def test_json_has_every_answer_and_what_they_come_to(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--models", "echo", "--template", "Say {{q}}", "--contains", "{{a}}", "--param", "temperature=0,1"]
    found: dict[str, Any] = json.loads(told(capsys, table, *flags, "--budget", "1", "--json"))
    assert [one["passed"] for one in found["results"]] == [True, False, True, False]
    assert {one["param temperature"] for one in found["results"]} == {0.0, 1.0}
    first, summary = found["results"][0], found["summary"]
    assert first["text"] == "Say Paris" and first["cost"] is None and first["cost_kind"] == "local"
    assert (summary["answers"], summary["not_passed"], summary["spent"], summary["over_budget"]) == (4, 2, "0", 0)


def test_it_goes_on_with_its_file_and_writes_csv(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], openai_server: OpenAIStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("BATCH_KEY", KEY)
    file = tmp_path / "answers.jsonl"
    flags = [table, "--endpoint", openai_server.base_url, "--key-env", "BATCH_KEY", "--models", "endpoint/plain,echo",
             "--results", str(file), "--csv"]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(told(capsys, *flags))))
    assert [(row["model"], row["text"]) for row in rows] == [
        ("endpoint/plain", "Hello from the stand-in."), ("endpoint/plain", "Hello from the stand-in."),
        ("echo", "Paris"), ("echo", "Rome"),
    ]  # fmt: skip
    assert len(openai_server.requests) == 2 and openai_server.last.headers["Authorization"] == f"Bearer {KEY}"
    assert not marks_in(file.read_text(encoding="utf-8"))
    assert list(csv.DictReader(io.StringIO(told(capsys, *flags)))) == rows
    assert len(openai_server.requests) == 2


def test_the_list_says_what_passed(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, table, "--models", "echo", "--regex", "^par").splitlines()
    assert lines[0].startswith("+ echo") and lines[1].startswith("- echo")
    assert "2 of 2 answers, 0 failed, 1 not passed" in lines


@pytest.mark.parametrize(
    "flags",
    [
        ["--template", "{{nowhere}}"],
        ["--param", "colour=1"],
        ["--budget", "much"],
        ["--rubric", "good"],
        ["--models", "nobody/here"],
        ["--at-once", "0"],
    ],
)
def test_what_cannot_be_asked_is_bad_input(table: str, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", table, "--models", "echo", *flags]) == 2
    captured = capsys.readouterr()
    assert not captured.out and len(captured.err.splitlines()) == 1
