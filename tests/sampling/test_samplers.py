"""Samplers on four tokens, with answers computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadParameter
from engine.sampling import samplers
from engine.sampling.samplers import Logits, entropy, ranking, softmax

FOUR = np.log([0.5, 0.25, 0.15, 0.1])
SHUFFLED = np.log([0.1, 0.5, 0.15, 0.25])

# About a tenth of a nat apart: of equal ones samplers keep the lower id, which no permutation leaves alone. The square
# keeps them off the borders, where the last bit of a sum decides.
distinct = st.lists(st.integers(-80, 80), min_size=2, max_size=12, unique=True).map(
    lambda whole: np.array(whole) / 10 + np.square(whole) * math.sqrt(2e-8)
)
CUTS = {
    "top_k": lambda logits: samplers.apply_top_k(logits, 3),
    "top_p": lambda logits: samplers.apply_top_p(logits, 0.8),
    "min_p": lambda logits: samplers.apply_min_p(logits, 0.1),
    "typical": lambda logits: samplers.apply_typical(logits, 0.7),
    "top_n_sigma": lambda logits: samplers.apply_top_n_sigma(logits, 1.0),
    "xtc": lambda logits: samplers.apply_xtc(logits, 1.0, 0.1, 0.0),
    "temperature": lambda logits: samplers.apply_temperature(logits, 0.6),
    "dynamic": lambda logits: samplers.apply_dynamic_temperature(logits, 1.0, 0.5, 1.0),
}


def probabilities(logits: Logits) -> list[float]:
    return [round(p, 9) for p in softmax(logits).tolist()]


def test_probabilities_and_entropy() -> None:
    assert probabilities(np.log([1.0, 2.0, 1.0, 4.0]) + 700) == [0.125, 0.25, 0.125, 0.5]  # any constant, no overflow
    assert entropy(softmax(np.log([1.0, 2.0, 1.0, 4.0]))) == pytest.approx(1.75 * math.log(2))
    assert entropy(softmax(np.zeros(4))) == pytest.approx(math.log(4))
    assert entropy(softmax(np.array([3.0, -np.inf, -np.inf, -np.inf]))) == 0
    assert probabilities(np.full(4, -np.inf)) == [0, 0, 0, 0]


def test_the_ranking_goes_by_id_where_logits_are_equal_and_leaves_out_the_eliminated() -> None:
    assert ranking(np.array([1.0, 2.0, 1.0, -np.inf])).tolist() == [1, 0, 2]


def test_temperature() -> None:
    # squares at one half: 0.25, 0.0625, 0.0225, 0.01, of 0.345
    assert softmax(samplers.apply_temperature(FOUR, 0.5)).tolist() == pytest.approx(
        [0.25 / 0.345, 0.0625 / 0.345, 0.0225 / 0.345, 0.01 / 0.345]
    )
    assert samplers.apply_temperature(FOUR, 1) is FOUR


@pytest.mark.parametrize("temperature", [0, -1])
def test_without_temperature_the_most_probable_one_is_left(temperature: float) -> None:
    assert probabilities(samplers.apply_temperature(SHUFFLED, temperature)) == [0, 1, 0, 0]
    assert probabilities(samplers.apply_temperature(np.array([1.0, 2.0, 2.0, 0.0]), temperature)) == [0, 1, 0, 0]


def test_dynamic_temperature() -> None:
    # H = 1.75 bits of 2: T = 0.5 + 1 · 0.875 = 1.375
    logits = np.log([4.0, 2.0, 1.0, 1.0])
    assert samplers.apply_dynamic_temperature(logits, 1.0, 0.5, 1.0).tolist() == pytest.approx(
        (logits / 1.375).tolist()
    )
    # of 16 candidates, 12 of which have nothing: 1.75 of 4 bits, squared
    assert samplers.apply_dynamic_temperature(logits, 1.0, 0.5, 2.0, 16).tolist() == pytest.approx(
        (logits / (0.5 + 0.4375**2)).tolist()
    )
    assert samplers.apply_dynamic_temperature(logits, 2.0, 0.0, 1.0).tolist() == (logits / 2).tolist()
    one = np.array([1.0, -np.inf])
    assert samplers.apply_dynamic_temperature(one, 0.5, 0.4, 1.0) is one  # nothing to divide among


def test_a_temperature_range_that_goes_below_0_begins_at_0() -> None:
    logits = np.zeros(4)  # as unsure as can be: the highest temperature
    assert probabilities(samplers.apply_dynamic_temperature(logits, 0.2, 0.5, 1.0)) == [0.25] * 4
    sure = np.array([800.0, 0.0, 0.0, 0.0])  # H = 0: the lowest
    assert probabilities(samplers.apply_dynamic_temperature(sure, 0.2, 0.5, 1.0)) == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("k", "answer"),
    [(1, [0, 1, 0, 0]), (2, [0, 2 / 3, 0, 1 / 3]), (4, [0.1, 0.5, 0.15, 0.25]), (9, [0.1, 0.5, 0.15, 0.25])],
)
def test_top_k(k: int, answer: list[float]) -> None:
    assert softmax(samplers.apply_top_k(SHUFFLED, k)).tolist() == pytest.approx(answer)


def test_top_k_keeps_everything_at_0_and_the_lower_ids_of_equal_ones() -> None:
    assert samplers.apply_top_k(SHUFFLED, 0) is SHUFFLED
    assert probabilities(samplers.apply_top_k(np.zeros(4), 2)) == [0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("p", "left"),
    [(0.0, [1]), (0.4, [1]), (0.5, [1]), (0.51, [1, 3]), (0.76, [1, 2, 3]), (0.95, [0, 1, 2, 3]), (1.0, [0, 1, 2, 3])],
)
def test_top_p_keeps_the_one_that_crosses(p: float, left: list[int]) -> None:
    assert samplers.alive(samplers.apply_top_p(SHUFFLED, p)).tolist() == left


@pytest.mark.parametrize(
    ("p", "left"), [(0.0, [0, 1, 2, 3]), (0.2, [0, 1, 2, 3]), (0.25, [1, 2, 3]), (0.4, [1, 3]), (0.6, [1]), (1.0, [1])]
)
def test_min_p_is_a_share_of_the_best(p: float, left: list[int]) -> None:
    assert samplers.alive(samplers.apply_min_p(SHUFFLED, p)).tolist() == left


def test_typical_may_drop_the_most_probable_one() -> None:
    # surprises 0.693, 1.386, 1.897, 2.303; H = 1.208: distances 0.515, 0.178, 0.689, 1.095
    assert samplers.alive(samplers.apply_typical(FOUR, 0.2)).tolist() == [1]
    assert samplers.alive(samplers.apply_typical(FOUR, 0.5)).tolist() == [0, 1]
    assert samplers.alive(samplers.apply_typical(FOUR, 0.8)).tolist() == [0, 1, 2]
    assert samplers.apply_typical(FOUR, 1.0) is FOUR
    assert samplers.typical_order(FOUR).tolist() == [1, 0, 2, 3]


def test_typical_leaves_out_those_that_have_no_chance() -> None:
    assert samplers.typical_order(np.array([0.0, -np.inf, -800.0, 0.0])).tolist() == [0, 3]


def test_top_n_sigma_counts_what_is_left_only() -> None:
    # mean 2, variance 5, σ = 2.236
    logits = np.array([5.0, 3.0, 1.0, -1.0])
    assert samplers.alive(samplers.apply_top_n_sigma(logits, 0.5)).tolist() == [0]
    assert samplers.alive(samplers.apply_top_n_sigma(logits, 1.0)).tolist() == [0, 1]
    assert samplers.alive(samplers.apply_top_n_sigma(logits, 2.0)).tolist() == [0, 1, 2]
    assert samplers.apply_top_n_sigma(logits, -1.0) is logits
    assert samplers.alive(samplers.apply_top_n_sigma(np.append(logits, -np.inf), 1.0)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("threshold", "left"), [(0.1, [0]), (0.12, [0, 2]), (0.2, [0, 2, 3]), (0.3, [0, 1, 2, 3]), (0.51, [0, 1, 2, 3])]
)
def test_xtc_keeps_the_least_probable_of_the_top_choices(threshold: float, left: list[int]) -> None:
    assert samplers.alive(samplers.apply_xtc(SHUFFLED, 1.0, threshold, 0.5)).tolist() == left


def test_xtc_happens_as_often_as_it_says() -> None:
    assert samplers.apply_xtc(FOUR, 0.3, 0.2, 0.31) is FOUR
    assert samplers.alive(samplers.apply_xtc(FOUR, 0.3, 0.2, 0.29)).tolist() == [1, 2, 3]
    assert samplers.apply_xtc(FOUR, 0.0, 0.2, 0.0) is FOUR


def test_a_mask_eliminates_what_is_not_allowed() -> None:
    allowed = np.array([True, False, True, False])
    assert softmax(samplers.apply_mask(FOUR, allowed)).tolist() == pytest.approx([10 / 13, 0, 3 / 13, 0])
    with pytest.raises(BadParameter):
        samplers.apply_mask(FOUR, np.array([True]))


def test_min_keep_holds_against_every_cut() -> None:
    for cut in (samplers.apply_top_p, samplers.apply_min_p, samplers.apply_typical):
        p = 0.99 if cut is samplers.apply_min_p else 0.01
        assert len(samplers.alive(cut(FOUR, p))) == 1
        assert len(samplers.alive(cut(FOUR, p, min_keep=3))) == 3
    assert samplers.apply_xtc(FOUR, 1.0, 0.1, 0.0, min_keep=2) is FOUR


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_shares_outside_0_and_1_are_refused(value: float) -> None:
    for cut in (samplers.apply_top_p, samplers.apply_min_p, samplers.apply_typical):
        with pytest.raises(BadParameter, match="from 0 to 1"):
            cut(FOUR, value)


@given(distinct)
def test_temperature_towards_0_is_the_argmax(logits: Logits) -> None:
    assert softmax(samplers.apply_temperature(logits, 1e-3)).argmax() == logits.argmax()
    assert softmax(samplers.apply_temperature(logits, 1e-3)).max() == pytest.approx(1)
    assert samplers.alive(samplers.apply_temperature(logits, 0)).tolist() == [logits.argmax()]


@pytest.mark.parametrize("name", sorted(CUTS))
@given(logits=distinct, data=st.data())
def test_a_sampler_does_not_care_in_which_order_the_vocabulary_is(
    name: str, logits: Logits, data: st.DataObject
) -> None:
    where = np.array(data.draw(st.permutations(range(len(logits)))))
    assert softmax(CUTS[name](logits[where])) == pytest.approx(softmax(CUTS[name](logits))[where], abs=1e-12)


@pytest.mark.parametrize("name", sorted(CUTS))
@given(logits=distinct)
def test_masses_sum_to_1_and_nobody_comes_back(name: str, logits: Logits) -> None:
    logits = samplers.apply_top_k(logits, len(logits) - 1)
    after = CUTS[name](logits)
    assert softmax(after).sum() == pytest.approx(1)
    assert set(samplers.alive(after)) <= set(samplers.alive(logits)) and len(samplers.alive(after))


@given(distinct, st.floats(0.05, 0.95))
def test_min_p_commutes_with_top_k_and_not_with_temperature(logits: Logits, p: float) -> None:
    one = samplers.apply_top_k(samplers.apply_min_p(logits, p), 3)
    other = samplers.apply_min_p(samplers.apply_top_k(logits, 3), p)
    assert one.tolist() == other.tolist()
    assert len(samplers.alive(samplers.apply_min_p(samplers.apply_temperature(FOUR, 2.0), 0.4))) == 4
    assert len(samplers.alive(samplers.apply_temperature(samplers.apply_min_p(FOUR, 0.4), 2.0))) == 2
