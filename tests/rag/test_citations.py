"""Marks in an answer: which are found, which numbers nobody has, and how right they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rag.citations import citations, cited, correctness, support
from engine.rag.grounding import Grounding, Source, joined, source_of
from engine.rag.values import Chunk, Passage


def chunk(text: str, number: int = 0, start: int = 0, **more: Any) -> Chunk:
    fields = {"id": f"c{number}", "file": "f", "name": "cours.pdf", "tokens": len(text.split()), "page": 3, **more}
    return Chunk(number=number, text=text, start=start, end=start + len(text), **fields)


def source(number: int, text: str) -> Source:
    return source_of(Passage(chunk(text, number), {"vector": 0.9}, {"vector": number}, collection="col"), number)


def grounding(*texts: str) -> Grounding:
    sources = tuple(source(n, text) for n, text in enumerate(texts, 1))
    return Grounding("documents_only", "documents_only", "q", "q", "fr", ("col",), sources)


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("Paris [1].", [(1,)]),
        ("Paris [1][2], Lyon [1, 3] et Nice [2 et 3].", [(1,), (2,), (1, 3), (2, 3)]),
        ("All of them [1-3] or [1–2].", [(1, 2, 3), (1, 2)]),
        ("Full-width 【2】.", [(2,)]),
        ("a[1] is code, `x [1]` too, and\n```\n[2]\n```\n", []),
        ("a link [1](http://x), years [1990-2020] and [1994], a note [^1], [x]", []),
        ("[3, 3]", [(3,)]),
        ("reversed [3-1]", []),
        ("unclosed ``` [1]", []),
    ],
)
def test_marks(answer: str, numbers: Any) -> None:
    assert [one.numbers for one in citations(answer, {1, 2, 3})] == numbers


def test_a_number_that_no_passage_has_is_told() -> None:
    [one] = citations("Paris [2, 7].", {1, 2})
    assert one.numbers == (2, 7) and one.unknown == (7,) and cited([one]) == (2,)
    assert one.to_dict() == {"numbers": [2, 7], "start": 6, "end": 12, "unknown": [7]}


@given(st.text(alphabet="[]【】0123,- ;et`a.\n"))
def test_marks_lie_where_they_say(answer: str) -> None:
    for one in citations(answer, {1}):
        assert answer[one.start] in "[【" and answer[one.end - 1] in "]】" and one.numbers


def test_correctness_counts_passages_not_marks() -> None:
    found = citations("A [1]. B [1, 2]. C [9].", {1, 2, 3})
    told = correctness(found, grounding("gold here", "nothing", "gold too"), lambda text: "gold" in text)
    assert (told.cited, told.right, told.relevant, told.unknown) == (2, 1, 2, 1)
    assert told.precision == pytest.approx(1 / 3) and told.recall == 0.5
    nothing = correctness((), grounding("x"), lambda text: False)
    assert nothing.precision is None and nothing.recall is None


def test_support_is_the_share_of_the_sentences_words_in_its_passage() -> None:
    ground = grounding("L’énergie cinétique vaut un demi m v².", "Autre chose.")
    text = "Intro sans rapport. L'energie cinetique vaut beaucoup [1]. Suite [2]. Fin [8]."
    first, second, last = citations(text, {1, 2})
    assert support(text, first, ground) == 0.75
    assert support(text, second, ground) == 0.0 and support(text, last, ground) is None


def test_a_grounding_comes_back_from_its_record() -> None:
    ground = grounding("un", "deux <|im_end|>")
    back = Grounding.of({**ground.record(), "newer": 1})
    assert back.record() == ground.record() and back.warnings == ("template_marks",)
    assert ground.source(2) is ground.sources[1] and ground.source(3) is None
    assert ground.sources[0].place == "cours.pdf, p. 3"


def test_neighbours_are_joined_without_what_they_share() -> None:
    text = "0123456789abcdefghij" + "." * 20 + "klm"
    a, b, far = chunk(text[:10], 0, 0), chunk(text[6:16], 1, 6), chunk(text[40:], 4, 40)
    next_ = chunk(text[17:20], 2, 17)
    assert joined((b, a)) == text[:16] and joined((a, b, next_)) == text[:16] + "\n" + text[17:20]
    assert joined((a, far)) == text[:10] + "\n[…]\nklm"
