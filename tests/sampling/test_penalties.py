"""Penalties, DRY and bias on small arrays, with answers computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadParameter
from engine.sampling import penalties
from engine.sampling.samplers import softmax

FOUR = np.array([2.0, 1.0, -1.0, 0.5])
WORDS = [b"a", b"b", b"c\n", b"x:", b":", b"\n", b"en", b"d"]


def test_the_repeat_penalty_divides_above_0_and_multiplies_below() -> None:
    assert penalties.apply_penalties(FOUR, [0, 2, 2], repeat=2.0).tolist() == [1.0, 1.0, -2.0, 0.5]
    assert penalties.apply_penalties(FOUR, [0, 2, 2], repeat=0.5).tolist() == [4.0, 1.0, -0.5, 0.5]


def test_frequency_counts_and_presence_does_not() -> None:
    assert penalties.apply_penalties(FOUR, [2, 0, 2], frequency=0.5).tolist() == [1.5, 1.0, -2.0, 0.5]
    assert penalties.apply_penalties(FOUR, [2, 0, 2], presence=0.5).tolist() == [1.5, 1.0, -1.5, 0.5]
    assert penalties.apply_penalties(FOUR, [2, 2], 2.0, 0.5, 0.25).tolist() == [2.0, 1.0, -2.0 - 1.25, 0.5]


def test_nothing_to_penalize_leaves_everything() -> None:
    assert penalties.apply_penalties(FOUR, [], repeat=2.0) is FOUR
    assert penalties.apply_penalties(FOUR, [0]) is FOUR
    with pytest.raises(BadParameter):
        penalties.apply_penalties(FOUR, [0], repeat=0)


def test_a_bias_is_added_and_may_forbid() -> None:
    assert penalties.apply_bias(FOUR, {1: 3.0, 2: -math.inf}).tolist() == [2.0, 4.0, -math.inf, 0.5]
    assert penalties.apply_bias(FOUR, {}) is FOUR
    for bias in ({4: 1.0}, {-1: 1.0}, {0: math.inf}, {0: math.nan}):
        with pytest.raises(BadParameter):
            penalties.apply_bias(FOUR, bias)


def taken(history: list[int], **settings: object) -> dict[int, float]:
    """What DRY takes from each token of eight, where it takes anything."""
    zeros = np.zeros(8)
    after = penalties.apply_dry(zeros, history, **{"multiplier": 1.0, "base": 2.0, **settings})  # type: ignore[arg-type]
    return {token: -float(after[token]) for token in np.flatnonzero(after)}


def test_dry_takes_more_the_longer_the_repetition() -> None:
    assert taken([0, 1, 2, 3, 0, 1]) == {2: 1.0}  # "0 1" again: 2 would make it three, 2^(2-2)
    assert taken([0, 1, 2, 3, 0, 1, 2]) == {3: 2.0}  # 2^(3-2)
    assert taken([0, 1, 2, 3, 0, 1, 2], allowed_length=3) == {3: 1.0}
    assert taken([0, 1, 2, 3, 0, 1, 2], allowed_length=4) == {}
    assert taken([0, 1, 2, 3, 0, 1, 2], multiplier=0.5, base=3.0) == {3: 1.5}


def test_dry_takes_the_longest_of_several_repetitions() -> None:
    # llama.cpp's own example: a b c c b c y a b c; repeats 3 before c, 1 before b, 2 before y
    assert taken([0, 1, 2, 2, 1, 2, 3, 0, 1, 2], allowed_length=1) == {2: 4.0, 1: 1.0, 3: 2.0}


def test_dry_looks_no_further_than_its_window() -> None:
    assert taken([0, 1, 2, 3, 0, 1], last_n=6) == {2: 1.0}
    assert taken([0, 1, 2, 3, 0, 1], last_n=5) == {}
    assert taken([0, 1, 2, 3, 0, 1], last_n=0) == {}


def test_dry_stops_at_a_breaker_and_spares_it() -> None:
    assert taken([0, 1, 2, 0, 1], breakers={1: ((),)}) == {}  # nothing is left after the breaker
    assert taken([5, 0, 1, 2, 5, 0, 1], breakers={5: ((),)}) == {2: 1.0}  # "0 1", not "5 0 1"
    assert taken([5, 0, 1, 2, 5, 0, 1]) == {2: 2.0}
    assert taken([0, 1, 2, 3, 0, 1], breakers={2: ((),)}) == {}  # what it would take from is a breaker
    assert taken([5, 6, 0, 1, 2, 5, 6, 0, 1], breakers={5: ((6,),)}) == {2: 1.0}  # a breaker of two tokens
    assert taken([5, 6, 0, 1, 2, 5, 6, 0, 1], breakers={5: ((7,),)}) == {2: 4.0}  # which is not there


def test_dry_stays_finite() -> None:
    assert 0 < taken([0] * 200, base=4.0, last_n=200)[0] <= 4.0**64


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(0, 4))
def test_dry_finds_what_a_plain_search_finds(history: list[int], allowed: int) -> None:
    longest: dict[int, int] = {}
    for end in range(1, len(history)):  # history[end] would be repeated
        length = 0
        while length < end and history[end - 1 - length] == history[-1 - length]:
            length += 1
        longest[history[end]] = max(length, longest.get(history[end], 0))
    expected = {token: 2.0 ** (n - allowed) for token, n in longest.items() if n >= allowed}
    assert taken(history, allowed_length=allowed) == (expected if len(history) > allowed else {})


def test_breakers_are_found_in_pieces_and_across_them() -> None:
    def tokenize(text: bytes) -> list[int]:
        return [WORDS.index(bytes([byte])) for byte in text]

    assert penalties.dry_breakers(WORDS, tokenize, ("\n", ":")) == {2: ((),), 3: ((),), 4: ((),), 5: ((),)}
    assert penalties.dry_breakers(WORDS, tokenize, ("b:\n", "nd", "")) == {1: ((4, 5),), 6: ((7,),)}


@given(st.floats(-30, 30), st.integers(0, 2**32 - 1))
def test_the_constant_that_probabilities_lack_is_found(constant: float, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(constant, 3, 40)
    recent = list(range(12))
    after = softmax(penalties.apply_penalties(logits, recent, repeat=2.0))
    logprobs = np.log(softmax(logits))
    assert logprobs + penalties.offset(logprobs, after, recent, 2.0) == pytest.approx(logits, abs=1e-6)
