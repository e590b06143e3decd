"""Intervals and comparisons whose unit is the prompt (the seed), never its parts. Knows no model and no experiment.

The parts of one answer hang together (one slip ruins the rest), so means are resampled over seeds; what is yes or no
per prompt gets Wilson's interval. Greedy answers have no chance in them: seeds vary the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from engine.errors import BadInput

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A share or a mean, `low` and `high` of its interval, and the number of prompts behind it."""

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The four numbers, ready for JSON."""
        return asdict(self)


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of `successes` in `n` prompts. Raises BadInput where there are none.

    30 of 30 gives [0.886, 1.0] where the usual formula would claim certainty.
    """
    if not 0 <= successes <= n or n < 1:
        raise BadInput(f"{successes} successes in {n} trials", successes=successes, n=n)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, square = successes / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / n + square / (4 * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Interval(share, 0.0 if successes == 0 else low, 1.0 if successes == n else high, n)


def bootstrap(values: Sequence[float], *, draws: int = DRAWS, level: float = LEVEL, seed: int = 0) -> Interval:
    """The mean of one value per prompt with the percentile interval of `draws` resamples (at least 2000).

    The same values and `seed` give the same interval. One value alone gives an interval without width, which `n` tells.
    Raises BadInput where there is none.
    """
    if not values:
        raise BadInput("nothing to take a mean of", n=0)
    data = np.asarray(values, dtype=float)
    means = _resampled(data, max(DRAWS, draws), seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(data.mean()), float(low), float(high), len(values))


def _resampled(data: np.ndarray[Any, np.dtype[np.float64]], draws: int, seed: int) -> Any:
    chosen = np.random.default_rng(seed).integers(0, len(data), size=(draws, len(data)))
    return data[chosen].mean(axis=1)


def by_seed(pairs: Iterable[tuple[int, float]]) -> dict[int, float]:
    """One value per seed: the mean of those that share it, so that a prompt run twice counts once."""
    found: dict[int, list[float]] = {}
    for seed, value in pairs:
        found.setdefault(seed, []).append(value)
    return {seed: sum(values) / len(values) for seed, values in sorted(found.items())}


@dataclass(frozen=True)
class Paired:
    """Two settings on the same seeds: the mean difference first − second with its interval, and who won how often.

    `clear` says that the interval leaves out zero.
    """

    difference: Interval
    wins: int
    losses: int
    ties: int

    @property
    def clear(self) -> bool:
        """Whether zero lies outside the interval."""
        return not self.difference.low <= 0 <= self.difference.high

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {**asdict(self), "clear": self.clear}


def paired(first: Mapping[int, float], second: Mapping[int, float], *, seed: int = 0) -> Paired:
    """The comparison over the seeds that both have. Raises BadInput where they share none."""
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise BadInput("the two have no seed in common", n=0)
    differences = [first[key] - second[key] for key in shared]
    wins, losses = sum(value > 0 for value in differences), sum(value < 0 for value in differences)
    return Paired(bootstrap(differences, seed=seed), wins, losses, len(shared) - wins - losses)
