"""A sweep keeps what is done, whatever happens to it: order, resume, cancel, SIGKILL, job queue. On the echo model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.backends.echo import Echo
from engine.comptine.grid import MAX_CELLS, Sweep
from engine.comptine.sweep import SweepRun, submit
from engine.comptine.sweepfile import SweepFile, file_named, new_file, saved_files
from engine.engine import Engine
from engine.errors import BadFile, BadInput, NotSupported, TimedOut
from engine.runtime.prefixes import common_prefix
from engine.settings import Settings
from tests.patience import JOB_S, SOON_S

ROOT = Path(__file__).parents[2]
SMALL = Sweep.of({"verses": (3, 6), "ranges": ((1, 3),), "seeds": (1, 2, 3)})


class SlowEngine(Engine):
    """An Engine whose echo model takes its time."""

    delay = 0.01

    def _backend(self, card: Any) -> Any:
        return Echo(delay=self.delay)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine(Settings(home=tmp_path / "home", model="echo"))
    yield opened
    opened.close()


# --- the grid


def test_the_grid_spans_every_factor_and_leaves_out_what_cannot_be_asked() -> None:
    sweep = Sweep.of({"verses": (5, 30), "ranges": ((1, 3), (20, 22)), "shots": (0, 1), "seeds": (1, 2)})
    cells = sweep.cells()
    assert len(cells) == len(set(cells)) == (1 + 2) * 2 * 2
    assert len(Sweep.of({"verses": (5,), "variants": ("constant",)}).cells()) == 1  # every seed is the same prompt


@pytest.mark.parametrize(
    "wrong",
    [
        {"verses": ()},
        {"verses": (0,)},
        {"verses": (5,), "colour": 1},
        {"verses": (5,), "ranges": ((9, 10),)},
        {"verses": tuple(range(1, 60)), "seeds": tuple(range(MAX_CELLS // 50))},
    ],
)
def test_a_wrong_grid_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        Sweep.of(wrong)


def test_the_order_reads_each_rhyme_once() -> None:
    cells = Sweep.of({"verses": (5, 10, 20), "ranges": ((1, 3), (2, 4)), "seeds": (1, 2)}).cells()
    texts = [cell.prompt().text for cell in cells]
    read = sum(len(b) - common_prefix(a, b) for a, b in zip(["", *texts], texts, strict=False))
    longest = sum(len(cell.rhyme().text) for cell in cells if cell.verses == 20) / 2
    assert read < longest + len(cells) * 150  # every rhyme once, then refrains and questions
    assert [cell.verses for cell in cells[:6]] == [20, 20, 10, 10, 5, 5]


# --- running


def test_a_sweep_runs_every_cell_and_keeps_it(engine: Engine, tmp_path: Path) -> None:
    file = SweepFile(tmp_path / "s.jsonl")
    run = SweepRun(engine, SMALL, file)
    steps = list(run)
    assert [step.done for step in steps] == [1, 2, 3, 4, 5, 6] and steps[-1].eta == 0
    assert {step.result.status for step in steps} == {"done"}
    saved = file.read()
    assert saved.results == run.results and len(saved.results) == 6 and saved.sweep == SMALL
    assert saved.cards["echo"]["backend"] == "echo"


def test_a_resumed_sweep_runs_only_what_is_missing(engine: Engine, tmp_path: Path) -> None:
    file = SweepFile(tmp_path / "s.jsonl")
    for number, _ in enumerate(run := iter(SweepRun(engine, SMALL, file, workers=1))):
        if number == 1:
            run.close()  # type: ignore[attr-defined]
            break
    kept = set(file.read().results)
    assert 2 <= len(kept) < 6
    with file.path.open("ab") as handle:
        handle.write(b'{"cell": {"torn')  # what a crash leaves
    assert set(file.read().results) == kept
    again = [step for step in SweepRun(engine, SMALL, file)]
    assert len(again) == 6 - len(kept) and again[-1].done == 6
    assert not list(SweepRun(engine, SMALL, file))
    wider = Sweep.of({"verses": (3, 6), "ranges": ((1, 3),), "seeds": (1, 2, 3, 4)})
    assert len(list(SweepRun(engine, wider, file))) == 2  # the others are known


def test_two_processes_never_run_one_sweep(engine: Engine, tmp_path: Path) -> None:
    file = SweepFile(tmp_path / "s.jsonl")
    with file.held(), pytest.raises(TimedOut):
        list(SweepRun(engine, SMALL, file))


def test_cancel_keeps_what_is_done(tmp_path: Path) -> None:
    opened = SlowEngine(Settings(home=tmp_path / "home", model="echo"))
    sweep = Sweep.of({"verses": (10,), "ranges": ((1, 3),), "seeds": tuple(range(99)), "max_tokens": 200})
    file = SweepFile(tmp_path / "s.jsonl")
    run = SweepRun(opened, sweep, file, workers=2)
    for step in run:
        if step.done == 2:
            run.cancel()
    assert 2 <= len(file.read().results) < 99
    assert {result.status for result in file.read().results.values()} == {"done"}
    opened.close()


def test_a_failing_cell_is_a_result_and_is_tried_again(engine: Engine, tmp_path: Path) -> None:
    asked = {"verses": (3,), "kind": "custom", "text": "x", "variants": ("constant",), "ranges": ((0, 0),)}
    sweep = Sweep.of(asked)
    broken = SlowEngine(engine.settings)
    broken._backend = lambda card: Broken()  # type: ignore[method-assign]
    file = SweepFile(tmp_path / "s.jsonl")
    (step,) = list(SweepRun(broken, sweep, file))
    assert (step.result.status, step.result.error and step.result.error["code"]) == ("failed", "unreachable")
    (step,) = list(SweepRun(engine, sweep, file))
    assert step.result.status == "done"
    broken.close()


class Broken(Echo):
    """An echo whose server is gone."""

    def count(self, request: Any) -> int:
        from engine.errors import Unreachable

        raise Unreachable("gone", address="nowhere")


KILLED = """
import sys
from pathlib import Path
from engine.comptine.grid import Sweep
from engine.comptine.sweep import SweepRun
from engine.comptine.sweepfile import SweepFile
from engine.settings import Settings
from tests.comptine.test_sweep import SlowEngine
sweep = Sweep.of({"verses": (10,), "ranges": ((1, 3),), "seeds": tuple(range(60)), "max_tokens": 100})
engine = SlowEngine(Settings(home=Path(sys.argv[1]), model="echo"))
for step in SweepRun(engine, sweep, SweepFile(Path(sys.argv[2])), workers=2):
    print(step.result.cell.key, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_crash_loses_at_most_the_cells_under_way(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(3)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.read().split()
    kept = SweepFile(path).read()
    assert len(told) >= 3 and set(told) <= set(kept.results)
    opened = Engine(Settings(home=tmp_path / "home", model="echo"))
    steps = list(SweepRun(opened, kept.sweep, SweepFile(path)))
    assert steps[-1].done == 60 and len(steps) == 60 - len(kept.results)
    opened.close()


# --- the job queue and the person's files


def test_through_the_job_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("ATELIER_HOME", str(home))
    monkeypatch.setenv("ATELIER_MODEL", "echo")
    opened = Engine(Settings(), serve=True)
    job, file = submit(opened, "local", SMALL)
    ended = opened.jobs.wait(job.id, JOB_S)
    assert (ended.state, ended.result and ended.result["cells"]) == ("done", 6)
    assert len(file.read().results) == 6 and saved_files(home, "local")[0].path == file.path
    assert file_named(home, "local", file.path.name).path == file.path
    for name in ("../../x.jsonl", "other.jsonl"):
        with pytest.raises(BadFile):
            file_named(home, "local", name)
    assert saved_files(home, "somebody else") == ()
    opened.close()


def test_a_file_that_is_no_sweep_says_so(tmp_path: Path) -> None:
    for text in ("", "{}\n", "not json\n"):
        (tmp_path / "x.jsonl").write_text(text)
        with pytest.raises(BadFile):
            SweepFile(tmp_path / "x.jsonl").read()
    assert json.dumps(str(new_file(tmp_path, "ada").path)).count("ada") == 0


def test_ray_is_for_endpoints(engine: Engine) -> None:
    with pytest.raises(BadInput):
        SweepRun(engine, SMALL, backend="dask")  # type: ignore[arg-type]
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(NotSupported):
            list(SweepRun(engine, SMALL, backend="ray"))


def test_a_local_ray_cluster_takes_the_cells(engine: Engine, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=1, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}})
    try:
        file = SweepFile(tmp_path / "s.jsonl")
        steps = list(SweepRun(engine, SMALL, file, workers=2, backend="ray"))
    finally:
        ray.shutdown()
    assert [step.done for step in steps] == [1, 2, 3, 4, 5, 6] and len(file.read().results) == 6


def test_cancel_from_another_thread_ends_it_soon(tmp_path: Path) -> None:
    opened = SlowEngine(Settings(home=tmp_path / "home", model="echo"))
    opened.delay = 0.5
    run = SweepRun(opened, Sweep.of({"verses": (10,), "seeds": tuple(range(9))}), workers=2)
    threading.Timer(0.5, run.cancel).start()
    started = time.monotonic()
    assert not list(run)  # hundreds of words at half a second each
    assert time.monotonic() - started < SOON_S
    opened.close()
