"""Pieces of a prompt and scored tokens of an answer, from what llama.cpp and OpenAI-style servers really send."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.token_view import Alternative, Piece, answer_tokens, prefix, special_spans, strip, visible
from engine.types import Rendered

START, END = 1, 2


def chat_prompt(text: str) -> Rendered:
    """A prompt of one token per character, its template's two signs special; four-byte letters come in two tokens."""
    tokens: list[int] = [START]
    pieces: list[str | tuple[int, ...]] = ["<|im_start|>"]
    for letter in text:
        data = letter.encode()
        for part in (data[:2], data[2:]) if len(data) == 4 else (data,):
            tokens.append(100 + len(tokens))
            pieces.append(letter if part == data else tuple(part))
    return Rendered(f"<|im_start|>{text}<|im_end|>", (*tokens, END), (*pieces, "<|im_end|>"), frozenset({START, END}))


def test_specials_are_marked_and_found_in_the_text() -> None:
    rendered = chat_prompt("hi")
    assert strip(rendered) == (
        Piece(START, "<|im_start|>", special=True),
        Piece(101, "h"),
        Piece(102, "i"),
        Piece(END, "<|im_end|>", special=True),
    )
    assert [rendered.prompt[start:end] for start, end in special_spans(rendered)] == ["<|im_start|>", "<|im_end|>"]


def test_a_sign_that_only_the_tokens_have_is_in_no_span() -> None:
    rendered = Rendered("Hi <s>", (1, 5, 1), ("<s>", "Hi ", "<s>"), frozenset({1}))
    assert [piece.special for piece in strip(rendered)] == [True, False, True]
    assert special_spans(rendered) == ((3, 6),)


def test_parts_of_a_character_say_whose_they_are() -> None:
    one, two = strip(chat_prompt("🧒"))[1:3]
    assert (one.text, one.part_of) == ("<F0><9F>", "🧒")
    assert (two.text, two.part_of) == ("<A7><92>", "🧒")


def test_parts_of_no_character_stay_bytes() -> None:
    assert [piece.text for piece in strip(Rendered("", (7, 8), ((0xF0,), "a")))] == ["<F0>", "a"]
    assert strip(Rendered("", (7,), ((0xFF,),)))[0].part_of is None


def test_pieces_need_not_be_told() -> None:
    assert strip(Rendered("hi", (7, 8))) == (Piece(7, ""), Piece(8, ""))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_token_is_lost_whatever_the_text(text: str) -> None:
    rendered = chat_prompt(text)
    found = strip(rendered)
    assert tuple(piece.id for piece in found) == rendered.tokens
    json.dumps([piece.shown for piece in found])


def test_white_space_and_control_characters_are_visible() -> None:
    assert visible(" a\n\t\x1b\u202eé") == "␣a⏎⇥<1B><202E>é"


def entry(token: str, logprob: float | None, data: bytes | None = None, **more: Any) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode() if data is None else data), **more}


def test_llamacpps_entries() -> None:
    top = [entry("", -0.5, b"\xf0\x9f", id=3), entry("I", -2.8, id=57), entry("", -4.0, b"", id=0)]
    (scored,) = answer_tokens([entry("I", -2.8, id=57, top_logprobs=top)])
    assert (scored.text, scored.id, scored.probability) == ("I", 57, pytest.approx(math.exp(-2.8)))
    assert scored.alternatives == (
        Alternative("<F0><9F>", pytest.approx(math.exp(-0.5)), False),
        Alternative("I", pytest.approx(math.exp(-2.8)), True),
        Alternative("", pytest.approx(math.exp(-4.0)), False),
    )


def test_probabilities_after_sampling() -> None:
    told = {
        "id": 1,
        "token": "a",
        "bytes": [97],
        "prob": 1.0,
        "top_probs": [{"token": "a", "bytes": [97], "prob": 1.0}],
    }
    (scored,) = answer_tokens([told])
    assert scored.probability == 1.0 and scored.alternatives == (Alternative("a", 1.0),)


def test_a_character_of_several_tokens_is_one() -> None:
    """As OpenAI sends it; llama.cpp holds the first tokens back and sends the whole character with the last."""
    told = [entry("\\xf0\\x9f", -0.1, b"\xf0\x9f", top_logprobs=[entry(" I", -3)]), entry("x", -0.2, b"\xa7\x92")]
    told += [entry("!", -1)]
    child, mark = answer_tokens(told)
    assert (child.text, child.probability) == ("🧒", pytest.approx(math.exp(-0.3)))
    assert child.alternatives == (Alternative(" I", pytest.approx(math.exp(-3))),)
    assert mark.text == "!"


def test_an_answer_that_was_cut_within_a_character() -> None:
    (scored,) = answer_tokens([entry("", -0.1, b"\xf0\x9f")])
    assert scored.text == "\ufffd"


@pytest.mark.parametrize("logprob", [None, 0.5, -9999.0, float("-inf"), float("nan")])
def test_every_probability_is_one(logprob: float | None) -> None:
    (scored,) = answer_tokens([{"token": "a", "logprob": logprob, "bytes": None, "top_logprobs": None}])
    assert scored.text == "a" and 0 <= scored.probability <= 1


def test_a_branch_begins_before_the_token_and_with_the_alternative() -> None:
    scored = answer_tokens([entry("The", -1), entry(" cat", -1), entry(" sat", -1)])
    assert prefix(scored, 1, " dog") == "The dog"
    assert prefix(scored, 0, "A") == "A"
