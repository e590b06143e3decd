"""Rerankers: a score for a question and a passage read together. Knows no store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.engine import Engine


class Reranker(Protocol):
    """Reads question and text together: slower than an embedder and finer."""

    name: str

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score per text, higher is better; the scale is the reranker's own. Raises EngineError."""
        ...


def reranker(name: str, engine: Engine) -> Reranker:
    """The reranker of that name: `gguf:<model id or file>`. Raises NotFound, LoadFailed."""
    raise NotImplementedError
