"""Running a sweep: cells side by side on the slots of the runtime, each kept as soon as it is done. Draws nothing.

The runtime does the work and owns queue and cores, so threads are enough; joblib hands the cells out, so that a Ray
cluster can take them against an endpoint that it can reach.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from engine import child
from engine.comptine.cell import Cell, CellResult
from engine.comptine.grid import Sweep
from engine.comptine.runfile import card, open_engine
from engine.comptine.running import CellRun
from engine.comptine.sweepfile import SweepFile, new_file
from engine.errors import BadInput, EngineError, NotSupported
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job
    from engine.model import Model

JobBackend = Literal["threading", "ray"]
JOB_BACKENDS: tuple[JobBackend, ...] = get_args(JobBackend)
REMOTE_AT_ONCE = 4  # requests to somebody else's server
TASK = "engine.comptine.sweep:task"


@dataclass(frozen=True)
class SweepStep:
    """A cell has come to its end: `done` of `total` cells are, those of an earlier run included; `eta` seconds are
    left.
    """

    result: CellResult
    done: int
    total: int
    eta: float | None


class SweepRun:
    """One run of a sweep: iterate it once; `cancel()` it from any thread. Cells that are in `file` are not run again.

    `strict`: one at a time and no cache (use an engine of `open_engine(strict=True)`). `workers` None: the slots of the
    runtime. `key` opens remote models for this run alone, `keys` those of their names. Raises EngineError: BadInput for
    a sweep that cannot be asked, LoadFailed and the like before the first cell; what goes wrong with one cell is its
    result.
    """

    def __init__(
        self,
        engine: Engine,
        sweep: Sweep,
        file: SweepFile | None = None,
        *,
        owner: str = "local",
        role: Literal["teacher", "student"] = "teacher",
        key: str | None = None,
        keys: Mapping[str, str] | None = None,
        strict: bool = False,
        workers: int | None = None,
        backend: JobBackend = "threading",
    ) -> None:
        if backend not in JOB_BACKENDS:
            raise BadInput(f"cells run on {' or '.join(JOB_BACKENDS)}", backend=backend)
        self.cells = sweep.cells()
        self.results: dict[str, CellResult] = {}
        self._engine, self._sweep, self._file = engine, sweep, file
        self._owner, self._role, self._strict = owner, role, strict
        self._key, self._keys = key, keys or {}
        self._workers, self._backend = workers, backend
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._running: set[CellRun] = set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """End it: cells under way are stopped and not kept, the others are."""
        self._cancelled.set()
        with self._lock:
            running = list(self._running)
        for run in running:
            run.stop()

    def __iter__(self) -> Iterator[SweepStep]:
        with ExitStack() as stack:
            left = self._left(stack)
            models = self._models(left)
            started, total, before = time.monotonic(), len(self.cells), len(self.cells) - len(left)
            results = stack.enter_context(closing(self._results(left, models)))
            for count, result in enumerate(results, 1):
                spent = time.monotonic() - started
                yield SweepStep(result, before + count, total, spent / count * (len(left) - count))

    def _left(self, stack: ExitStack) -> list[Cell]:
        """The cells that are still to be run; the file is ours from here on."""
        if self._file is not None:
            stack.enter_context(self._file.held())
            self._file.begin(self._sweep, strict=self._strict)
            known = self._file.read().results
            self.results = {cell.key: known[cell.key] for cell in self.cells if cell.key in known}
        return [cell for cell in self.cells if cell.key not in self.results or not self.results[cell.key].settled]

    def _models(self, left: Iterable[Cell]) -> Mapping[str | None, Model]:
        """The models, loaded, with their cards in the file."""
        names = dict.fromkeys(cell.model for cell in left)
        models = {name: self._model(name) for name in names}
        for model in models.values():
            told = card(self._engine, model)
            if self._file is not None:
                self._file.add_card(model.card.id, told)
        return models

    def _model(self, name: str | None) -> Model:
        key = self._keys.get(name or "") or self._key
        return self._engine.model(name, key, role=self._role, owner=self._owner)

    def _results(self, left: list[Cell], models: Mapping[str | None, Model]) -> Generator[CellResult, None, None]:
        """Results as they come. When the consumer goes away, what runs is cancelled."""
        workers = 1 if self._strict else self._workers or max(map(self._slots, models.values()), default=1)
        told = self._away_in_waves if self._backend == "ray" else self._in_threads
        finished = False
        try:
            for result in told(left, models, workers):
                if result is not None:
                    yield result
            finished = True
        finally:
            if not finished:
                self.cancel()

    def _in_threads(
        self, left: list[Cell], models: Mapping[str | None, Model], workers: int
    ) -> Iterator[CellResult | None]:
        from joblib import Parallel, delayed

        parallel = Parallel(
            workers, backend="threading", return_as="generator_unordered", batch_size=1, pre_dispatch=workers
        )
        yield from parallel(delayed(self._one)(cell, models[cell.model]) for cell in self._wanted(left))

    def _away_in_waves(
        self, left: list[Cell], models: Mapping[str | None, Model], workers: int
    ) -> Iterator[CellResult | None]:
        """Ray's joblib backend gives results only when all are there: so as many at once as there are workers, and
        each wave is kept before the next.
        """
        from joblib import Parallel, delayed

        _register_ray()
        orders = [self._away(cell, models[cell.model]) for cell in left]
        for start in range(0, len(orders), workers):
            if self.cancelled:
                return
            parallel = Parallel(workers, backend="ray", batch_size=1)
            wave = parallel(delayed(remote_cell)(order) for order in orders[start : start + workers])
            yield from [self._take(told) for told in wave]

    def _wanted(self, left: list[Cell]) -> Iterator[Cell]:
        """The cells, one after another, until it is cancelled."""
        for cell in left:
            if self.cancelled:
                return
            yield cell

    def _one(self, cell: Cell, model: Model) -> CellResult | None:
        """The result of one cell, kept at once; None where it was cancelled. Runs in a worker's thread."""
        if threading.current_thread() is not threading.main_thread():
            child.step_back()  # many readers beside llama.cpp's threads, which wait for each other
        run = CellRun(model, cell, owner=self._owner, interactive=False, strict=self._strict)
        with self._lock:
            self._running.add(run)
        try:
            if self.cancelled:
                return None
            return self._keep(run.wait())
        except EngineError as error:  # the runtime is gone while counting: this cell's failure, not the sweep's
            return self._keep(_failed(model, cell, error))
        finally:
            with self._lock:
                self._running.discard(run)

    def _take(self, told: Mapping[str, Any]) -> CellResult | None:
        return self._keep(CellResult.from_dict(told))

    def _keep(self, result: CellResult) -> CellResult | None:
        if result.status == "stopped" and self.cancelled:
            return None
        if self._file is not None:
            self._file.add(result)
        self.results[result.cell.key] = result
        return result

    def _slots(self, model: Model) -> int:
        if model.card.backend == "llamacpp":
            runtime = self._engine.served(model.card.id)
            return runtime.slots if runtime else 1
        return REMOTE_AT_ONCE

    def _away(self, cell: Cell, model: Model) -> dict[str, Any]:
        """What a worker on another machine needs; never a key: it reads the environment of its own machine."""
        if model.card.backend == "llamacpp":
            raise NotSupported("a cluster needs an endpoint that it can reach", capability="ray", backend="llamacpp")
        endpoint = model.card.endpoint
        typed = endpoint.base_url if endpoint and endpoint.provider.id == "endpoint" else None
        return {"cell": cell.to_dict(), "model": model.card.id, "endpoint": typed, "role": self._role}


