"""The marks in an answer that name passages: `[2]`, `[1, 3]`. Knows no passage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Citation:
    """One number in a mark: `start` and `end` are characters of the answer and hold the number alone or the whole mark
    where it has one number; `known` is False where no passage has it.
    """

    number: int
    start: int
    end: int
    known: bool
