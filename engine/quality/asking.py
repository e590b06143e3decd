"""Measurements as people ask for them on a page: who may have what, how much of it, and the job that does it.

Measures nothing and knows no interface. The command line asks `engine.quality.measuring` without these bounds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.errors import AccessDenied, BadInput, BadParameter
from engine.jobs import OPEN
from engine.quality import examining, measuring, texts
from engine.quality.evaluating import METHODS, Method
from engine.quality.quantizations import KINDS
from engine.quality.questions import OWN, read_items
from engine.quality.results import Kept, Kind, Results, stamp
from engine.quality.speed import Plan
from engine.quality.weights import served_file
from engine.quality.windows import WINDOW

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job
    from engine.person import Person
    from engine.settings import Settings

TEXT_MAX = 500_000  # characters; some minutes of reading for a small model
COST_MAX = 200_000  # of a speed measurement, in the time of a read token
ITEMS_MAX = 200  # questions
SHOWN: tuple[Kind, ...] = ("perplexity", "quantizations", "speed", "evaluation")


def ask_text(engine: Engine, person: Person, text: str, model: str | None = None, window: int = WINDOW) -> Job:
    """A job whose result is that of `texts.measure`. Raises BadInput for no text or too long a one, AccessDenied,
    UnknownModel, NotSupported for a model that is not local.
    """
    path = served_file(engine, engine.model(model, role=person.role, owner=person.id).card.id)
    args = {"path": str(path), "text": _checked(text), "window": window, "threads": engine.settings.threads}
    return engine.jobs.submit(person.id, texts.TASK, args, f"{path.stem} · {' '.join(text.split())[:40]}")


def ask_quantizations(
    engine: Engine, person: Person, text: str, kinds: Sequence[str] = KINDS, model: str | None = None,
    window: int = WINDOW,
) -> Job:  # fmt: skip
    """`measuring.submit_quantizations` for a teacher: what it makes are models of everybody's. Raises AccessDenied for
    a student, BadInput, BadParameter.
    """
    if person.role != "teacher":
        raise AccessDenied("to quantize a model is the teacher's", role="teacher")
    chosen = tuple(dict.fromkeys(kinds))
    return measuring.submit_quantizations(engine, person.id, _checked(text), chosen, model, window=window)


def ask_speed(engine: Engine, person: Person, plan: Mapping[str, Any], model: str | None = None) -> Job:
    """`measuring.submit_speed`, with the settings' own threads unless the plan says others. Raises BadParameter above
    COST_MAX, AccessDenied, UnknownModel, NotSupported.
    """
    engine.model(model, role=person.role, owner=person.id)
    chosen = Plan.from_dict({"threads": [engine.settings.threads], **plan})
    cost = sum(case.n_depth + (chosen.repetitions + 1) * case.cost for case in chosen.cases())
    if cost > COST_MAX:
        raise BadParameter(f"a plan of {cost} tokens", name="plan", value=cost, low=1, high=COST_MAX)
    return measuring.submit_speed(engine, person.id, chosen, model)


def ask_questions(
    engine: Engine, person: Person, source: str | bytes, model: str | None = None, methods: Sequence[Method] = (), *,
    name: str = "", limit: int | None = None,
) -> Job:  # fmt: skip
    """A job whose result is that of `evaluate`: our own items (`fr`, `en`) or those of a JSONL file's bytes, called
    `name`; by every method that the model has where none is given. Raises BadFile, BadInput, AccessDenied,
    UnknownModel, NotSupported for the likelihoods of a model that is not local.
    """
    card = engine.model(model, role=person.role, owner=person.id).card
    chosen = list(methods) or (list(METHODS) if card.backend == "llamacpp" else ["answer"])
    if "likelihood" in chosen:
        served_file(engine, card.id)
    if isinstance(source, str) and source not in OWN:
        raise BadInput("the items are ours (fr, en) or a file's", name="source", value=source[:100])
    label = source if isinstance(source, str) else name or "JSONL"
    place = source if isinstance(source, str) else _kept_file(engine.settings, label, source)
    args: dict[str, Any] = {"home": str(engine.settings.home), "source": place, "name": label, "model": card.id}
    args |= {"methods": chosen, "limit": min(limit or ITEMS_MAX, ITEMS_MAX), "owner": person.id, "role": person.role}
    secrets = {"key": engine.key_for(card, person.id, person.role)}
    return engine.jobs.submit(person.id, examining.TASK, args, f"{card.id} · {label}", secrets=secrets)


def open_job(engine: Engine, person: Person) -> Job | None:
    """The measurement of this person that waits or runs."""
    jobs = engine.jobs.list(person.id, OPEN)
    return next((job for job in jobs if job.task in measuring.TASKS), None)


def keep_all(engine: Engine, person: Person) -> None:
    """Keep what ended well while nobody looked. Raises StoreFailed."""
    newest = max((one.created for one in Results(engine.library, person.id).list(*SHOWN)), default="")
    for job in engine.jobs.list(person.id, ("done",)):
        if job.finished is not None and stamp(job.finished) > newest:
            measuring.keep(engine, job)


def kept(engine: Engine, person: Person, kind: Kind) -> dict[str, tuple[str, Kept]]:
    """What is kept of that kind by name, newest first, each with whose it is: one's own, and the tables of
    quantizations that teachers have made, which hold no text.
    """
    owners = [person.id]
    if kind == "quantizations" and person.role == "student":
        owners += [one.id for one in engine.people.all() if one.role == "teacher"]
    found = [(owner, one) for owner in owners for one in Results(engine.library, owner).list(kind)]
    return {one.name: (owner, one) for owner, one in sorted(found, key=lambda pair: pair[1].created, reverse=True)}


def result(engine: Engine, person: Person, kind: Kind, name: str) -> dict[str, Any]:
    """One of `kept`. Raises NotFound, for another's too."""
    owner, _ = kept(engine, person, kind).get(name, (person.id, None))
    return Results(engine.library, owner).get(kind, name)


def _checked(text: str) -> str:
    if not text.strip():
        raise BadInput("no text to measure", reason="nothing_to_measure")
    if len(text) > TEXT_MAX:
        raise BadInput(f"a text of {len(text)} characters", reason="measure_too_long", length=len(text), high=TEXT_MAX)
    return text


def _kept_file(settings: Settings, name: str, data: bytes) -> str:
    """A file of the data folder with uploaded items, for the job to read. Raises BadFile for what are none."""
    read_items(name, data)
    path = settings.home / "questions" / f"{hashlib.sha256(data).hexdigest()[:32]}.jsonl"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)
