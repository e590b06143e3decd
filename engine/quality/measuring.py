"""Measurements as a person's jobs: submitted, followed and cancelled in `engine.jobs`, and kept when they are done.

Measures nothing itself. Models are ids of the catalogue here, never paths: interfaces hand on what people choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput, BadParameter
from engine.quality import divergence, examining, perplexity, quantizations, stopwatch, texts
from engine.quality.results import Kept, Kind, Results
from engine.quality.speed import Plan
from engine.quality.weights import served_file, shipped_file
from engine.quality.windows import WINDOW

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job

TASKS: Mapping[str, Kind] = {
    perplexity.TASK: "perplexity",
    divergence.TASK: "divergence",
    stopwatch.TASK: "speed",
    quantizations.TASK: "quantizations",
    texts.TASK: "perplexity",
    examining.TASK: "evaluation",
}
TEXT_MAX = 2_000_000  # characters: about an hour of a small model on a CPU


def submit_perplexity(
    engine: Engine, owner: str, text: str, model: str | None = None, *, window: int = WINDOW, stride: int | None = None
) -> Job:
    """A job whose result is a Perplexity as a dict. Raises UnknownModel, NotSupported, ModelFileCorrupt, BadInput."""
    path = served_file(engine, _id(engine, model))
    args = {"path": str(path), "text": _checked(text), "window": window, "stride": stride}
    return _submit(engine, owner, perplexity.TASK, args, path.stem)


def submit_divergence(engine: Engine, owner: str, text: str, base: str, model: str, *, window: int = WINDOW) -> Job:
    """A job whose result is the Divergence of `model` from `base`, as a dict. Raises as `submit_perplexity`."""
    first, second = (served_file(engine, _id(engine, name)) for name in (base, model))
    args = {"base": str(first), "other": str(second), "text": _checked(text), "window": window}
    return _submit(engine, owner, divergence.TASK, args, f"{second.stem} / {first.stem}")


def submit_speed(engine: Engine, owner: str, plan: Plan, model: str | None = None) -> Job:
    """A job whose result is a `card` and `rows` with llama-bench's keys. Raises as `submit_perplexity`."""
    path = served_file(engine, _id(engine, model))
    return engine.jobs.submit(owner, stopwatch.TASK, {"path": str(path), "plan": plan.to_dict()}, path.stem)


def submit_quantizations(
    engine: Engine, owner: str, text: str, kinds: Sequence[str] = quantizations.KINDS, model: str | None = None, *,
    window: int = WINDOW,
) -> Job:  # fmt: skip
    """A job whose result is the table of quantizations; the files it makes are models of everybody on this machine.

    Raises as `submit_perplexity`, and BadParameter for an unknown kind or none.
    """
    if not kinds:
        raise BadParameter("no kind", name="kinds", value=None, choices=list(quantizations.KINDS), low=None, high=None)
    source = shipped_file(engine, _id(engine, model))
    targets = {kind: quantizations.target_file(engine.settings, source, kind) for kind in kinds}
    args = {"source": str(source), "targets": {kind: str(path) for kind, path in targets.items()},
            "text": _checked(text), "window": window}  # fmt: skip
    left = quantizations.scratch(tuple(targets.values()))
    return _submit(engine, owner, quantizations.TASK, args, source.stem, left)


def keep(engine: Engine, job: Job) -> Kept | None:
    """The result of a measuring job that is done, kept among its owner's, once however often it is asked for; None
    where there is nothing to keep.
    """
    kind = TASKS.get(job.task)
    if kind is None or job.state != "done":
        return None
    return Results(engine.library, job.owner).keep(kind, job.title, job.result, at=job.finished)


def _submit(engine: Engine, owner: str, task: str, args: Mapping[str, Any], title: str, scratch: Any = ()) -> Job:
    return engine.jobs.submit(owner, task, {**args, "threads": engine.settings.threads}, title, scratch)


def _id(engine: Engine, model: str | None) -> str:
    """The model's id. Raises UnknownModel, for a path too."""
    return engine.catalog.card(model or engine.settings.model).id


def _checked(text: str) -> str:
    if len(text) > TEXT_MAX:
        raise BadInput(
            f"a text of {len(text)} characters, at most {TEXT_MAX}", what="text", size=len(text), limit=TEXT_MAX
        )
    return text
