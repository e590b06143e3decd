"""The one queue of heavy work: who may run what when, how far it is, and its end. Knows neither what a job does nor how
its rows are kept.

One job at a time on this machine (over all processes on the data folder), one per person, persons in turn. Jobs run in
niced child processes. What waits for the network, such as a download, has a lane of its own beside that.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import psutil

from engine.errors import EngineError, JobFailed, StoreFailed, TimedOut
from engine.filelock import file_lock
from engine.joblog import JOB_STATES, JobLog, JobRow, JobState
from engine.settings import Settings
from engine.tasks import Progress, TaskRun

log = logging.getLogger(__name__)

Lane = Literal["cores", "network"]
OPEN: tuple[JobState, ...] = ("queued", "running")
WRITE_EVERY_S = 1.0  # progress in the store; who asks this process gets it fresh
YOUNG_S = 10.0  # a row appears this much before the note of who does it, at most


@dataclass(frozen=True)
class Job(JobRow):
    """One job as it is now; `eta` is the time left in seconds, None where nobody can tell."""

    eta: float | None = None


@dataclass
class _Own:
    """A job that this process has to do."""

    id: str
    owner: str
    run: TaskRun
    scratch: tuple[Path, ...]
    lane: Lane = "cores"
    running: bool = False
    started: float | None = None
    progress: Progress | None = None
    written: float = 0.0


class JobQueue:
    """Heavy work of this process, in turn; thread safe. Raises EngineError."""

    def __init__(self, rows: JobLog, settings: Settings, at_once: int = 1) -> None:
        self._rows = rows
        self._folder = settings.home / "jobs"
        self._nice = settings.job_nice
        self._at_once: dict[Lane, int] = {"cores": at_once, "network": 1}
        self._own: dict[str, _Own] = {}  # in the order of submission
        self._served: dict[str, int] = {}  # owner → number of the last job that was begun for them
        self._begun = 0
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._recover()

    def submit(
        self, owner: str, task: str, args: Mapping[str, Any], title: str = "", scratch: Iterable[Path] = (),
        *, secrets: Mapping[str, Any] | None = None, lane: Lane = "cores",
    ) -> Job:  # fmt: skip
        """The job, queued. `scratch` are files that it leaves behind when it is killed, `secrets` further arguments of
        the task that are written nowhere, such as a key; `lane` says what it takes, processors or the network alone.
        Raises BadInput for a name that is no task.
        """
        run = TaskRun(task, args, secrets, self._nice)
        row = self._rows.add(owner, task, args, title or task)
        own = _Own(row.id, owner, run, tuple(scratch), lane)
        self._leave_note(own)
        with self._changed:
            self._own[row.id] = own
            self._start_threads(lane)
            self._changed.notify_all()
        return self._job(row)

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """One job; with `owner`, of that person only. Raises NotFound."""
        return self._job(self._rows.get(job_id, owner))

    def list(self, owner: str | None = None, states: tuple[JobState, ...] = JOB_STATES) -> tuple[Job, ...]:
        """The person's jobs, oldest first; everybody's without `owner`, for the teacher."""
        return tuple(self._job(row) for row in self._rows.list(owner, states))

    def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """The job, cancelled unless it had ended; its processes are gone within a second. Raises NotFound.

        A job of another process ends when it next tells its progress.
        """
        self._rows.get(job_id, owner)
        self._rows.change(job_id, only_in=OPEN, state="cancelled", finished=time.time())
        with self._changed:
            own = self._own.get(job_id)
            if own is not None:
                own.run.cancel()
                if not own.running:
                    self._forget(own)
            self._changed.notify_all()
        return self.get(job_id, owner)

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """The job once this process has ended it. Raises TimedOut after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: job_id not in self._own, timeout):
                raise TimedOut(f"job {job_id} goes on", seconds=timeout)
        return self.get(job_id)

    def close(self) -> None:
        """End what runs and what waits, as failed: interrupted."""
        self._closed.set()
        with self._changed:
            for own in list(self._own.values()):
                self._write(own.id, state="failed", error=_interrupted(own.id), finished=time.time())
                own.run.cancel()
                if not own.running:
                    self._forget(own)
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(5)

    def _start_threads(self, lane: Lane) -> None:
        names = {thread.name for thread in self._threads}
        for number in range(self._at_once[lane]):
            turn = str(number) if lane == "cores" else f"{lane}-{number}"
            if f"jobs-{turn}" not in names and not self._closed.is_set():
                thread = threading.Thread(target=self._work, args=(lane, turn), name=f"jobs-{turn}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self, lane: Lane, turn: str) -> None:
        """One job of the lane after another; this thread is the parent of their processes."""
        while own := self._take(lane):
            try:
                with self._turn(turn, own):
                    self._do(own)
            finally:
                with self._changed:
                    self._forget(own)
                    self._changed.notify_all()

    def _take(self, lane: Lane) -> _Own | None:
        with self._changed:
            while not self._closed.is_set():
                if own := self._next(lane):
                    own.running = True
                    self._begun += 1
                    self._served[own.owner] = self._begun
                    return own
                self._changed.wait()
        return None

    def _next(self, lane: Lane) -> _Own | None:
        """The oldest job of the person who has waited longest for a turn and has none running in this lane."""
        jobs = [own for own in self._own.values() if own.lane == lane]
        busy = {own.owner for own in jobs if own.running}
        waiting = [own for own in jobs if not own.running and own.owner not in busy]
        return min(waiting, key=lambda own: self._served.get(own.owner, 0), default=None)

    @contextmanager
    def _turn(self, turn: str, own: _Own) -> Iterator[None]:
        """This machine's turn: another process on the same data folder may be running a job."""
        with ExitStack() as stack:
            while not own.run.cancelled:
                try:
                    stack.enter_context(file_lock(self._folder / f"running-{turn}.lock", timeout=0.5))
                    break
                except TimedOut:
                    continue
            yield

    def _do(self, own: _Own) -> None:
        own.started = time.time()
        if not self._write(own.id, only_in=("queued",), state="running", started=own.started):
            return
        try:
            for progress in own.run:
                self._note(own, progress)
        except EngineError as error:
            self._write(own.id, state="failed", error=error.to_dict(), finished=time.time())
            return
        if not own.run.cancelled:
            self._write(own.id, state="done", result=own.run.result, finished=time.time())

    def _note(self, own: _Own, progress: Progress) -> None:
        own.progress = progress
        now = time.monotonic()
        if now - own.written < WRITE_EVERY_S:
            return
        own.written = now
        if not self._write(own.id, done=progress.done, total=progress.total):
            own.run.cancel()  # another process has cancelled it, or its owner is gone

    def _write(self, job_id: str, only_in: tuple[JobState, ...] = OPEN, **values: Any) -> bool:
        try:
            return self._rows.change(job_id, only_in=only_in, **values)
        except StoreFailed as error:  # the work itself goes on; what it made is not lost for a full disk of the store
            log.error("job %s: %s", job_id, error)
            return True

    def _job(self, row: JobRow) -> Job:
        job = Job(**{field.name: getattr(row, field.name) for field in fields(row)})
        own = self._own.get(row.id)
        if row.state != "running" or own is None or own.progress is None or own.started is None:
            return job
        done, total = own.progress.done, own.progress.total
        eta = (time.time() - own.started) / done * (total - done) if done and total else None
        return replace(job, done=done, total=total, eta=eta)

    def _forget(self, own: _Own) -> None:
        """Called under the lock, once nothing of the job runs any more."""
        self._own.pop(own.id, None)
        if own.run.result is None:
            _remove(own.scratch)
        (self._folder / f"{own.id}.json").unlink(missing_ok=True)

    def _leave_note(self, own: _Own) -> None:
        """Who is to do the job: should that process die, the next one finds it interrupted and cleans up."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        me = {"pid": os.getpid(), "started": psutil.Process().create_time(), "scratch": [str(p) for p in own.scratch]}
        (self._folder / f"{own.id}.json").write_text(json.dumps(me), encoding="utf-8")

    def _recover(self) -> None:
        for row in self._rows.list(states=OPEN):
            note = _read_note(self._folder / f"{row.id}.json")
            young = not note and time.time() - row.created < YOUNG_S
            if not young and not _lives(note):
                self._write(row.id, state="failed", error=_interrupted(row.id), finished=time.time())
                _remove(Path(name) for name in note.get("scratch", ()))
                (self._folder / f"{row.id}.json").unlink(missing_ok=True)


def _interrupted(job_id: str) -> dict[str, object]:
    text = "the program ended while the job was open"
    return JobFailed(text, job=job_id, reason="interrupted").to_dict()


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _lives(note: Mapping[str, Any]) -> bool:
    try:
        return "pid" in note and abs(psutil.Process(note["pid"]).create_time() - note["started"]) < 1
    except psutil.NoSuchProcess:
        return False


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
