"""Every metric against answers of the bundled model (SmolLM2-135M-Instruct, Q8_0) that a person read and labelled.

The labels were written from the answers alone, by the definitions of `Score`, edit distances counted by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.comptine.question import Prompt, Question, prompt
from engine.comptine.rhyme import rhyme
from engine.comptine.score import Score, marks, score
from engine.comptine.tokens import Tokens

CASES = json.loads((Path(__file__).parents[1] / "data" / "comptine" / "answers.json").read_text(encoding="utf-8"))


def prompt_of(case: dict[str, Any]) -> Prompt:
    made = rhyme(case["verses"], case["variant"], seed=case["seed"], language=case["language"])
    return prompt(made, Question(**case["question"]))


def name_of(case: dict[str, Any]) -> str:
    asked = case["question"]
    return f"{case['verses']}-{case['variant']}-{case['language']}-{case['seed']}-{asked.get('kind', 'range')}"


def test_there_are_enough_of_every_kind() -> None:
    assert len(CASES) >= 60
    for name, few in {"obedience": 8, "gibberish": 5, "example_leak": 4, "invented": 5, "duplicates": 8, "omissions": 5,
                      "out_of_range": 20, "budget": 2}.items():  # fmt: skip
        assert sum(bool(case["labels"][name]) for case in CASES) >= few, name
    assert sum(not case["labels"]["in_order"] for case in CASES) >= 5


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_metric_agrees_with_the_label(case: dict[str, Any]) -> None:
    asked, labels = prompt_of(case), case["labels"]
    assert asked.sha256 == case["sha256"]  # the very prompt that was answered
    counts = Tokens(0, 0, None, case["prompt_tokens"], None, case["needed_tokens"], case["window"])
    found = score(case["answer"], asked, finished=case["outcome"] == "stop", budget=counts.fits is False)
    assert found == Score(**{**labels, "fuzzy": labels["fuzzy"] and pytest.approx(labels["fuzzy"])})


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_strip_never_takes_a_mark_back(case: dict[str, Any]) -> None:
    asked = prompt_of(case)
    whole = marks(case["answer"], asked, False)
    for cut in range(0, len(case["answer"]), 29):
        partial = marks(case["answer"][:cut], asked, False)
        for before, after in zip(partial, whole, strict=False):
            assert before == after or before.state in ("not_reached", "missing")
