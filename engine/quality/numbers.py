"""What rows of logits say of the tokens that follow: surprise in nats, divergence. Pure; knows no model and no text.

float32 like llama-perplexity, with sums in float64; a few rows at a time, so that they stay in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Values = NDArray[np.float64]

AT_ONCE = 16  # rows; 3 MB of a vocabulary of 49,152
LEAST = -16.0  # llama-perplexity leaves out what the base gives a probability of less than e^-16
FEW = 10  # values, up to which llama-perplexity gives no uncertainty


def surprises(logits: Rows, following: Sequence[int], threads: int = 1) -> Values:
    """-ln p in nats of the token after each row; logits (rows, V), one id a row.

    p = softmax(logits); infinite where p is 0.
    """
    found, ids = np.empty(len(logits)), np.asarray(following, dtype=np.intp)

    def work(part: slice) -> None:
        rows = logits[part]
        found[part] = _log_total(rows) - rows[np.arange(len(rows)), ids[part]]

    _in_parts(work, len(logits), threads)
    return found


@dataclass(frozen=True)
class Compared:
    """Two models after the same tokens, one value a row: Kullback-Leibler divergence of the other from the base in
    nats, surprise of the following token by each in nats, and whether both think the same token the likeliest.
    """

    kld: Values
    base: Values
    other: Values
    same_top: NDArray[np.bool_]


def compared(base: Rows, other: Rows, following: Sequence[int], threads: int = 1) -> Compared:
    """KLD = Σ p_base (ln p_base − ln p_other), over the tokens with ln p_base > −16; logits (rows, V) each.

    0 for equal logits. Never below 0 but for what is left out and the rounding, about 1e-6.
    """
    ids = np.asarray(following, dtype=np.intp)
    kld, first, second = np.empty((3, len(base)))
    found = Compared(kld, first, second, np.empty(len(base), dtype=bool))

    def work(part: slice) -> None:
        rows, others, numbers = base[part], other[part], np.arange(len(ids[part]))
        total, other_total = _log_total(rows), _log_total(others)
        found.base[part] = total - rows[numbers, ids[part]]
        found.other[part] = other_total - others[numbers, ids[part]]
        found.kld[part] = _divergence(rows - _column(total), others - _column(other_total))
        found.same_top[part] = rows.argmax(axis=1) == others.argmax(axis=1)

    _in_parts(work, len(base), threads)
    return found


def _in_parts(work: Callable[[slice], None], rows: int, threads: int) -> None:
    """Do that work on a few rows at a time; numpy lets several threads at it."""
    parts = [slice(begin, begin + AT_ONCE) for begin in range(0, rows, AT_ONCE)]
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, parts):
            pass


def _divergence(base: Rows, other: Rows) -> Values:
    """Of each row of logarithms of probabilities."""
    share = np.where(base > LEAST, np.exp(base), np.float32(0))
    with np.errstate(invalid="ignore"):  # a token that both rule out: 0 · (−inf + inf)
        parts = np.where(share > 0, share * (base - other), np.float32(0))
    total: Values = parts.sum(axis=1, dtype=np.float64)
    return total


def _column(values: Values) -> Rows:
    return values[:, None].astype(np.float32)


def _log_total(rows: Rows) -> Values:
    """ln Σ e^logit of each row."""
    top = rows.max(axis=1)
    held = rows - top[:, None]
    np.exp(held, out=held)
    total: Values = top + np.log(held.sum(axis=1, dtype=np.float64))
    return total


@dataclass(frozen=True)
class Mean:
    """A mean and its standard error."""

    value: float
    error: float


def mean(values: Values) -> Mean:
    """E[x] with √((E[x²] − E[x]²) / (n − 1)), as llama-perplexity gives them; error 0 for up to 10 values."""
    value = float(values.mean())
    spread = float(((values - value) ** 2).mean())  # the same number, without the difference of two large ones
    return Mean(value, math.sqrt(spread / (len(values) - 1)) if len(values) > FEW else 0.0)


def covariance(first: Values, second: Values) -> float:
    """Of the two means: (E[xy] − E[x]E[y]) / (n − 1), 0 for less than 10 values."""
    if len(first) < FEW:
        return 0.0
    return float(((first - first.mean()) * (second - second.mean())).mean()) / (len(first) - 1)


def bits_per_byte(nats: float, size: int) -> float:
    """The surprise of a text of `size` bytes in bits a byte: Σ −ln p / (ln 2 · bytes).

    The one number that may be compared across tokenizers: how the bytes are cut into tokens is not in it.
    """
    return nats / (math.log(2) * size)
