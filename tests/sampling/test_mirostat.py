"""Mirostat's two cuts and its one rule, with answers computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.sampling import mirostat
from engine.sampling.samplers import alive

EIGHTHS = np.log([0.5, 0.25, 0.125, 0.125])  # surprises of 1, 2, 3 and 3 bits


@pytest.mark.parametrize(("mu", "left"), [(0.5, [0]), (1.0, [0]), (2.5, [0, 1]), (3.0, [0, 1, 2, 3]), (-4.0, [0])])
def test_version_2_drops_what_is_more_surprising_than_mu(mu: float, left: list[int]) -> None:
    assert alive(mirostat.apply_mirostat_v2(EIGHTHS, mu)).tolist() == left


def test_version_1_counts_how_many_by_zipfs_law() -> None:
    # p ~ 1/rank²: ŝ = 2, k = sqrt(2^mu / (1 - 1/V))
    zipf = -2 * np.log(np.arange(1.0, 101.0))
    for mu in (0.0, 4.0, 6.0, 8.0):
        assert len(alive(mirostat.apply_mirostat_v1(zipf, mu))) == int(math.sqrt(2**mu / (1 - 1 / 100)))


def test_version_1_with_one_left_or_none_more_probable_than_others() -> None:
    assert alive(mirostat.apply_mirostat_v1(np.array([1.0, -np.inf]), 3.0)).tolist() == [0]
    assert alive(mirostat.apply_mirostat_v1(np.zeros(4), 3.0)).tolist() == [0, 1, 2, 3]


def test_mu_follows_the_surprise() -> None:
    assert mirostat.start(5.0) == 10.0
    assert mirostat.next_mu(10.0, 0.125, 5.0, 0.1) == pytest.approx(10.2)  # 3 bits where 5 were wanted: allow more
    assert mirostat.next_mu(10.0, 2**-9, 5.0, 0.1) == pytest.approx(9.6)
