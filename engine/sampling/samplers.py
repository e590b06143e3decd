"""What every sampler does to the logits: pure functions on one array. Knows no model, no order and no chance.

Everywhere `logits` is a float64 array of shape (vocabulary,), in nats up to a common constant; -inf means eliminated.
Every function returns a new array of the same shape, or the same one where it has nothing to do. The formulas are
llama.cpp's (src/llama-sampler.cpp), computed in float64; equal logits are ranked by their id. There, sums are float32:
over a whole flat vocabulary they are off by up to 1e-4, which at a top-p border is a token or a few.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadParameter

Logits: TypeAlias = NDArray[np.float64]
Ids: TypeAlias = NDArray[np.int64]


def softmax(logits: Logits) -> Logits:
    """Probabilities, 0 for the eliminated; their sum is 1, or 0 where nothing is left."""
    top = logits.max(initial=-np.inf)
    if top == -np.inf:
        return np.zeros_like(logits)
    weights = np.exp(logits - top)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def entropy(probabilities: Logits) -> float:
    """-Σ p ln p in nats, 0 ≤ H ≤ ln(vocabulary); 0 ln 0 counts as 0."""
    some = probabilities[probabilities > 0]
    return max(0.0, float(-(some * np.log(some)).sum()))  # never -0.0


def alive(logits: Logits) -> Ids:
    """Ids of those that are not eliminated, in the vocabulary's order."""
    return np.flatnonzero(logits > -np.inf)


def ranking(logits: Logits, most: int | None = None) -> Ids:
    """Ids of those that are not eliminated, most probable first, equal ones by id; the first `most` of them."""
    left = alive(logits)
    if most is not None and 0 < most < len(left):
        left = left[logits[left] >= np.partition(logits[left], -most)[-most]]
    return left[np.argsort(-logits[left], kind="stable")][:most]


def kept(logits: Logits, ids: Ids) -> Logits:
    """The logits of these ids; everybody else eliminated."""
    left = np.full_like(logits, -np.inf)
    left[ids] = logits[ids]
    return left


def apply_temperature(logits: Logits, temperature: float) -> Logits:
    """l / T. T < 1 sharpens, T > 1 flattens; at T ≤ 0 only the most probable one is left (greedy)."""
    if temperature <= 0:
        return kept(logits, ranking(logits, 1))
    return logits if temperature == 1 else logits / temperature


def apply_dynamic_temperature(
    logits: Logits, temperature: float, spread: float, exponent: float, candidates: int | None = None
) -> Logits:
    """l / T with T = low + (high - low) · (H / ln n)^exponent; low and high are temperature ∓ spread, ≥ 0.

    A sure model (low entropy H) is sharpened, an unsure one flattened. `n` is how many are left, or `candidates`:
    llama.cpp counts those whose logit is -inf too. Entropy sampling, kalomaze 2024; a fixed temperature at spread ≤ 0.
    """
    if spread <= 0:
        return apply_temperature(logits, temperature)
    count = len(alive(logits)) if candidates is None else candidates
    if count <= 1:
        return logits
    low, high = max(0.0, temperature - spread), temperature + spread
    unsure = entropy(softmax(logits)) / math.log(count)
    return apply_temperature(logits, low + (high - low) * unsure**exponent)


def apply_top_k(logits: Logits, k: int) -> Logits:
    """The k largest logits; everything at k ≤ 0. Fan et al. 2018 (arXiv 1805.04833)."""
    return logits if k <= 0 else kept(logits, ranking(logits, k))


def apply_top_p(logits: Logits, p: float, min_keep: int = 0) -> Logits:
    """The shortest run of most probable ones whose sum is at least p, and no fewer than `min_keep`.

    The one that crosses p is kept; everything at p = 1. Nucleus sampling, Holtzman et al. 2020 (arXiv 1904.09751).
    Raises BadParameter outside [0, 1].
    """
    _share("top_p", p)
    if p >= 1:
        return logits
    order = ranking(logits)
    sums = np.cumsum(softmax(logits)[order])
    count = int(np.searchsorted(sums, p, side="left")) + 1
    return kept(logits, order[: max(count, min_keep)])


