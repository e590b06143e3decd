"""A strict run goes to a worker of its own, with one slot and no cache; a model elsewhere has neither of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.comptine.cell import Cell, CellResult
from engine.comptine.grid import Sweep
from engine.comptine.runfile import run_card
from engine.comptine.running import CellRun, Strip, run
from engine.comptine.strictly import StrictRun, run_of, task
from engine.comptine.sweepfile import SweepFile
from engine.engine import Engine
from engine.errors import BadInput
from engine.person import LOCAL
from engine.settings import Settings
from engine.types import Loading, Queued


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine whose folder the child of its queue finds."""
    monkeypatch.setenv("ATELIER_HOME", str(tmp_path))
    opened = Engine(Settings(), serve=True)
    yield opened
    opened.close()


@pytest.mark.model
def test_its_worker_has_one_slot_no_cache_and_a_card_of_its_own(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PREPARE", "false"), ("THREADS", "1"), ("WINDOW", "512")):
        monkeypatch.setenv(f"ATELIER_{name}", value)
    cell, said = Cell(3, 1, 1, variant="names", seed=1, max_tokens=24), tmp_path / "said.txt"
    found = _done(task(cell.to_dict(), LOCAL.id, "teacher", str(said)))["record"]
    result, told = CellResult.from_dict(found["result"]), run_card(found)
    assert (result.status, result.cell, result.cached) == ("done", cell, 0) and result.score
    assert result.answer.startswith(said.read_text(encoding="utf-8"))
    assert (told["slots"], told["strict"], told["seed"], told["prompt_sha256"]) == (1, True, 1, result.prompt_sha256)
    assert told["params"]["max_tokens"] == 24 and len(told["sha256"]) == 64
    assert engine.traces.get(result.trace_id or "", LOCAL.id)  # the page's own log shows it


def _done(work: Generator[Any, None, dict[str, Any]]) -> dict[str, Any]:
    """What a task returns; in this process, since a child of the queue gives way to every other test."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return dict(end.value)


def test_through_the_queue_it_gives_what_any_run_gives(engine: Engine) -> None:
    cell = Cell(6, 1, 3, variant="names", seed=1, model="echo")
    strict = StrictRun(engine, engine.model("echo"), cell, LOCAL)
    *before, result = strict
    assert {type(news) for news in before} <= {Queued, Loading, Strip} and result is strict.result
    same = run(engine.model("echo"), cell)
    assert (result.cell, result.answer, result.metrics()) == (cell, same.answer, same.metrics())
    assert strict.record is not None and strict.record["strict"]
    assert not list((engine.settings.home / "jobs").glob("strict-*"))


def test_a_strict_run_that_is_stopped_is_a_result(engine: Engine) -> None:
    run = StrictRun(engine, engine.model("echo"), Cell(30, model="echo"), LOCAL)
    run.stop()
    *_, result = run
    assert result.status == "stopped" and run.record is None
    assert [job.state for job in engine.jobs.list(LOCAL.id)] == ["cancelled"]


def test_what_asks_nothing_is_refused_and_what_has_no_slots_runs_as_ever(engine: Engine) -> None:
    with pytest.raises(BadInput):
        list(StrictRun(engine, engine.model("echo"), Cell(3, 9, 10, model="echo"), LOCAL))
    assert not engine.jobs.list(LOCAL.id)
    assert isinstance(run_of(engine, engine.model("echo"), Cell(3, model="echo"), LOCAL, strict=True), CellRun)


def test_a_sweep_goes_on_as_it_was_begun(tmp_path: Path) -> None:
    sweep, file = Sweep.of({"verses": (3,)}), SweepFile(tmp_path / "s.jsonl")
    file.begin(sweep, strict=True)
    file.begin(sweep, strict=True)
    assert file.read().strict
    with pytest.raises(BadInput):
        file.begin(sweep)
