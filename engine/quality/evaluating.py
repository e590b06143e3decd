"""An evaluation from items to its result: a job for the likelihoods, questions to the model for its answers.

Any model can be asked; likelihoods need a local file. Knows no interface.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, get_args

from engine.comptine.runfile import card as model_card
from engine.errors import BadParameter, JobFailed, error_from
from engine.params import Params
from engine.quality.evaluations import Judged, by_answer, by_likelihood, details, question, summary
from engine.quality.likelihood import TASK
from engine.quality.questions import Item, items_of
from engine.quality.weights import served_file
from engine.tasks import Progress
from engine.types import Message

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model

Method = Literal["likelihood", "answer"]
METHODS: tuple[Method, ...] = get_args(Method)
POLL_S = 0.1
ANSWER_TOKENS = 32


def evaluate(
    engine: Engine, source: str, model: Model, *, methods: Sequence[Method] = METHODS, limit: int | None = None,
    max_tokens: int = ANSWER_TOKENS, owner: str = "local", here: bool = False,
) -> Iterator[Progress | dict[str, Any]]:  # fmt: skip
    """Progress in items and methods, last the result, ready for JSON: what `summary` and `details` give, the `card`,
    the ids `left_out` as longer than the window, and `items_sha256`, which two evaluations to be compared must share.

    Everything that was begun ends with this generator. `here`: likelihoods are measured in this process, which is a
    job's already, instead of in a job. Raises BadFile, BadParameter, NotSupported (a remote model has
    no likelihoods here), JobFailed, EngineError of the model.
    """
    _check(methods, limit)
    items = items_of(source)[:limit]
    judged: list[Judged] = [{} for _ in items]
    texts: list[str | None] = [None for _ in items]
    told: dict[str, Any] = {"model": model.card.id, "source": source, "methods": list(methods), "n": len(items)}
    total = len(items) * len(methods)
    if "likelihood" in methods:
        likelihoods = _here if here else _likelihoods
        found = yield from likelihoods(engine, source, model, limit, owner, total)
        told |= {"card": found["card"], "left_out": [one["id"] for one in found["items"] if one["pairs"] is None]}
        for marks, item, one in zip(judged, items, found["items"], strict=True):
            marks |= {} if one["pairs"] is None else by_likelihood(item, one["pairs"])
    if "answer" in methods:
        for number, item in enumerate(items):
            so_far = Progress(total - len(items) + number, total)
            texts[number] = text = yield from _answer(model, item, max_tokens, owner, so_far)
            judged[number] |= by_answer(item, text)
        told["answer_card"] = model_card(engine, model)
    yield Progress(total, total)
    yield {**told, "items_sha256": fingerprint(items), **summary(items, judged), "items": details(items, judged, texts)}


def _check(methods: Sequence[str], limit: int | None) -> None:
    if not methods or not set(methods) <= set(METHODS):
        details = {"name": "methods", "value": list(methods), "choices": list(METHODS), "low": None, "high": None}
        raise BadParameter(f"methods={methods!r}", **details)
    if limit is not None and limit < 1:
        raise BadParameter(f"limit={limit}", name="limit", value=limit, low=1, high=None)


def fingerprint(items: Sequence[Item]) -> str:
    """SHA-256 of everything that the items say."""
    return hashlib.sha256(json.dumps([asdict(item) for item in items]).encode()).hexdigest()


def _answer(model: Model, item: Item, max_tokens: int, owner: str, so_far: Progress) -> Generator[Progress, None, str]:
    """What the model writes: greedy, without history, behind all persons; it ends with this generator."""
    params = Params(temperature=0.0, seed=0, max_tokens=max_tokens)
    generation = model.stream([Message("user", question(item))], params, owner=owner, interactive=False)
    try:
        for _ in generation:
            yield so_far
    finally:
        generation.stop()
    if generation.result.error is not None:
        raise generation.result.error
    return generation.result.text


def _here(
    engine: Engine, source: str, model: Model, limit: int | None, _: str, total: int
) -> Generator[Progress, None, dict[str, Any]]:
    from engine.quality.likelihood import measure

    work = measure(str(served_file(engine, model.card.id)), source, limit, engine.settings.threads)
    while True:
        try:
            yield Progress(next(work).done, total)
        except StopIteration as end:
            found: dict[str, Any] = end.value
            return found


def _likelihoods(
    engine: Engine, source: str, model: Model, limit: int | None, owner: str, total: int
) -> Generator[Progress, None, dict[str, Any]]:
    path = served_file(engine, model.card.id)
    args = {"path": str(path), "source": source, "limit": limit, "threads": engine.settings.threads}
    job = engine.jobs.submit(owner, TASK, args, f"{model.card.id}: {source}")
    done = 0.0
    try:
        while job.state in ("queued", "running"):
            done = max(done, job.done or 0.0)
            yield Progress(done, total)
            time.sleep(POLL_S)
            job = engine.jobs.get(job.id, owner)
    finally:
        engine.jobs.cancel(job.id)
    if job.state != "done":
        raise error_from(job.error) if job.error else JobFailed("cancelled", job=job.id, reason="cancelled")
    result: Mapping[str, Any] = job.result
    return dict(result)
