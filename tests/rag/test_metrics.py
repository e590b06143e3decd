"""Measures by hand-computed examples and properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rag.metrics import exact_match, ndcg_at, recall_at, reciprocal_rank, token_f1, words

HITS = st.lists(st.booleans(), max_size=12)


def test_recall_and_reciprocal_rank_by_hand() -> None:
    hits = [False, False, True, True]
    assert [recall_at(hits, k) for k in (1, 2, 3, 10)] == [0, 0, 1, 1]
    assert reciprocal_rank(hits) == pytest.approx(1 / 3)
    assert (recall_at([], 5), reciprocal_rank([])) == (0.0, 0.0)


def test_ndcg_by_hand() -> None:
    # hits on places 1 and 3 of 2 to find: (1 + 1/log2 4) / (1 + 1/log2 3)
    assert ndcg_at([True, False, True], 10, 2) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))
    assert ndcg_at([False, True], 10) == pytest.approx(1 / math.log2(3))
    assert ndcg_at([True, True], 10, 1) == 1.0  # two passages of the document where one was expected
    assert ndcg_at([True] * 3, 2, 5) == 1.0
    assert ndcg_at([], 10) == 0.0


def test_words_drop_case_punctuation_and_articles_of_both_languages() -> None:
    assert words("L’Hôtel de la Gare, the BEST!") == ["hôtel", "gare", "best"]


def test_exact_match_and_f1_by_hand() -> None:
    assert exact_match("Le dix-huit.", ["dix-huit", "18"]) == 1.0
    assert exact_match("vingt", ["dix-huit"]) == 0.0
    # {il, paie, neuf, euros} and {neuf, euros}: precision 1/2, recall 1, F1 2/3
    assert token_f1("Il paie neuf euros", ["neuf euros", "rien"]) == pytest.approx(2 / 3)
    assert token_f1("neuf neuf", ["neuf"]) == pytest.approx(2 / 3)
    assert (exact_match("", []), token_f1("", []), token_f1("something", [])) == (1.0, 1.0, 0.0)


@given(HITS, st.integers(1, 12))
def test_measures_are_shares_and_recall_grows_with_k(hits: list[bool], k: int) -> None:
    assert 0 <= recall_at(hits, k) <= recall_at(hits, k + 1) <= 1
    assert 0 <= ndcg_at(hits, k, 3) <= 1
    assert recall_at(hits, 1) <= reciprocal_rank(hits) <= recall_at(hits, len(hits))


@given(st.text(max_size=40))
def test_an_answer_matches_itself(text: str) -> None:
    assert exact_match(text, [text]) == token_f1(text, [text]) == 1.0


@given(st.text(max_size=30), st.text(max_size=30))
def test_f1_takes_no_side(first: str, second: str) -> None:
    assert token_f1(first, [second]) == pytest.approx(token_f1(second, [first]))
