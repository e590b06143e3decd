"""What policies keep, on tokens that can be counted by hand; bisection finds what a linear search finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.comptine.behaviours import BEHAVIOURS
from engine.comptine.overflow import (
    OVERFLOW_POLICIES,
    bisect,
    kept,
    last_answer,
    last_prompt,
    ollama_limit,
    piece_bytes,
    survivors,
    text_of,
)
from engine.comptine.rhyme import rhyme
from engine.errors import BadParameter


def test_refuse_is_llama_cpps_boundary() -> None:
    assert kept(2047, 2048, "refuse").ranges == ((0, 2047),)
    found = kept(2048, 2048, "refuse")
    assert found.refused and found.ranges == () and found.tokens == 0


def test_policies_by_hand() -> None:
    assert kept(100, 50, "keep_end", reserve=10).ranges == ((60, 100),)
    assert kept(100, 50, "cut_middle", reserve=11).ranges == ((0, 20), (81, 100))
    assert kept(100, 50, "rolling", reserve=10, head=15).ranges == ((0, 15), (75, 100))
    assert kept(100, 50, "rolling", reserve=10).ranges == ((60, 100),)
    assert kept(40, 50, "keep_end", reserve=10).whole
    assert not kept(41, 50, "keep_end", reserve=10).whole  # the answer needs its room


def test_ollama_keeps_half_a_window() -> None:
    assert ollama_limit(4096) == 2050  # its own log: limit=2050 prompt=8707 keep=4 new=2050
    found = kept(8707, 4096, "ollama")
    assert (found.tokens, found.ranges) == (2050, ((0, 4), (8707 - 2046, 8707)))
    assert kept(4095, 4096, "ollama").whole


@given(
    st.integers(0, 3000),
    st.integers(16, 2000),
    st.sampled_from(OVERFLOW_POLICIES),
    st.integers(0, 2500),
    st.integers(0, 90),
)
def test_what_is_kept_always_fits(total: int, window: int, policy: str, reserve: int, head: int) -> None:
    found = kept(total, window, policy, reserve=reserve, head=head)  # type: ignore[arg-type]
    assert found.tokens < window and found.tokens <= total
    flat = [number for pair in found.ranges for number in pair]
    assert flat == sorted(flat) and all(0 <= number <= total for number in flat)


@pytest.mark.parametrize("wrong", [{"policy": "forget"}, {"window": 2}, {"total": -1}, {"reserve": -1}])
def test_bad_values_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(BadParameter):
        kept(**{"total": 10, "window": 100, "policy": "refuse", **wrong})  # type: ignore[arg-type]


def test_which_verses_survive() -> None:
    made = rhyme(10)
    message = f"{made.text}\n\nRépète tout."
    prompt = f"<s>{message}</s>"
    pieces = piece_bytes([prompt[i : i + 3] for i in range(0, len(prompt), 3)])
    cut = kept(len(pieces), 63, "keep_end", reserve=10)
    found = survivors(pieces, cut, message, made.text, made.verses)
    assert text_of(pieces, cut) in prompt and text_of(pieces, cut).endswith("tout.</s>")
    assert found.verses[0] == "gone" and found.verses[-1] == "whole" and "part" in found.verses
    assert (found.question, found.template) == ("whole", "gone")
    assert found.count == sum(verse in text_of(pieces, cut) for verse in made.verses)
    everything = survivors(pieces, kept(len(pieces), 9999, "keep_end"), message, made.text, made.verses)
    assert everything.count == 10 and everything.template == "whole"
    nothing = survivors(pieces, kept(len(pieces), 60, "refuse"), message, made.text, made.verses)
    assert nothing.count == 0 and nothing.question == "gone"


def test_a_torn_character_is_left_out() -> None:
    pieces = piece_bytes(["a", (0xC3,), (0xA9,), "b" * 20])
    assert text_of(pieces, kept(4, 8, "keep_end", reserve=6)) == "b" * 20


@given(st.integers(0, 400), st.integers(1, 300))
def test_bisection_finds_the_last(last: int, high: int) -> None:
    found = bisect(lambda number: number <= last, high=high)
    assert found.last == (min(last, high) or None)
    assert len(found.steps) <= 20 and all(held == (number <= last) for number, held in found.steps)


def test_prompt_and_answer_have_their_own_end() -> None:
    assert last_prompt(lambda verses: 50 + 18 * verses, 2048).last == 110
    assert last_answer(lambda verses: 50 + 18 * verses, lambda verses: 540, 2048).last == 81
    assert last_prompt(lambda verses: 100, 50).last is None


def test_behaviours_are_complete() -> None:
    assert len({one.id for one in BEHAVIOURS}) == len(BEHAVIOURS)
    assert all(one.source and one.policy in OVERFLOW_POLICIES for one in BEHAVIOURS)
    texts = {one.id: one.text for one in BEHAVIOURS}
    assert "exceed_context_size_error" in texts["llamacpp"] and "truncating input prompt" in texts["ollama"]
