"""A question that leans on the conversation made one that stands alone. Knows no store; the model is any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.engine import Model
    from engine.types import Message


@dataclass(frozen=True)
class Rewritten:
    """`query` is what is looked for; `asked` says whether a model was asked, `trace_id` where its prompt is."""

    question: str
    query: str
    asked: bool = False
    trace_id: str | None = None


def rewrite(model: Model, history: Sequence[Message], question: str, *, owner: str = "local") -> Rewritten:
    """The question made to stand alone; without history it stays as it is, unasked. Raises EngineError."""
    raise NotImplementedError
