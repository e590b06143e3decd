"""Which tokens of a text are predicted, and from which: the windows of llama-perplexity. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import BadInput, BadParameter

WINDOW = 512  # tokens; llama-perplexity's own, and a perplexity depends on it
SMALLEST = 16


@dataclass(frozen=True)
class Window:
    """Tokens `start` up to `end` of the text, read from nothing; predicted are those from number `counted` on."""

    start: int
    end: int
    counted: int

    @property
    def first_row(self) -> int:
        """Position in the window whose logits predict the first token that counts."""
        return self.counted - 1 - self.start

    def __len__(self) -> int:
        """Tokens that are read."""
        return self.end - self.start


def apart(tokens: int, size: int = WINDOW) -> tuple[Window, ...]:
    """The windows of a text of so many tokens, one after another: of each the second half counts but for its very first
    token, so that every prediction has at least size / 2 tokens before it. What is left at the end is not read.

    Raises BadParameter, BadInput where the text has less than two windows, as llama-perplexity refuses it.
    """
    _check(tokens, size)
    return tuple(Window(n * size, (n + 1) * size, n * size + size // 2 + 1) for n in range(tokens // size))


def strided(tokens: int, size: int, stride: int) -> tuple[Window, ...]:
    """The windows that advance by `stride`, of each the last `stride` tokens counted (`--ppl-stride`): every prediction
    has at least size - stride tokens before it, at size / stride times the work.

    Raises BadParameter, BadInput like `apart`.
    """
    _check(tokens, size)
    if not 1 <= stride < size:
        raise BadParameter(f"stride {stride}", name="stride", value=stride, low=1, high=size - 1)
    windows = -(-(tokens - size) // stride)
    return tuple(Window(n * stride, n * stride + size, (n - 1) * stride + size) for n in range(windows))


def overlapping(tokens: int, size: int) -> tuple[Window, ...]:
    """The windows in which every token but the first is predicted once, after at least size / 2 others where there are
    so many; the last window may be shorter. Empty for less than two tokens.
    """
    if size < SMALLEST:
        raise BadParameter(f"window {size}", name="window", value=size, low=SMALLEST, high=None)
    found, counted = [], 1
    while counted < tokens:
        start = max(0, counted - size // 2)
        found.append(Window(start, min(tokens, start + size), counted))
        counted = found[-1].end
    return tuple(found)


def groups(windows: Sequence[Window], at_once: int) -> tuple[tuple[Window, ...], ...]:
    """The windows in the order given, as many at once as one batch may hold."""
    return tuple(tuple(windows[begin : begin + at_once]) for begin in range(0, len(windows), at_once))


def _check(tokens: int, size: int) -> None:
    if size < SMALLEST:
        raise BadParameter(f"window {size}", name="window", value=size, low=SMALLEST, high=None)
    if tokens < 2 * size:
        text = f"the text has {tokens} tokens; windows of {size} need at least {2 * size}: take a smaller window"
        raise BadInput(text, reason="text_too_short", tokens=tokens, needed=2 * size)
