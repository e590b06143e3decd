"""Where a window ends for a question: the last rhyme whose prompt is taken, and the last whose answer still fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from engine.comptine.cell import Cell
from engine.comptine.overflow import Bisection, last_answer, last_prompt
from engine.comptine.rhyme import MAX_VERSES
from engine.comptine.running import Prepared, prepare
from engine.errors import NotSupported

if TYPE_CHECKING:
    from engine.model import Model


def ends(model: Model, cell: Cell) -> Mapping[str, Bisection]:
    """Two bisections over the number of verses of `cell`: `prompt` (taken) and `answer` (prompt and ideal answer fit).

    Begins at the last verse that is asked for. Raises NotSupported where only the server counts.
    """

    @cache
    def counted(verses: int) -> Prepared:
        return prepare(model, replace(cell, verses=verses, policy="refuse"))

    window = counted(cell.last).window
    if window is None:
        raise NotSupported(f"{model.card.id}: tokens unseen", capability="exact_count", backend=model.card.backend)
    low = max(cell.last, 1)

    def tokens(verses: int) -> int:
        return counted(verses).total or 0

    def needed(verses: int) -> int:
        return counted(verses).needed or 0

    return {
        "prompt": last_prompt(tokens, window, low=low, high=MAX_VERSES),
        "answer": last_answer(tokens, needed, window, low=low, high=MAX_VERSES),
    }
