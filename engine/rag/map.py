"""A collection on a plane: the two directions in which its vectors differ most, with a question among them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.rag.values import Vectors

FITTED_MAX = 5000  # vectors that the directions are taken from; all are shown in them
Points = NDArray[np.float32]


@dataclass(frozen=True)
class Plane:
    """`points` are the places of the vectors, shape (n, 2), `query` that of the question; `explained` are the shares of
    their variance along each axis, 0 to 1: what two numbers out of hundreds can show.
    """

    points: Points
    query: Points | None
    explained: tuple[float, float]


def plane(vectors: Vectors, query: NDArray[np.float32] | None = None, *, seed: int = 0) -> Plane:
    """Principal components of the vectors by singular values. The same vectors give the same picture: of the two
    mirror images of an axis the one is taken in which the vector's largest part is positive.
    """
    rows = np.asarray(vectors, dtype=np.float32)
    if len(rows) < 2:
        place = np.zeros((len(rows), 2), np.float32)
        return Plane(place, None if query is None else np.zeros(2, np.float32), (0.0, 0.0))
    sample = rows
    if len(rows) > FITTED_MAX:
        sample = rows[np.sort(np.random.default_rng(seed).choice(len(rows), FITTED_MAX, replace=False))]
    middle = sample.mean(axis=0)
    _, sizes, axes = np.linalg.svd(sample - middle, full_matrices=False)
    two = _two(axes)
    return Plane((rows - middle) @ two.T, None if query is None else (query - middle) @ two.T, _shares(sizes))


def _two(axes: NDArray[np.float32]) -> NDArray[np.float32]:
    first = np.zeros((2, axes.shape[1]), np.float32)
    first[: min(2, len(axes))] = axes[:2]
    signs = np.sign(first[np.arange(2), np.abs(first).argmax(axis=1)])
    return first * np.where(signs == 0, 1, signs)[:, None].astype(np.float32)


def _shares(sizes: NDArray[np.float32]) -> tuple[float, float]:
    power = sizes.astype(np.float64) ** 2
    total = float(power.sum())
    shares = [float(part) / total for part in power[:2]] if total else []
    shares += [0.0] * (2 - len(shares))
    return shares[0], shares[1]
