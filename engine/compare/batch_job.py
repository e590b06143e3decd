"""A batch as a job of the queue: what a page submits, what the child process does. Knows no interface."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.compare.batch import BatchRun, Role
from engine.compare.batch_file import BatchFile, new_file
from engine.compare.batch_plan import Batch
from engine.jobs import OPEN
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job, Lane
    from engine.person import Person

TASK = "engine.compare.batch_job:task"


def submit(
    engine: Engine, person: Person, batch: Batch, file: BatchFile | None = None, *, at_once: int | None = None,
    title: str = "",
) -> tuple[Job, BatchFile]:  # fmt: skip
    """The batch in the queue of heavy work, and the file that fills: read it for what is done so far.

    With the file of an earlier one only what is missing is asked. What waits for others' servers alone keeps nobody
    from the cores. Raises AccessDenied, UnknownModel, BadInput, BadGrammar at once.
    """
    keys = keys_for(engine, person, batch)
    run = BatchRun(engine, batch, owner=person.id, role=person.role, keys=keys, at_once=at_once, lent=person.lent)
    run.prepare()
    kept = file or new_file(engine.settings.home, person.id)
    kept.begin(batch)
    args = {"home": str(engine.settings.home), "path": str(kept.path), "owner": person.id, "role": person.role,
            "at_once": at_once}  # fmt: skip
    lane: Lane = "cores" if _local(engine, batch) else "network"
    said = title or f"batch {len(run.cells)}"
    return engine.jobs.submit(person.id, TASK, args, said, secrets={"keys": keys}, lane=lane), kept


def keys_for(engine: Engine, person: Person, batch: Batch) -> dict[str, str]:
    """The keys that the batch's models and embedders need in another process, by name: the person's own of this visit,
    else those that are known here, where the person may use them. Raises UnknownModel, NotFound.
    """
    from engine.rag.embedders import REMOTE, key_for

    found: dict[str, str | None] = {}
    for name in _models(batch):
        found[name] = engine.key_for(engine.catalog.card(name), person.spends or "", person.role)
    for one in batch.checks:
        if one.embedder and one.embedder.startswith(REMOTE):
            own = engine.visit_keys.of(person.spends or "", one.embedder)
            found[one.embedder] = own or (key_for(one.embedder, None, engine) if person.role == "teacher" else None)
    return {name: key for name, key in found.items() if key}


def open_job(engine: Engine, person: Person) -> Job | None:
    """The batch of this person that waits or runs."""
    return next((job for job in engine.jobs.list(person.id, OPEN) if job.task == TASK), None)


def task(
    home: str, path: str, owner: str, role: Role, at_once: int | None = None, keys: Mapping[str, str] | None = None
) -> Generator[Progress, None, dict[str, Any]]:
    """What the child process of the job queue does: the batch in that file. The result counts its cells, those that the
    budget had no room for, and what was spent.
    """
    from engine.engine import Engine
    from engine.settings import Settings

    file = BatchFile(Path(path))
    batch = file.read().batch
    with closing(Engine(Settings(home=Path(home)))) as engine:
        run = BatchRun(engine, batch, file, owner=owner, role=role, keys=keys, at_once=at_once)
        yield Progress(0, len(run.cells))
        for step in run:
            yield Progress(step.done, step.total)
    return {"path": path, "cells": len(run.results), "over": len(run.over), "spent": str(run.budget.spent)}


def _models(batch: Batch) -> tuple[str, ...]:
    judges = (one.model for one in batch.checks if one.kind == "judge" and one.model)
    return tuple(dict.fromkeys((*batch.models, *judges)))


def _local(engine: Engine, batch: Batch) -> bool:
    """Whether anything of it is done on this machine's cores."""
    from engine.rag.embedders import REMOTE

    embeds = any(one.kind == "similarity" and not (one.embedder or "").startswith(REMOTE) for one in batch.checks)
    return embeds or any(engine.catalog.card(name).endpoint is None for name in _models(batch))
