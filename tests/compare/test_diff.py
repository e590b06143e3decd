"""Word differences: exact when joined again, readable, and bounded for hostile texts."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare import diff
from engine.compare.diff import Piece, likeness, word_diff


def kinds(a: str, b: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in word_diff(a, b)]


def joined(a: str, b: str) -> tuple[str, str]:
    pieces = word_diff(a, b)
    first = "".join(piece.text for piece in pieces if piece.kind != "added")
    second = "".join(piece.text for piece in pieces if piece.kind != "removed")
    assert all(piece.text for piece in pieces)
    assert all(one.kind != other.kind for one, other in pairwise(pieces))
    return first, second


WORDS = st.text(alphabet="ab  \n.é", max_size=60)


@given(st.one_of(WORDS, st.text(max_size=40)), st.one_of(WORDS, st.text(max_size=40)))
def test_the_pieces_join_to_both_texts(a: str, b: str) -> None:
    assert joined(a, b) == (a, b)


def test_a_changed_word_is_removed_and_added() -> None:
    told = [("same", "The cat "), ("removed", "sat"), ("added", "slept"), ("same", " here.")]
    assert kinds("The cat sat here.", "The cat slept here.") == told


def test_white_space_between_two_changes_is_no_island() -> None:
    assert kinds("one two end", "three four end") == [
        ("removed", "one two"), ("added", "three four"), ("same", " end"),
    ]  # fmt: skip


def test_equal_texts_are_one_piece_and_empty_ones_none() -> None:
    assert kinds("a b", "a b") == [("same", "a b")]
    assert kinds("", "") == [] and kinds("", "x") == [("added", "x")] and kinds("x", "") == [("removed", "x")]


def test_likeness_counts_what_is_the_same() -> None:
    assert likeness(word_diff("a b", "a b")) == 1.0 == likeness(())
    assert likeness(word_diff("abc", "xyz")) == 0.0
    assert likeness((Piece("same", "ab "), Piece("added", "cd"))) == pytest.approx(4 / 6)


HOSTILE = {
    "one word": ("a " * 50_000, "a " * 49_999 + "b"),
    "two words": ("a b " * 25_000, "b a a " * 20_000),
    "all different": (" ".join(map(str, range(40_000))), " ".join(map(str, range(40_000, 80_000)))),
    "reversed": (" ".join(map(str, range(30_000))), " ".join(map(str, reversed(range(30_000))))),
    "signs": ("!?" * 50_000, "?!" * 50_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_bounded_work(name: str) -> None:
    a, b = HOSTILE[name]
    started = time.process_time()
    assert joined(a, b) == (a, b)
    assert time.process_time() - started < 30  # a second here; without the limit the last two take minutes


def test_what_the_limit_leaves_out_counts_as_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "STEPS", 0)
    assert kinds("a b c d", "a c b d") == [("same", "a "), ("removed", "b c"), ("added", "c b"), ("same", " d")]
