"""Effective context read as its two definitions say; survival of the first drift."""

from __future__ import annotations

import pytest

from engine.comptine.effective import Length, effective_context, survival
from engine.errors import BadInput
from engine.statistics import Interval


def lengths(*points: tuple[int, float, float]) -> list[Length]:
    return [Length(tokens, Interval(value, low, 1.0, 5)) for tokens, value, low in points]


def test_effective_context_relative() -> None:
    # base = (1 + 0.9 + 0.8) / 3 = 0.9, threshold 0.765
    found = effective_context(
        lengths((100, 1, 0.9), (200, 0.9, 0.7), (400, 0.8, 0.8), (900, 0.5, 0.1), (1800, 1, 1)), "relative"
    )
    assert found.base == pytest.approx(0.9) and found.threshold == pytest.approx(0.765)
    assert (found.tokens, found.conservative) == (400, 100)  # the first below ends it: 1800 does not count
    assert not found.reached_end


def test_effective_context_absolute_and_below_the_shortest() -> None:
    found = effective_context(lengths((100, 0.8, 0.6), (200, 1.0, 1.0)), "absolute")
    assert (found.threshold, found.base, found.tokens, found.conservative, found.shortest) == (
        0.856,
        None,
        None,
        None,
        100,
    )
    found = effective_context(lengths((3000, 0.9, 0.6), (100, 1.0, 0.9)), "absolute")
    assert (found.tokens, found.conservative, found.reached_end) == (3000, 100, True)


def test_a_base_of_zero_is_no_context() -> None:
    assert effective_context(lengths((100, 0, 0), (200, 0, 0)), "relative").tokens is None
    with pytest.raises(BadInput):
        effective_context([], "relative")


def test_survival() -> None:
    found = survival([None, 1, 3], 3)
    assert [point.share.value for point in found] == [1.0, 2 / 3, 2 / 3, 1 / 3]
    assert all(point.share.n == 3 for point in found)
