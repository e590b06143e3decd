"""Answer quality from given answers: hand-computed means, refusals, what nothing was measured of."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import BadInput
from engine.rag.citations import unmarked
from engine.rag.quality import Answer, quality, spread
from engine.rag.questions import Question


def answer(kind: Any = "answerable", **values: Any) -> Answer:
    usual = {"f1": 0.0, "exact": 0.0, "cited_right": None, "found_cited": None, "refused": False}
    return Answer("q", kind, "texte", **{**usual, **values})


def test_means_over_what_has_an_answer_and_refusals_of_each_kind() -> None:
    told = quality([
        answer(f1=1.0, exact=1.0, cited_right=0.5, found_cited=1.0), answer(f1=0.5, found_cited=0.0),
        answer("unanswerable", f1=1.0, refused=True), answer("off_topic", refused=True), answer("off_topic"),
    ])["metrics"]  # fmt: skip
    assert told == {"f1": 0.75, "exact": 0.5, "cited_right": 0.5, "found_cited": 0.5, "refused_answerable": 0.0,
                    "refused_unanswerable": 1.0, "refused_off_topic": 0.5}  # fmt: skip
    assert "cited_right" not in quality([answer()])["metrics"]
    assert quality([answer("off_topic", refused=True)])["metrics"] == {"refused_off_topic": 1.0}


def test_some_questions_from_all_over_the_set() -> None:
    every = [Question(str(n), "?") for n in range(10)]
    assert [one.id for one in spread(every, 3)] == ["0", "3", "6"]
    assert len(spread(every, 99)) == 10
    for none in (spread, lambda questions, number: spread([], 3)):
        with pytest.raises(BadInput) as raised:
            none(every, 0)
        assert raised.value.details["reason"] == "no_questions"


def test_an_answer_without_its_marks() -> None:
    assert unmarked("À midi [1], de Nice [2, 3].") == "À midi , de Nice ."
