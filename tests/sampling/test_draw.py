"""The dart, its numbers, and many darts against theory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.params import Params
from engine.sampling import chain_of, chi_square, dart, draws, run_chain, u_of, xtc_draw
from engine.sampling.chain import Stage, Step

LOGITS = np.log([0.1, 0.5, 0.15, 0.25])


def last(params: Params | None = None) -> Stage:
    return run_chain(LOGITS, chain_of(params) if params else ())[-1]


@pytest.mark.parametrize(
    ("u", "token", "begin", "end"),
    [(0.0, 1, 0.0, 0.5), (0.49, 1, 0.0, 0.5), (0.6, 3, 0.5, 0.75), (0.8, 2, 0.75, 0.9), (0.9999, 0, 0.9, 1.0)],
)
def test_the_dart_hits_what_lies_there_most_probable_first(u: float, token: int, begin: float, end: float) -> None:
    hit = dart(last(Params(temperature=1.0, top_k=4, top_p=1.0, min_p=0.0)), u)
    assert (hit.token, hit.u) == (token, u)
    assert (hit.begin, hit.end) == pytest.approx((begin, end))


def test_where_no_sampler_sorts_the_vocabularys_order_counts() -> None:
    raw = last()
    assert [dart(raw, u).token for u in (0.05, 0.3, 0.7, 0.9)] == [0, 1, 2, 3]


def test_the_eliminated_are_never_hit() -> None:
    masked = run_chain(LOGITS, [Step("grammar", {"allowed": np.array([False, True, False, False])})])[-1]
    assert {dart(masked, u).token for u in (0.0, 0.5, 1 - 1e-16)} == {1}


def test_the_numbers_are_those_of_the_mersenne_twister_of_cpp() -> None:
    # std::mt19937 of 5489 gives 3499211612, 581869302, 3890346734, 3586334585 first (C++ standard, [rand.predef])
    assert u_of(5489) == (3499211612 + 581869302 * 2**32) / 2**64
    assert u_of(5489, 1) == (3890346734 + 3586334585 * 2**32) / 2**64
    assert xtc_draw(5489) == float(np.float32(3499211612)) / 2**32
    assert xtc_draw(5489, 1) == float(np.float32(581869302)) / 2**32


@given(st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_numbers_lie_in_the_unit_interval_and_depend_on_seed_and_step_alone(seed: int, step: int) -> None:
    assert 0 <= u_of(seed, step) < 1
    assert 0 <= xtc_draw(seed, step) < 1
    assert u_of(seed, step) == u_of(seed, step)


@given(st.integers(0, 2**32 - 1))
def test_with_top_k_1_the_seed_does_not_matter(seed: int) -> None:
    hit = dart(last(Params(top_k=1, temperature=2.0)), u_of(seed))
    assert (hit.token, hit.begin, hit.end) == (1, 0.0, 1.0)


def test_many_darts_hit_each_token_as_often_as_its_probability() -> None:
    stage = last(Params(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0))
    counts = draws(stage, 10_000, seed=1)
    assert counts.sum() == 10_000 and counts.shape == (4,)
    assert counts / 10_000 == pytest.approx([0.1, 0.5, 0.15, 0.25], abs=0.02)
    statistic, degrees, p = chi_square(counts, stage.probabilities)
    assert degrees == 3 and statistic < 16.27 and p > 0.001
    assert chi_square(counts, np.full(4, 0.25))[2] < 1e-12
    assert draws(stage, 50, seed=1).tolist() == [
        sum(dart(stage, u_of(1, i)).token == token for i in range(50)) for token in range(4)
    ]


@pytest.mark.parametrize(
    ("counts", "statistic", "degrees", "p"),
    [
        # tables of the χ² distribution: 3.841 at 0.05 with 1 degree, 9.488 with 4, 124.342 with 100
        ([0.5 + 3.841**0.5 / 20, 0.5 - 3.841**0.5 / 20], 3.841, 1, 0.05),
        ([0.5, 0.5], 0.0, 1, 1.0),
    ],
)
def test_chi_square_of_two_cells(counts: list[float], statistic: float, degrees: int, p: float) -> None:
    found = chi_square(np.array(counts) * 100, np.array([0.5, 0.5]))
    assert found[:2] == (pytest.approx(statistic), degrees)
    assert found[2] == pytest.approx(p, abs=1e-4)


@pytest.mark.parametrize(("degrees", "statistic", "p"), [(4, 9.488, 0.05), (10, 18.307, 0.05), (100, 124.342, 0.05),
                                                         (3, 16.266, 0.001), (30, 20.599, 0.9)])  # fmt: skip
def test_the_p_value_is_that_of_the_tables(degrees: int, statistic: float, p: float) -> None:
    cells = degrees + 1
    counts = np.full(cells, 100.0)
    counts[:2] += np.array([1, -1]) * (statistic * 100 / 2) ** 0.5
    found = chi_square(counts, np.full(cells, 1 / cells))
    assert found == (pytest.approx(statistic), degrees, pytest.approx(p, abs=1e-4))


def test_rare_tokens_are_one_cell_together() -> None:
    p = np.array([0.5, 0.44, 0.03, 0.03])
    # of 100: 3 and 3 expected, together 6
    assert chi_square(np.array([50, 44, 6, 0]), p) == (pytest.approx(0.0), 2, pytest.approx(1.0))
    assert chi_square(np.array([1, 0, 0, 0]), p) == (0.0, 0, 1.0)
