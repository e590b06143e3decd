"""Fusion by hand-computed examples and by properties that hold for any ranking."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rag.fusion import mmr, normalised, ranked, ranks, rrf, weighted

KEYS = st.sampled_from("abcdefgh")
COSINES = st.dictionaries(KEYS, st.integers(-100, 100).map(lambda n: n / 100))
BM25 = st.dictionaries(KEYS, st.integers(1, 3000).map(lambda n: n / 100))


def test_equal_scores_keep_the_order_of_the_keys() -> None:
    assert ranked({"b": 1.0, "c": 2.0, "a": 1.0}) == ["c", "a", "b"]
    assert ranks({"b": 1.0, "c": 2.0, "a": 1.0}) == {"c": 1, "a": 2, "b": 3}


def test_normalised_by_hand() -> None:
    assert normalised({"a": 0.9, "b": 0.8, "c": 0.7}) == pytest.approx({"a": 1, "b": 0.5, "c": 0})
    assert normalised({"a": 8.0, "b": 2.0}, floor=0.0) == {"a": 1, "b": 0.25}
    assert normalised({"a": 3.0}) == {"a": 1.0}
    assert normalised({"a": -1.0, "b": 1.0}, floor=0.0) == {"a": 0.0, "b": 1.0}
    assert normalised({}) == {}


def test_weighted_by_hand() -> None:
    vector, text = {"a": 0.9, "b": 0.8, "c": 0.7}, {"b": 10.0, "d": 5.0}
    found = weighted(vector, text, 0.75)
    # a .75·1 + .25·0, b .75·.5 + .25·1, c 0, d .75·0 + .25·.5
    assert found == pytest.approx({"a": 0.75, "b": 0.625, "c": 0.0, "d": 0.125})
    assert ranked(found) == ["a", "b", "d", "c"]


def test_reciprocal_ranks_by_hand() -> None:
    found = rrf([{"a": 0.9, "b": 0.8}, {"b": 12.0, "c": 3.0}])
    assert found == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 62})
    assert ranked(found) == ["b", "a", "c"]


def test_mmr_takes_the_other_subject_before_the_twin() -> None:
    vectors = np.asarray([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    assert mmr([1.0, 0.9, 0.5], vectors, 1.0, 3) == [0, 1, 2]
    # after 0: twin .5·.9 − .5·1 = −.05, other .5·.5 − .5·0 = .25
    assert mmr([1.0, 0.9, 0.5], vectors, 0.5, 3) == [0, 2, 1]
    assert mmr([1.0, 0.9, 0.5], vectors, 0.5, 2) == [0, 2]
    assert mmr([], np.zeros((0, 2), dtype=np.float32), 0.5, 2) == []


@given(COSINES, BM25, st.floats(0, 1))
def test_a_weighted_score_is_a_share_and_loses_nobody(
    vector: dict[str, float], text: dict[str, float], weight: float
) -> None:
    found = weighted(vector, text, weight)
    assert found.keys() == vector.keys() | text.keys()
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in found.values())


@given(COSINES, BM25)
def test_the_ends_of_the_weight_are_the_single_arms(vector: dict[str, float], text: dict[str, float]) -> None:
    near, words = weighted(vector, text, 1.0), weighted(vector, text, 0.0)
    assert [key for key in ranked(near) if key in vector] == _stable(vector)
    assert [key for key in ranked(words) if key in text] == ranked(text)


def _stable(scores: dict[str, float]) -> list[str]:
    return ranked(normalised(scores))


@given(COSINES, BM25)
def test_rrf_sees_ranks_alone(vector: dict[str, float], text: dict[str, float]) -> None:
    louder = {key: 2 * score for key, score in text.items()}
    assert rrf([vector, text]) == rrf([vector, louder]) == pytest.approx(rrf([text, vector]))
    assert all(score <= 2 / 61 for score in rrf([vector, text]).values())


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0, 1), st.integers(1, 10), st.integers(0, 99))
def test_mmr_chooses_each_once_and_the_best_first(scores: list[float], share: float, k: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(len(scores), 3)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    chosen = mmr(scores, rows, share, k)
    assert len(chosen) == len(set(chosen)) == min(k, len(scores))
    if chosen and share > 0:
        assert math.isclose(share * scores[chosen[0]], share * max(scores))
