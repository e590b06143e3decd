"""The rows of heavy jobs: what was asked by whom and how far it came. Knows no process and no queue."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import select, update

from engine.errors import NotFound
from engine.store import Store
from engine.tables import jobs

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)


@dataclass(frozen=True)
class JobRow:
    """One job as stored; times in seconds since 1970, `done` of `total` in the job's own unit."""

    id: str
    owner: str
    task: str
    title: str
    args: Mapping[str, Any]
    state: JobState
    done: float | None
    total: float | None
    result: Any
    error: Mapping[str, Any] | None
    created: float
    started: float | None
    finished: float | None


class JobLog:
    """Adds, finds and changes job rows. Raises StoreFailed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, owner: str, task: str, args: Mapping[str, Any], title: str = "") -> JobRow:
        """A new row in state `queued`. An owner that nobody has is a StoreFailed with reason unknown_owner."""
        job_id = secrets.token_urlsafe(16)
        row = {"id": job_id, "owner": owner, "task": task, "title": title, "args": dict(args), "state": "queued"}
        with self._store.write() as connection:
            connection.execute(jobs.insert().values(**row, created=time.time()))
        return self.get(job_id, owner)

    def get(self, job_id: str, owner: str | None = None) -> JobRow:
        """One job; with `owner`, of that person only. Raises NotFound for another's, as for none."""
        query = select(jobs).where(jobs.c.id == job_id)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        with self._store.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"no job {job_id}", what="job", key=job_id)
        return JobRow(**row)

    def list(self, owner: str | None = None, states: tuple[JobState, ...] = JOB_STATES) -> tuple[JobRow, ...]:
        """Jobs in these states, oldest first; of everybody without `owner`, which is the queue's view only."""
        query = select(jobs).where(jobs.c.state.in_(states)).order_by(jobs.c.created)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        with self._store.read() as connection:
            return tuple(JobRow(**row) for row in connection.execute(query).mappings())

    def change(self, job_id: str, only_in: tuple[JobState, ...] = JOB_STATES, **values: Any) -> bool:
        """Write some columns; False where the job is gone or not in one of these states, so that two cannot both end
        it.
        """
        statement = update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(only_in)).values(**values)
        with self._store.write() as connection:
            return connection.execute(statement).rowcount == 1