def apply_min_p(logits: Logits, p: float, min_keep: int = 0) -> Logits:
    """Those with l ≥ max l + ln p, that is with a probability of at least p times the best one's.

    No fewer than `min_keep`; everything at p = 0. Nguyen et al. 2024 (arXiv 2407.01082). Raises BadParameter outside
    [0, 1].
    """
    _share("min_p", p)
    if p <= 0 or not len(alive(logits)):
        return logits
    enough = np.flatnonzero(logits >= logits.max() + math.log(p))
    return kept(logits, enough if len(enough) >= min_keep else ranking(logits, min_keep))


def apply_typical(logits: Logits, p: float, min_keep: int = 0) -> Logits:
    """Those whose surprise -ln p is nearest to the entropy, until their sum is above p (at least `min_keep` of them).

    May eliminate the most probable one. Everything at p = 1. Locally typical sampling, Meister et al. 2022
    (arXiv 2202.00666). Raises BadParameter outside [0, 1].
    """
    _share("typical_p", p)
    if p >= 1:
        return logits
    order = typical_order(logits)
    sums = np.cumsum(softmax(logits)[order])
    count = int(np.searchsorted(sums, p, side="right")) + 1
    return kept(logits, order[: max(count, min_keep)])


def typical_order(logits: Logits) -> Ids:
    """Ids of those that are left, the most typical first: by |-ln p - H|, then by probability."""
    order = ranking(logits)
    probabilities = softmax(logits)
    order = order[probabilities[order] > 0]  # too improbable for a float: llama.cpp computes NaN with them
    distance = np.abs(-np.log(probabilities[order]) - entropy(probabilities))
    return order[np.argsort(distance, kind="stable")]


def apply_top_n_sigma(logits: Logits, n: float) -> Logits:
    """Those with l ≥ max l - n·σ, σ the standard deviation of all logits that are left; everything at n ≤ 0.

    Tang et al. 2024 (arXiv 2411.07641).
    """
    left = logits[alive(logits)]
    if n <= 0 or len(left) <= 1:
        return logits
    return kept(logits, np.flatnonzero(logits >= left.max() - n * left.std()))


def apply_xtc(logits: Logits, probability: float, threshold: float, draw: float, min_keep: int = 0) -> Logits:
    """Without the most probable ones: of those with p ≥ threshold only the least probable is kept.

    Happens where draw ≤ probability, `draw` being a number in [0, 1); with fewer than two above the threshold, or a
    threshold above 0.5, nothing does. Exclude top choices, p-e-w 2024. Raises BadParameter outside [0, 1].
    """
    _share("xtc_probability", probability)
    _share("xtc_threshold", threshold)
    order = ranking(logits)
    if probability <= 0 or threshold > 0.5 or draw > probability or len(order) < 2:
        return logits
    out = max(0, int((softmax(logits) >= threshold).sum()) - 1)
    return kept(logits, order[out:]) if len(order) - out >= min_keep else logits


def apply_mask(logits: Logits, allowed: NDArray[np.bool_]) -> Logits:
    """Only where `allowed`, an array of shape (vocabulary,), is true: what a grammar does. Raises BadParameter."""
    if allowed.shape != logits.shape:
        raise BadParameter(
            f"a mask of {allowed.size} for {logits.size} logits",
            name="allowed", value=str(allowed.size), low=logits.size, high=logits.size,
        )  # fmt: skip
    return np.where(allowed, logits, -np.inf)


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:  # NaN is not inside either
        raise BadParameter(
            f"{name} takes a number from 0 to 1, not {value}", name=name, value=str(value), low=0, high=1
        )
