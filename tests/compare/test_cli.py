"""`compare` on the command line: sides as JSON, as a table, as files; errors of one side do not end the others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli import main
from engine.compare import demo
from tests.marks import marks_in

Run = Callable[..., tuple[int, str, str]]
TWO = ("--models", "echo,echo;max_tokens=1")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, stdout and stderr of a command in this process."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["compare", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_json_has_a_side_for_each_model_with_text_statistics_cost_and_outcome(run: Run) -> None:
    code, out, err = run("one two three", *TWO, "--json", "--seed", "5", "--system", "Be brief.")
    assert (code, err) == (0, "")
    sides = json.loads(out)["sides"]
    assert [side["text"] for side in sides] == ["one two three", "one"]
    assert [side["outcome"] for side in sides] == ["stop", "max_tokens"]
    assert all(side["stats"]["timeToFirstTokenSec"] >= 0 and side["stats"]["source"] == "server" for side in sides)
    assert all(side["cost"]["kind"] == "local" and side["cost"]["total"] is None for side in sides)
    assert sides[1]["params"] == {"max_tokens": 1, "seed": 5} and sides[0]["system"] == "Be brief."


def test_a_table_and_the_answers_under_it(run: Run) -> None:
    code, out, _ = run("one two", *TWO)
    lines = out.splitlines()
    assert code == 0 and lines[0].split()[0] == "side" and lines[1].startswith("A echo") and "no bill" in lines[1]
    assert "B echo;max_tokens=1\none" in out and "max_tokens" in lines[2]


def test_one_failing_side_is_told_and_the_others_answer(run: Run) -> None:
    code, out, err = run("hi", "--models", "echo,nobody/model", "--json")
    assert code == 0 and err.startswith("B nobody/model: unknown_model: ")
    sides = json.loads(out)["sides"]
    assert (sides[0]["text"], sides[1]["outcome"], sides[1]["error"]["code"]) == ("hi", "failed", "unknown_model")
    code, _, err = run("hi", "--models", "nobody/a,nobody/b")
    assert code == 2 and "unknown_model: " in err


def test_a_backend_that_fails_everywhere_is_a_backend_failure_with_what_came(run: Run) -> None:
    code, out, err = run(json.dumps({"answer": "one two three", "fail_after": 2}), *TWO[:1], "echo,echo")
    assert code == 3 and err.startswith("server_failed: ") and out.count("\none two\n") == 2


@pytest.mark.parametrize(
    "arguments",
    [("hi", "--models", "echo"), ("hi", "--models", "echo;heat=1,echo"), ("hi", "--models", "echo;top_p=9,echo"),
     ("  ", *TWO), ("hi",), ("hi", *TWO, "--json", "--as", "csv")],
)  # fmt: skip
def test_what_cannot_be_asked_is_bad_input(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and err.startswith("bad_")


@pytest.mark.parametrize(("form", "begins"), [("csv", "turn,"), ("markdown", "# Side"), ("html", "<!doctype html>")])
def test_reports_go_into_files(run: Run, tmp_path: Path, form: str, begins: str) -> None:
    file = tmp_path / "report"
    assert run("one two", *TWO, "--as", form, "-o", str(file)) == (0, "", "")
    text = file.read_text(encoding="utf-8")
    assert text.startswith(begins) and "one two" in text
    if form == "csv":
        assert len(list(csv.DictReader(io.StringIO(text)))) == 2


def test_recorded_sides_say_so(run: Run) -> None:
    tape = min((tape for one in demo.recorded() for tape in one.tapes), key=lambda tape: tape.end)
    owner = next(one for one in demo.recorded() if tape in one.tapes)
    code, out, _ = run(tape.question, "--models", f"{owner.id},echo")
    assert code == 0 and f"{owner.id} (recorded earlier)\n{tape.text}" in out


def test_a_key_is_in_no_report(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-marked-of-the-machine-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    _, out, err = run(f"my key is {key}", *TWO, "--json")
    assert not marks_in(out + err)
