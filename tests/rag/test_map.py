"""The plane of a collection."""

from __future__ import annotations

import numpy as np
import pytest

from engine.rag.map import FITTED_MAX, plane


def test_the_two_widest_directions_by_hand() -> None:
    rows = np.asarray([[4, 0, 0], [-4, 0, 0], [0, 2, 0], [0, -2, 0]], np.float32)
    found = plane(rows, np.asarray([1, 1, 9], np.float32))
    assert np.allclose(found.points, [[4, 0], [-4, 0], [0, 2], [0, -2]], atol=1e-5)
    assert found.query is not None and np.allclose(found.query, [1, 1], atol=1e-5)
    assert found.explained == pytest.approx((0.8, 0.2))


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_vectors_have_a_plane_too(rows: int) -> None:
    found = plane(np.ones((rows, 5), np.float32), np.ones(5, np.float32))
    assert found.points.shape == (rows, 2) and np.isfinite(found.points).all()
    assert found.query is not None and found.query.shape == (2,)


def test_many_vectors_are_all_shown_and_the_same_each_time() -> None:
    rows = np.random.default_rng(1).normal(size=(FITTED_MAX + 10, 4)).astype(np.float32)
    first, again = plane(rows), plane(rows)
    assert first.points.shape == (FITTED_MAX + 10, 2) and np.array_equal(first.points, again.points)
