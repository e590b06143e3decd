"""The verb comptine: on the echo model, and once on the real one: a sweep that reuses prefixes, a run that replays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli import main
from engine.comptine.cell import METRICS

Run = Callable[..., tuple[int, str, str]]
ECHO = ("--model", "echo")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The exit code, stdout and stderr of `comptine …` in this process."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["comptine", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_generate_is_the_sheets_script(run: Run) -> None:
    code, out, err = run("generate", "100")
    lines = out.splitlines()
    assert (code, len(lines), out[-1]) == (0, 101, "\n")
    assert lines[0] == "Vers 1: Le nom de carnet 1 est Marin."
    assert lines[-1] == "Refrain: Récapitule tous les carnets vus jusqu’ici."
    assert err == "cl100k_base 1418\no200k_base 1316\n"  # measured in reference/context_and_sampling.md §0.4
    found = json.loads(run("generate", "5", "--variant", "intruder", "--seed", "2", "--json")[1])
    assert 1 <= found["intruder"] <= 5 and len(found["names"]) == 5


def test_run_prints_every_metric(run: Run) -> None:
    code, out, err = run("run", "--verses", "12", "--last", "3", "--variant", "names", "--seed", "1", *ECHO, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert set(METRICS) <= set(found) and found["strict"] == 1.0 and found["budget"] is False
    assert [mark["state"] for mark in found["marks"][:4]] == ["exact"] * 3 + ["out_of_range"]
    assert "obedience     False" in run("run", "--verses", "12", "--last", "3", *ECHO)[1]


def test_sweep_prints_cells_and_summary(run: Run, tmp_path: Path) -> None:
    arguments = ("sweep", "--verses", "5,10,20", "--first", "1", "--last", "5", "--variant", "names", "--seeds", "3")
    file = str(tmp_path / "s.jsonl")
    code, out, err = run(*arguments, *ECHO, "--file", file, "--json")
    found = json.loads(out)
    assert (code, err, set(found)) == (0, "", {"cells", "summary"})
    assert len(found["cells"]) == 9 and all(set(METRICS) <= set(cell) for cell in found["cells"])
    assert found["summary"]["rows"][0]["strict"]["n"] == 3 and found["summary"]["effective"]
    code, out, err = run(*arguments, *ECHO, "--file", file)  # everything is known
    assert (code, err) == (0, "") and "effective context, absolute" in out


def test_a_wrong_sweep_is_bad_input(run: Run) -> None:
    for wrong in (["--verses", "x"], ["--verses", "5", "--variant", "nobody"], ["--verses", "5", "--shots", "0,x"],
                  ["--verses", "5", "--seeds", "0"], ["--verses", "5", "--ranges", "1"]):  # fmt: skip
        code, out, err = run("sweep", *wrong, *ECHO)
        assert (code, out) == (2, "") and err.startswith("bad_input: "), wrong


def test_tokens_and_overflow(run: Run) -> None:
    found = json.loads(run("tokens", "--verses", "100", "--no-model", "--json")[1])
    assert found["server"] is None and found["fits"] is None and len(found["sha256"]) == 64
    found = json.loads(run("overflow", "--verses", "40", "--last", "3", "--window", "300", *ECHO, "--json")[1])
    assert found["policies"]["refuse"]["status"] == "refused"
    assert found["policies"]["cut_middle"]["survivors"]["verses"][0] == "whole"
    ends = json.loads(
        run("overflow", "--verses", "1", "--last", "3", "--window", "300", *ECHO, "--bisect", "--json")[1]
    )
    assert 3 < ends["answer"]["last"] < ends["prompt"]["last"] < 40
    assert "exceed_context_size_error" in run("overflow", "--verses", "1", "--engines")[1]


def test_a_run_file_of_something_else(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert run("replay", str(tmp_path / "x.json"))[2].startswith("bad_input: not a run file")
    (tmp_path / "x.json").write_text("{")
    assert run("replay", str(tmp_path / "x.json"))[2].startswith("bad_file: ")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights as they come, a small window, one thread."""
    for name, value in (("PREPARE", "false"), ("THREADS", "1"), ("WINDOW", "1024")):
        monkeypatch.setenv(f"ATELIER_{name}", value)


@pytest.mark.model
@pytest.mark.usefixtures("small")
def test_a_strict_run_replays_to_the_same_text(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    asked = ("--verses", "6", "--last", "2", "--variant", "names", "--seed", "1", "--max-tokens", "40")
    code, out, err = run("run", *asked, "--strict-reproducibility", "--save", path, "--json")
    found, saved = json.loads(out), json.loads(Path(path).read_text(encoding="utf-8"))
    assert (code, err) == (0, "") and found["answer"] == saved["result"]["answer"]
    assert (found["cached"], found["model"], len(saved["card"]["sha256"])) == (0, "smollm2-135m-instruct", 64)
    assert saved["card"]["slots"] == 1 and saved["card"]["quantization"] and saved["card"]["template_sha256"]
    again = json.loads(run("replay", path, "--json")[1])
    assert again["same"] and again["differences"] == [] and again["result"]["answer"] == found["answer"]


@pytest.mark.model
@pytest.mark.usefixtures("small")
def test_a_sweep_reads_a_shared_beginning_once(run: Run) -> None:
    asked = ("sweep", "--verses", "8,16", "--last", "2", "--seeds", "1", "--max-tokens", "40", "--workers", "1")
    cells = {cell["verses"]: cell for cell in json.loads(run(*asked, "--json")[1])["cells"]}
    assert cells[16]["status"] == "done" and cells[16]["prompt_tokens"] > cells[8]["prompt_tokens"]
    assert cells[8]["cached"] > 8 * 15  # its eight verses, of fifteen tokens and more, stood in the longer rhyme
