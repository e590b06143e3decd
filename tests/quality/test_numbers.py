"""Surprise, divergence and their statistics on arrays of four tokens, computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quality.numbers import AT_ONCE, bits_per_byte, compared, covariance, mean, surprises

HALF, QUARTER, EIGHTH = math.log(2), math.log(4), math.log(8)
P = np.log(np.array([[0.5, 0.25, 0.125, 0.125]], dtype=np.float32))  # logits that are logarithms of probabilities
Q = np.log(np.array([[0.25, 0.5, 0.125, 0.125]], dtype=np.float32))


def test_surprises_by_hand() -> None:
    rows = np.repeat(P, 4, axis=0) + np.float32([[0], [100], [-100], [7]])  # softmax does not see a shift
    assert surprises(rows, [0, 1, 2, 3]) == pytest.approx([HALF, QUARTER, EIGHTH, EIGHTH], abs=1e-5)
    assert surprises(np.float32([[0, -np.inf]]), [1])[0] == math.inf
    assert surprises(np.float32([[0, -np.inf]]), [0])[0] == 0


def test_divergence_by_hand() -> None:
    found = compared(P, Q, [0])
    # 0.5 ln(0.5/0.25) + 0.25 ln(0.25/0.5) = 0.25 ln 2
    assert found.kld == pytest.approx([0.25 * HALF], abs=1e-6)
    assert (found.base, found.other) == (pytest.approx([HALF]), pytest.approx([QUARTER]))
    assert found.same_top.tolist() == [False]
    assert compared(P, P, [0]).same_top.tolist() == [True]


def test_what_the_base_holds_for_impossible_is_left_out() -> None:
    base = np.float32([[0, -17, -np.inf]])
    other = np.float32([[0, -30, -np.inf]])
    assert compared(base, other, [0]).kld[0] == pytest.approx(0, abs=1e-6)
    assert compared(np.float32([[0, -15, -17]]), np.float32([[0, -1000, -17]]), [0]).kld[0] > 2e-4


@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_divergence_is_not_negative_and_zero_with_itself(seed: int, spread: float) -> None:
    first, second = (np.random.default_rng(seed).normal(scale=spread, size=(2, 3, 5))).astype(np.float32)
    assert (compared(first, second, [0, 1, 2]).kld >= -1e-5).all()
    same = compared(first, first, [0, 1, 2])
    assert (same.kld == 0).all() and same.same_top.all()
    assert (same.base == same.other).all()


@given(st.integers(1, 3 * AT_ONCE))
def test_rows_are_told_one_by_one_however_many(rows: int) -> None:
    logits = np.random.default_rng(rows).normal(size=(rows, 7)).astype(np.float32)
    ids = [row % 7 for row in range(rows)]
    one_by_one = [surprises(logits[row : row + 1], [ids[row]])[0] for row in range(rows)]
    assert surprises(logits, ids) == pytest.approx(one_by_one, abs=1e-5)
    assert surprises(logits, ids, 3) == pytest.approx(one_by_one, abs=1e-5)
    assert len(compared(logits, logits, ids).kld) == rows
    total = np.exp(-np.array([surprises(logits[:1], [token])[0] for token in range(7)])).sum()
    assert total == pytest.approx(1, abs=1e-5)


def test_mean_and_covariance_by_hand() -> None:
    values = np.array([1.0, 3.0] * 6)  # E = 2, E[x²] - E² = 1, n - 1 = 11
    assert (mean(values).value, mean(values).error) == (2, pytest.approx(math.sqrt(1 / 11)))
    assert covariance(values, -values) == pytest.approx(-1 / 11)
    assert mean(values[:10]).error == 0 == covariance(values[:8], values[:8])


def test_bits_per_byte() -> None:
    assert bits_per_byte(8 * math.log(2), 1) == pytest.approx(8)
    assert bits_per_byte(256 * math.log(256), 256) == pytest.approx(8)  # bytes drawn at random


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 9)), min_size=2, max_size=10), st.integers(1, 5))
def test_bits_per_byte_does_not_depend_on_where_tokens_are_cut(tokens: list[tuple[float, int]], step: int) -> None:
    """p(ab) = p(a) p(b|a): a tokenizer with longer tokens and the same probabilities has another perplexity per token,
    yet the same bits per byte.
    """
    longer = [tokens[at : at + step] for at in range(0, len(tokens), step)]
    merged = [(sum(nats for nats, _ in part), sum(size for _, size in part)) for part in longer]
    one, other = ((sum(n for n, _ in cut), sum(s for _, s in cut)) for cut in (tokens, merged))
    assert bits_per_byte(*one) == pytest.approx(bits_per_byte(*other))