def _failed(model: Model, cell: Cell, error: EngineError) -> CellResult:
    sha256 = cell.prompt().sha256
    return CellResult(cell, "failed", model.card.id, sha256, error=error.to_dict())


def remote_cell(order: Mapping[str, Any]) -> dict[str, Any]:
    """The result of one cell as JSON, run by an engine of this process: what a worker of a cluster does."""
    import tempfile

    from engine.engine import Engine
    from engine.settings import Settings

    cell = Cell.from_dict(order["cell"])
    with tempfile.TemporaryDirectory() as home, closing(Engine(Settings(home=Path(home)))) as engine:
        if order["endpoint"]:
            from engine.providers import typed_in

            engine.catalog.add(typed_in(order["endpoint"]))
        model = engine.model(order["model"], role=order["role"])
        try:
            return CellRun(model, cell, interactive=False).wait().to_dict()
        except EngineError as error:
            return _failed(model, cell, error).to_dict()


def _register_ray() -> None:
    """Let joblib know Ray, which is not among our requirements. Raises NotSupported."""
    try:
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise NotSupported("Ray is not installed: pip install ray", capability="ray", backend="joblib") from error
    register_ray()


def submit(
    engine: Engine,
    owner: str,
    sweep: Sweep,
    file: SweepFile | None = None,
    *,
    role: Literal["teacher", "student"] = "teacher",
    strict: bool = False,
    title: str = "",
) -> tuple[Job, SweepFile]:
    """The sweep in the queue of heavy work, and the file that fills: read it for what is done so far.

    With the file of an earlier one only what is missing is run. Raises AccessDenied, UnknownModel, BadInput at once.
    """
    cards = {name: engine.model(name, role=role, owner=owner).card for name in sweep.models}
    keys = {name or "": key for name, card in cards.items() if (key := engine.key_for(card, owner, role))}
    kept = file or new_file(engine.settings.home, owner)
    kept.begin(sweep, strict=strict)
    args = {"path": str(kept.path), "owner": owner, "role": role, "strict": strict}
    said = title or f"comptine {len(sweep.cells())}"
    return engine.jobs.submit(owner, TASK, args, said, secrets={"keys": keys}), kept


def task(
    path: str, owner: str, role: Literal["teacher", "student"], strict: bool, keys: Mapping[str, str] | None = None
) -> Generator[Progress, None, Any]:
    """What the child process of the job queue does: the sweep in that file; the result counts its cells."""
    file = SweepFile(Path(path))
    sweep = file.read().sweep
    with closing(open_engine(strict=strict)) as engine:
        run = SweepRun(engine, sweep, file, owner=owner, role=role, strict=strict, keys=keys)
        yield Progress(0, len(run.cells))
        for step in run:
            yield Progress(step.done, step.total)
    return {"path": path, "cells": len(run.results)}
