"""The waterfall: rows that stay rows through all stages, a segment without gaps, both languages, an SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from apps.ui import sampling
from apps.ui.i18n import LANGUAGES, Language, catalogue, words
from engine.params import SAMPLERS, Params
from engine.sampling import chi_square, draws
from engine.sampling.moments import Moment, judged
from engine.sampling.picture import waterfall

TEXTS = [f"t{number}<&>" for number in range(100)]
LOGITS = np.linspace(5, -5, 100)


def shown(token: int) -> str:
    return TEXTS[token]


def now(order: str = "llama", **values: float) -> Moment:
    return judged(LOGITS, sampling.recipe_of(Params(values), order))


def test_a_token_has_the_same_row_in_all_columns_and_all_masses_come_to_one() -> None:
    drawn = waterfall(now(top_k=5).stages, shown, 15)
    assert [stage.step.kind for stage in drawn.stages] == ["raw", "top_k", "top_p", "min_p", "temperature"]
    assert [row.token for row in drawn.rows] == list(range(15))
    for at in range(len(drawn.stages)):
        whole = sum(row.shares[at] for row in drawn.rows) + drawn.others.shares[at]
        assert whole == pytest.approx(1)
    assert drawn.rows[0].left[1] and not drawn.rows[5].left[1] and drawn.others.count == 0


def test_what_a_grammar_leaves_and_what_the_dart_hits_have_rows_however_unlikely_they_were() -> None:
    logits = LOGITS.copy()
    found = judged(logits, sampling.recipe_of(Params(temperature=2.0, top_k=0, top_p=1.0, min_p=0.0, seed=5)))
    assert found.dart is not None
    drawn = waterfall(found.stages, shown, 2, found.dart)
    assert found.dart.token in {row.token for row in drawn.rows} and len(drawn.rows) == 2


def test_the_segment_has_no_gap_and_the_dart_lies_in_its_part() -> None:
    found = now(seed=3)
    drawn = sampling.picture(found, shown)
    assert found.dart is not None
    assert (drawn.parts[0].begin, drawn.parts[-1].end) == (0.0, 1.0)
    for one, other in zip(drawn.parts, drawn.parts[1:], strict=False):
        assert one.end == pytest.approx(other.begin)
    hit = next(part for part in drawn.parts if part.begin <= found.dart.u < part.end)
    assert hit.token == found.dart.token


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_is_said_in_both_languages_and_what_a_model_wrote_stays_data(lang: Language) -> None:
    told, found = words(lang), now(seed=3)
    data = sampling.waterfall_data(found, shown, told)
    assert len(data["columns"]) == 5 and len(data["rows"]) == 16
    assert sum(part["size"] for part in data["segment"]["parts"]) == pytest.approx(1, abs=1e-3)
    assert data["rows"][0]["text"] == "t0<&>" and data["rows"][-1]["id"] is None
    drawn = ElementTree.fromstring(sampling.picture_svg(found, shown, told))
    assert any("t0<&>" in (text.text or "") for text in drawn.iter("{http://www.w3.org/2000/svg}text"))
    counts = draws(found.stages[-1], 200, 1)
    assert "χ²" in sampling.chi_told(counts, found.stages[-1], told)
    assert sum(row["seen"] for row in sampling.draw_rows(counts, found.stages[-1], shown, 100)) == 200
    assert len(sampling.stage_rows(found, shown, told)) == 5
    assert sampling.rows_csv(found, shown).count("\n") == 1 + 16 * 5


def test_the_order_of_hugging_face_cuts_after_the_temperature() -> None:
    values = dict(sampling.EXERCISES["order"])
    one, other = now(**values), now("huggingface", **values)
    assert one.stages[-1].survivors < other.stages[-1].survivors


def test_one_token_alone_is_nothing_to_compare() -> None:
    last = now(top_k=1).stages[-1]
    counts = draws(last, 200, 1)
    assert chi_square(counts, last.probabilities)[1] == 0
    assert sampling.chi_told(counts, last, words("en")) == words("en").t("sampling.chi_none")


def test_every_stage_and_every_exercise_has_its_words() -> None:
    assert set(SAMPLERS) <= set(sampling.KINDS)
    for kind in sampling.KINDS:
        assert catalogue("en")[f"sampling.kind.{kind}"] and catalogue("en")[f"sampling.does.{kind}"]
    for name, values in sampling.EXERCISES.items():
        assert catalogue("en")[f"sampling.exercise.{name}"]
        Params(values)


@pytest.mark.parametrize("told", [None, {}, {"token": True}, {"token": "1"}, {"token": 100}, {"token": -1}, [1]])
def test_a_browser_may_say_anything(told: object) -> None:
    assert sampling.chosen_of(told, 100) is None
    assert sampling.chosen_of({"token": 99}, 100) == 99
