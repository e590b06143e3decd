"""What a server of LM Studio or Ollama has in memory, in words, and what came of an order to it. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterable

from apps.ui.i18n import Words
from engine.connection import Served
from engine.far_jobs import TASKS
from engine.jobs import Job

Row = tuple[str, ...]
ORDERS = {task: order for order, task in TASKS.items()}


def served_head(words: Words) -> Row:
    """The titles of `served_rows`."""
    return tuple(words.t(f"models_far.{name}") for name in ("model", "loaded", "window", "size"))


def served_rows(found: Iterable[Served], words: Words) -> list[Row]:
    """One row a model: whether it is in memory, with which window, its size."""
    return [
        (one.id, words.t(f"models_far.{'yes' if one.loaded else 'no'}"), words.number(one.window),
         words.size(one.size_bytes))
        for one in found
    ]  # fmt: skip


def order_done(job: Job, words: Words) -> str | None:
    """What a server has done by order, in a sentence; None for another job, or one that did not end well."""
    if job.task not in ORDERS or job.state != "done":
        return None
    return words.t(f"models_far.done_{ORDERS[job.task]}", row=job.result["name"], model=job.result["model"])


def ordered_row(job: Job) -> str | None:
    """The endpoint that a job gave an order to; None for another job."""
    return str(job.args["row"]["id"]) if job.task in ORDERS else None
