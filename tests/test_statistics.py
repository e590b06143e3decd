"""Intervals against published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.statistics import bootstrap, by_seed, paired, wilson


@pytest.mark.parametrize(
    ("good", "low", "high"), [(30, 0.886, 1.0), (25, 0.664, 0.927), (21, 0.521, 0.833), (0, 0.0, 0.114)]
)
def test_wilson(good: int, low: float, high: float) -> None:
    found = wilson(good, 30)
    assert (round(found.low, 3), round(found.high, 3)) == (low, high)
    assert found.value == good / 30 and found.n == 30


def test_wilson_of_nothing() -> None:
    with pytest.raises(BadInput):
        wilson(0, 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_bootstrap_holds_the_mean_and_repeats(values: list[float]) -> None:
    found = bootstrap(values)
    assert found == bootstrap(values)
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9
    assert min(values) - 1e-9 <= found.low and found.high <= max(values) + 1e-9


def test_bootstrap_of_an_even_split() -> None:
    # ten zeros and ten ones: the means of resamples are binomial(20, 1/2) / 20, whose 2.5 % and 97.5 % are 6 and 14
    found = bootstrap([0.0, 1.0] * 10, draws=20000)
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.3, 0.7, 20)
    with pytest.raises(BadInput):
        bootstrap([])


def test_a_seed_counts_once() -> None:
    assert by_seed([(2, 1.0), (1, 0.0), (1, 1.0)]) == {1: 0.5, 2: 1.0}


def test_paired_uses_only_shared_seeds() -> None:
    found = paired({1: 0.9, 2: 0.8, 3: 0.7, 9: 0.0}, {1: 0.5, 2: 0.5, 3: 0.7, 8: 1.0})
    assert (found.wins, found.losses, found.ties, found.difference.n) == (2, 0, 1, 3)
    assert found.difference.value == pytest.approx(0.7 / 3)
    assert not found.clear and paired({1: 1, 2: 1}, {1: 0, 2: 0}).clear
    with pytest.raises(BadInput):
        paired({1: 1.0}, {2: 1.0})
