"""A run that replays word for word: one slot, no cache, a worker of its own, as a job of the queue, so that a class of
such runs never takes the machine from the class's answers. Knows no interface.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.comptine.cell import Cell, CellResult
from engine.comptine.runfile import open_engine, record
from engine.comptine.running import STRIP_EVERY_S, CellRun, Strip
from engine.comptine.score import marks
from engine.errors import JobFailed, error_from
from engine.jobs import OPEN, Job
from engine.tasks import Progress
from engine.types import Event, Loading, Queued

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model
    from engine.person import Person

TASK = "engine.comptine.strictly:task"
POLL_S = 0.2


def run_of(engine: Engine, model: Model, cell: Cell, person: Person, *, strict: bool = False) -> CellRun | StrictRun:
    """The run of a cell for that person; `strict` counts for a local model, the others have neither slot nor cache."""
    if strict and model.card.backend == "llamacpp":
        return StrictRun(engine, model, cell, person)
    return CellRun(model, cell, owner=person.id)


def followed(engine: Engine, job: Job) -> Generator[Job, None, None]:
    """The job as it goes, then as it ended well; cancelled with this iterator. Raises what it failed with."""
    try:
        while job.state in OPEN:
            yield job
            time.sleep(POLL_S)
            job = engine.jobs.get(job.id, job.owner)
    finally:
        engine.jobs.cancel(job.id, job.owner)
    if job.state != "done":
        raise error_from(job.error) if job.error else JobFailed("cancelled", job=job.id, reason="cancelled")
    yield job


class StrictRun:
    """A CellRun in a worker of its own: iterate it once, `stop()` it from any thread.

    It yields Queued and Loading while it waits, a Strip as the answer grows, and the CellResult last, which is then
    `result`; `record` is the run file with the card of that worker, None where it was stopped. Raises BadInput of the
    cell and EngineError of the job.
    """

    strict = True

    def __init__(self, engine: Engine, model: Model, cell: Cell, person: Person) -> None:
        self.model = model
        self.cell = cell
        self.result: CellResult | None = None
        self.record: Mapping[str, Any] | None = None
        self._engine, self._person = engine, person
        self._stopped = False

    def stop(self) -> None:
        """End it; what was said so far is kept."""
        self._stopped = True

    def __iter__(self) -> Iterator[Event | Strip | CellResult]:
        self.cell.prompt()  # a cell that asks nothing is refused before anything waits
        folder = self._engine.settings.home / "jobs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = folder / f"strict-{secrets.token_hex(8)}.txt"
        try:
            yield from self._run(said)
        finally:
            said.unlink(missing_ok=True)
        assert self.result is not None
        yield self.result

    def _run(self, said: Path) -> Iterator[Event | Strip]:
        args = {"cell": {**self.cell.to_dict(), "model": self.model.card.id}, "owner": self._person.id,
                "role": self._person.role, "path": str(said)}  # fmt: skip
        key = self._engine.key_for(self.model.card, self._person.id, self._person.role)
        job = self._engine.jobs.submit(self._person.id, TASK, args, "comptine strict", [said], secrets={"key": key})
        with closing(followed(self._engine, job)) as jobs:
            for job in jobs:
                if self._stopped and job.state in OPEN:
                    self.result = self._so_far(_text(said))
                    return
                yield self._news(job, _text(said))
        self.record = {**job.result["record"], "cell": self.cell.to_dict()}
        self.result = CellResult.from_dict({**job.result["record"]["result"], "cell": self.cell.to_dict()})

    def _news(self, job: Job, text: str) -> Event | Strip:
        if text:
            return Strip(text, marks(text, self.cell.prompt(), False))
        if job.state != "queued":
            return Loading(time.time() - (job.started or job.created))
        before = [one for one in self._engine.jobs.list(states=OPEN) if one.created < job.created]
        return Queued(1 + len(before))

    def _so_far(self, text: str) -> CellResult:
        asked = self.cell.prompt()
        return CellResult(self.cell, "stopped", self.model.card.id, asked.sha256, answer=text,
                          marks=marks(text, asked, False), outcome="user_stopped")  # fmt: skip


def task(
    cell: dict[str, Any], owner: str, role: Literal["teacher", "student"], path: str, key: str | None = None
) -> Generator[Progress, None, dict[str, Any]]:
    """What the child process does: the answer grows in the file at `path`, the run file is the result."""
    asked = Cell.from_dict(cell)
    with closing(open_engine(strict=True)) as engine:
        model = engine.model(asked.model, key, role=role)
        run = CellRun(model, asked, owner=owner, strict=True)
        with Path(path).open("a", encoding="utf-8", errors="replace") as file:
            for more in _growing(run):
                file.write(more)
                file.flush()
                yield Progress(file.tell())
        assert run.result is not None
        return {"record": record(engine, model, run.result, strict=True)}


def _growing(run: CellRun) -> Iterator[str]:
    """What the answer has more each time, not more often than anybody looks at it."""
    known, told = 0, 0.0
    for step in run:
        if isinstance(step, Strip) and time.monotonic() - told >= 2 * STRIP_EVERY_S:
            yield step.text[known:]
            known, told = len(step.text), time.monotonic()


def _text(said: Path) -> str:
    """What is in the file so far: a character may be cut while it is written."""
    with contextlib.suppress(FileNotFoundError):
        return said.read_text(encoding="utf-8", errors="ignore")
    return ""
