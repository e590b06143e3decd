"""Several rankings made one: weighted scores, reciprocal ranks, and variety (MMR). Pure; knows no store and no model.

Ties keep the order of the keys, so that the same search gives the same list on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

RRF_K = 60  # Cormack, Clarke and Büttcher, SIGIR 2009


def ranked(scores: Mapping[str, float]) -> list[str]:
    """The keys, best score first; equal scores in the order of the keys."""
    return sorted(scores, key=lambda key: (-scores[key], key))


def ranks(scores: Mapping[str, float]) -> dict[str, int]:
    """The rank of each key, from 1, best score first."""
    return {key: place for place, key in enumerate(ranked(scores), 1)}


def normalised(scores: Mapping[str, float], floor: float | None = None) -> dict[str, float]:
    """The scores between 0 (`floor`; None: the lowest) and 1 (the highest); 1 for all where they are equal."""
    if not scores:
        return {}
    low, high = min(scores.values()) if floor is None else floor, max(scores.values())
    if high <= low:
        return dict.fromkeys(scores, 1.0)
    return {key: min(1.0, max(0.0, (score - low) / (high - low))) for key, score in scores.items()}


def weighted(vector: Mapping[str, float], text: Mapping[str, float], weight: float) -> dict[str, float]:
    """`weight` of the normalised vector score and the rest of the normalised text score, 0 to 1, for all keys of both.

    Cosines count from the lowest candidate's up, since embedders use a small part of their scale; BM25 counts from its
    own zero. A key that one arm did not find has 0 there.
    """
    near, words = normalised(vector), normalised(text, floor=0.0)
    return {key: weight * near.get(key, 0.0) + (1 - weight) * words.get(key, 0.0) for key in _keys((vector, text))}


def rrf(arms: Sequence[Mapping[str, float]], k: int = RRF_K) -> dict[str, float]:
    """Sum over the arms of 1 / (k + rank) for all keys that any arm found."""
    places = [ranks(arm) for arm in arms]
    return {key: sum(1 / (k + place[key]) for place in places if key in place) for key in _keys(arms)}


def _keys(arms: Iterable[Mapping[str, float]]) -> list[str]:
    return sorted({key for arm in arms for key in arm})


def mmr(relevance: Sequence[float], vectors: NDArray[np.float32], share: float, k: int) -> list[int]:
    """Up to `k` positions: each time the best of share · relevance − (1 − share) · likeness to what is already chosen.

    `relevance` is on a scale from 0 to 1 and `vectors` are unit rows. Carbonell and Goldstein, SIGIR 1998.
    """
    left, chosen = list(range(len(relevance))), list[int]()
    likeness = np.zeros(len(relevance))
    while left and len(chosen) < k:
        gains = [share * relevance[i] - (1 - share) * likeness[i] for i in left]
        best = left.pop(int(np.argmax(gains)))
        near = vectors @ vectors[best]
        likeness = near if not chosen else np.maximum(likeness, near)
        chosen.append(best)
    return chosen
