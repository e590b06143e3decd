"""Which token a seed hits, as a dart on a segment; many darts against theory. Knows no model and no interface."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.sampling.chain import Stage
from engine.sampling.samplers import Ids, Logits

EXPECTED = 5  # cells of a χ² test that expect fewer are put together


@dataclass(frozen=True)
class Dart:
    """A hit: `token` owns [begin, end) of the segment [0, 1), and `u` lies there."""

    token: int
    begin: float
    end: float
    u: float


def dart(stage: Stage, u: float) -> Dart:
    """The token that u in [0, 1) hits where the tokens lie end to end in `stage.order`, each as long as its p."""
    ends = np.cumsum(stage.probabilities[stage.order])
    place = int(_hits(ends, np.asarray([u]))[0])
    begin = float(ends[place - 1]) if place else 0.0
    return Dart(int(stage.order[place]), begin, float(ends[place]), u)


def u_of(seed: int, step: int = 0) -> float:
    """The number in [0, 1) that llama.cpp draws with that seed for the token of index `step` of an answer.

    Mersenne Twister (MT19937), two 32-bit words a token, as libstdc++ makes a double of them: (first + second·2^32) /
    2^64. The generator goes on through the answer, so that a step depends on the seed and its place alone.
    """
    low, high = _words(seed, 2 * (step + 1))[-2:]
    return _unit(low, high)


def xtc_draw(seed: int, step: int = 0) -> float:
    """The number in [0, 1) with which XTC decides at the token of index `step`: its own generator, one word a token."""
    return min(float(np.float32(_words(seed, step + 1)[-1]) / np.float32(2**32)), float(np.nextafter(np.float32(1), 0)))


def draws(stage: Stage, n: int, seed: int) -> Ids:
    """How often each token of the vocabulary is hit by n darts, u_of(seed, 0) to u_of(seed, n - 1)."""
    words = _words(seed, 2 * n).astype(np.float64)
    ends = np.cumsum(stage.probabilities[stage.order])
    hits = stage.order[_hits(ends, (words[0::2] + words[1::2] * 2.0**32) / 2.0**64)]
    return np.bincount(hits, minlength=len(stage.probabilities))


def chi_square(counts: Ids, probabilities: Logits) -> tuple[float, int, float]:
    """(χ², degrees of freedom, p-value) of counts against probabilities, both of shape (vocabulary,).

    The p-value is how often chance alone is at least as far away. Tokens of which fewer than 5 are expected are one
    cell together; with one cell only there is nothing to test: (0, 0, 1).
    """
    expected = probabilities * counts.sum()
    large = expected >= EXPECTED
    seen, awaited = counts[large].astype(np.float64), expected[large]
    rest = float(expected[~large].sum())
    if rest > 0:
        seen, awaited = np.append(seen, counts[~large].sum()), np.append(awaited, rest)
    if len(seen) < 2:
        return 0.0, 0, 1.0
    statistic = float(((seen - awaited) ** 2 / awaited).sum())
    return statistic, len(seen) - 1, _upper_gamma((len(seen) - 1) / 2, statistic / 2)


def _words(seed: int, count: int) -> NDArray[np.uint32]:
    return np.random.RandomState(seed).randint(0, 2**32, size=count, dtype=np.uint32)


def _unit(low: np.uint32, high: np.uint32) -> float:
    return min((float(low) + float(high) * 2.0**32) / 2.0**64, math.nextafter(1, 0))


def _hits(ends: Logits, u: Logits) -> Ids:
    """Places of the first ends that reach u; the last token with a length takes what rounding leaves over."""
    last = int(np.searchsorted(ends, ends[-1], side="left"))
    first = int(np.searchsorted(ends, 0.0, side="right"))
    places = np.searchsorted(ends, u * ends[-1], side="left")
    return np.asarray(places.clip(first, last), dtype=np.int64)


def _upper_gamma(a: float, x: float) -> float:
    """Q(a, x) = Γ(a, x) / Γ(a): by its series below a + 1, by its continued fraction above (Abramowitz-Stegun 6.5)."""
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        return 1 - scale * _series(a, x)
    return scale * _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    n = a
    while term > total * 1e-16:
        n += 1
        term *= x / n
        total += term
    return total


def _fraction(a: float, x: float) -> float:
    """1/(x+1-a- 1·(1-a)/(x+3-a- 2·(2-a)/(x+5-a- …))), by Lentz's method."""
    b = x + 1 - a
    c, d = 1e300, 1 / b
    value = d
    for i in range(1, 10_000):
        b += 2
        step = -i * (i - a)
        d = 1 / (step * d + b)
        c = b + step / c
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
