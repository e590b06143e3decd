"""A run file repeated as a job of the queue, so that a class of replays never runs beside the class's answers."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.comptine.cell import Cell
from engine.comptine.runfile import FORMAT, replay
from engine.comptine.strictly import followed
from engine.errors import BadInput
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.person import Person

TASK = "engine.comptine.replaying:task"
MAX_THREADS, MAX_BATCH = 256, 4096


def replayed(engine: Engine, data: Mapping[str, Any], person: Person) -> Iterator[Progress | dict[str, Any]]:
    """Progress while it waits and runs, then `same`, `differences`, `answer` and `before`.

    The job is cancelled with this iterator. Raises BadInput for what is no run file, AccessDenied and UnknownModel for
    its model, and what the replay raises.
    """
    _check(engine, data, person)
    job = engine.jobs.submit(person.id, TASK, {"data": dict(data)}, "comptine replay")
    with closing(followed(engine, job)) as jobs:
        for job in jobs:
            yield job.result if job.state == "done" else Progress(job.done or 0, job.total)


def _check(engine: Engine, data: Mapping[str, Any], person: Person) -> None:
    """A file may say anything: its model must be one that this person may use, its threads a number of threads."""
    card = data.get("card")
    if data.get("format") != FORMAT or not isinstance(card, Mapping):
        raise BadInput("not a run file of the rhyme", format=FORMAT)
    cell = Cell.from_dict(data.get("cell") or {})
    for name, high in (("threads", MAX_THREADS), ("batch", MAX_BATCH)):
        value = card.get(name)
        if value is not None and not (isinstance(value, int) and 1 <= value <= high):
            raise BadInput(f"{name} is 1 to {high}", name=name, value=str(value)[:50])
    named = cell.model or card.get("model")
    engine.model(named if isinstance(named, str) else None, role=person.role, owner=person.id)


def task(data: dict[str, Any]) -> Generator[Progress, None, dict[str, Any]]:
    """What the child process does."""
    yield Progress(0, 1)
    found = replay(data)
    return {"same": found.same, "differences": list(found.differences), "answer": found.result.answer,
            "before": found.before.answer}  # fmt: skip
