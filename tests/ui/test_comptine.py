"""The rhyme's results in words: the same in both interfaces, in both languages."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from apps.ui import comptine, verses
from apps.ui.comptine_cell import START, cell_of, from_address, to_address, values_of
from apps.ui.i18n import LANGUAGES, Language, words
from engine.comptine.behaviours import BEHAVIOURS
from engine.comptine.cell import METRICS, Cell, CellResult
from engine.comptine.charts import STATE_COLOURS
from engine.comptine.guided import steps
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.comptine.question import KINDS, PLACES
from engine.comptine.rhyme import VARIANTS
from engine.comptine.score import STATES, marks, score
from engine.comptine.tokens import Tokens

CELL = Cell(verses=30, first=1, last=10)


def result(answer: str, cell: Cell = CELL, *, outcome: str = "stop", **values: Any) -> CellResult:
    """What a model that says this gets."""
    asked, finished = cell.prompt(), outcome == "stop"
    return CellResult(
        cell, "done", "echo", asked.sha256, answer, score(answer, asked, finished=finished),
        marks(answer, asked, finished), outcome, **values,
    )  # fmt: skip


def said(*names: str, start: int = 1) -> str:
    return "\n".join(f"Vers {n}: Le nom de carnet {n} est {name}." for n, name in enumerate(names, start))


DRIFTED = said(*["Marin"] * 8, "marin", "Marin", "Marin")


def test_the_verdict_of_the_design() -> None:
    drifted = result(DRIFTED, outcome="max_tokens")
    assert comptine.verdict(drifted, words("en")) == (
        "9 of 10 exact, first drift at verse 9 (Marin → marin), kept going after verse 10"
    )
    assert comptine.verdict(drifted, words("fr")) == (
        "9 sur 10 exacts, première dérive au vers 9 (Marin → marin), a continué après le vers 10"
    )


@pytest.mark.parametrize(
    ("answer", "outcome", "told"),
    [
        (said(*["Marin"] * 10), "stop", "10 of 10 exact, then stopped"),
        (said(*["Marin"] * 4), "max_tokens", "4 of 10 exact, first missing verse: 5, cut at the maximum length"),
        ("no idea", "stop", "0 of 10 exact, no verse to be made out"),
        (said("Marin") + "\n" + said("Marin"), "stop",
         "1 of 10 exact, first missing verse: 2, then stopped, 1 repetition"),
    ],
)  # fmt: skip
def test_each_way_to_end_has_its_words(answer: str, outcome: str, told: str) -> None:
    assert comptine.verdict(result(answer, outcome=outcome), words("en")) == told


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("status", ["budget", "refused", "stopped", "failed"])
def test_what_was_not_scored_says_why(lang: Language, status: Any) -> None:
    none = CellResult(CELL, status, "echo", "x", total=3000, needed=200, window=2048)
    assert comptine.verdict(none, words(lang))
    assert comptine.verdict(replace(none, total=None, needed=0), words(lang))
    assert {row.value for row in comptine.metrics(none, words(lang)) if row.key != "budget"} == {"–"}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_that_can_be_chosen_or_told_has_a_word(lang: Language) -> None:
    say = words(lang)
    keys = [f"comptine.{table}.{name}" for table, names in {
        "variants": VARIANTS, "kinds": KINDS, "places": PLACES, "policies": OVERFLOW_POLICIES, "state": STATES,
        "metric_name": METRICS, "metric_help": METRICS,
        "prompts": {one.prompt for one in BEHAVIOURS}, "fulls": {one.full for one in BEHAVIOURS},
    }.items() for name in names]  # fmt: skip
    for step in steps():
        keys += [f"comptine.step.{step.id}", f"comptine.step.{step.id}_text"]
        keys += [f"comptine.reading.{name}" for name in (*step.readings, *step.hypotheses)]
    assert [key for key in keys if not say.has(key)] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_metrics_are_the_engines(lang: Language) -> None:
    rows = comptine.metrics(result(DRIFTED), words(lang))
    assert [row.key for row in rows] == list(METRICS)
    assert {row.key: row.value for row in rows}["strict"] == ("0,90" if lang == "fr" else "0.90")
    assert all(row.name and row.help for row in rows)


def test_the_strip_is_text_and_tells_each_verse() -> None:
    data = json.loads(json.dumps(verses.strip_data(result(DRIFTED).marks, CELL, words("en"))))
    assert [entry["state"] for entry in data["verses"]] == ["exact"] * 8 + ["drift", "exact"]
    assert data["verses"][8]["label"] == "Verse 9: drift: case, accent or letter (Marin → marin)"
    assert [(entry["n"], entry["state"]) for entry in data["extra"]] == [(11, "out_of_range")]
    hostile = result(said("<img src=x>", "Marin"))
    assert "<img" not in comptine.verdict(hostile, words("en"))


def test_the_style_has_a_colour_for_every_state_and_the_script_reads_no_html() -> None:
    for state, colour in STATE_COLOURS.items():
        if state != "not_reached":
            assert f".verse.{state} {{" in verses.style() and colour.lower() in verses.style()
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "DOMParser"):
        assert risky not in verses.script()
    assert "url(" not in verses.style()


def test_an_address_gives_the_values_back_and_never_a_text() -> None:
    cell = Cell(69, 1, 30, seed=7, prefix="auto", window=2048, policy="ollama", place="both", shots=1)
    values = values_of(cell)
    assert cell_of(from_address(to_address(values))) == cell
    assert to_address(START) == {}
    private = {**values, "kind": "custom", "text": "my secret", "prefix": "my own"}
    assert not {"my secret", "my own"} & set(to_address(private).values())
    assert from_address({"n": "many", "variant": "x", "draw": "-1", "window": "7"}) == dict(START)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_bars_and_pictures_say_their_numbers(lang: Language) -> None:
    say = words(lang)
    fits = Tokens(600, 500, 700, 730, 30, 200, 2048)
    assert [bar.tokens for bar in comptine.token_bars(fits, say)] == [600, 500, 700]
    assert "730" in comptine.budget_text(fits, say) and comptine.budget_gauge(fits, say) is not None
    texts = {comptine.budget_text(replace(fits, window=size), say) for size in (2048, 900, 700)}
    assert len(texts) == 3
    assert comptine.budget_gauge(replace(fits, server=None), say) is None
    left = {"verses": ["gone"] * 3 + ["part"] + ["whole"] * 6, "question": "whole", "template": "whole", "count": 6}
    assert [(run.first, run.last, run.fate) for run in comptine.survivor_runs(left, say)] == [
        (1, 3, "gone"), (4, 4, "part"), (5, 10, "whole"),
    ]  # fmt: skip
    for made in (comptine.survivors_html(left, say), comptine.token_bars_html(fits, say), comptine.legend_html(say)):
        assert "<script" not in made and made.count("<div") == made.count("</div")
