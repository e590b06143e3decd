"""What cells say together, and the charts of it: on answers that are made up, so that the figures are known."""

from __future__ import annotations

import csv
import io
import json
import zlib

import pytest

from apps.ui.comptine import chart_words
from apps.ui.i18n import words as words_of
from engine.comptine import charts
from engine.comptine.cell import Cell, CellResult
from engine.comptine.chart_data import heat, survivals, to_csv, to_json, varying
from engine.comptine.score import marks, score
from engine.comptine.summary import compare, summary
from engine.errors import BadInput


def answered(cell: Cell, right: int, *, stops: bool = True) -> CellResult:
    """An answer that gives the first `right` verses of the range and a wrong name in the others."""
    asked = cell.prompt()
    lines = asked.needed_text.split("\n")
    text = "\n".join(lines[:right] + [line.rsplit(" ", 1)[0] + " Personne." for line in lines[right:]])
    return CellResult(
        cell, "done", "m", asked.sha256, text, score(text, asked, finished=stops), marks(text, asked, stops), "stop",
        20 * cell.verses, 20 * cell.verses, 180, 180, 0, 2048, 0.1 * cell.verses, 50.0, 3.0,
    )  # fmt: skip


def cell(verses: int, seed: int, **more: object) -> Cell:
    return Cell(verses, 1, 10, variant="names", seed=seed, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def results() -> list[CellResult]:
    """Right up to verse 10, 9 and 5 at 10, 20 and 30 verses; at 90 the answer does not fit."""
    found = [answered(cell(verses, seed), right, stops=verses == 10)
             for verses, right in ((10, 10), (20, 9), (30, 5)) for seed in (1, 2, 3)]  # fmt: skip
    unfit = cell(90, 1)
    return [*found, CellResult(unfit, "budget", "m", unfit.prompt().sha256, total=1990, needed=180, window=2048)]


def test_the_summary_has_intervals_over_seeds(results: list[CellResult]) -> None:
    found = summary(results)
    assert (found["cells"], found["statuses"]) == (10, {"done": 9, "budget": 1})
    rows = {row["verses"]: row for row in found["rows"]}
    assert rows[20]["strict"] == {
        "value": pytest.approx(0.9),
        "low": pytest.approx(0.9),
        "high": pytest.approx(0.9),
        "n": 3,
    }
    assert rows[10]["obedience"]["value"] == 1.0 and rows[10]["obedience"]["low"] == pytest.approx(0.438, abs=1e-3)
    assert rows[30]["obedience"]["value"] == 0.0
    assert rows[90]["strict"] is None and rows[90]["budget"] == 1  # never scored 0
    (curve,) = found["effective"]
    assert (curve["relative"]["tokens"], curve["absolute"]["tokens"]) == (400, 400)
    json.dumps(found)


def test_two_settings_are_compared_on_the_same_seeds() -> None:
    one = [answered(cell(10, seed), 10) for seed in (1, 2, 3)]
    other = [answered(cell(10, seed, shots=1), 5) for seed in (1, 2, 3, 4)]
    found = compare(one, other)
    assert (found.wins, found.losses, found.difference.n) == (3, 0, 3)
    assert found.difference.value == pytest.approx(0.5) and found.clear
    assert varying(one + other) == ("shots",)
    with pytest.raises(BadInput):
        compare(one, [answered(cell(20, 1), 5)])


def test_rows_of_heat_map_and_survival(results: list[CellResult]) -> None:
    rows = {(row["verses"], row["verse"]): row for row in heat(results)}
    assert rows[20, 9]["exact"] == 1.0 and rows[20, 10]["exact"] == 0.0
    assert rows[90, 1]["exact"] is None and rows[90, 1]["state"] == "budget"
    alive = {(row["verses"], row["place"]): row["value"] for row in survivals(results)}
    assert (alive[10, 10], alive[20, 9], alive[20, 10], alive[30, 5], alive[30, 6]) == (1, 1, 0, 1, 0)


def test_csv_and_json_hold_every_row(results: list[CellResult]) -> None:
    rows = [result.row() for result in results]
    rows[0]["answer"] = '=1+1, "x"\n'
    told = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert len(told) == 10 and told[0]["answer"] == '\'=1+1, "x"\n' and told[0]["strict"] == "1.0"
    assert json.loads(to_json(rows))[-1]["strict"] is None and to_csv([]) == ""


@pytest.mark.parametrize("name", sorted(charts.CHARTS))
def test_every_chart_says_only_the_callers_words(results: list[CellResult], name: str) -> None:
    words = {key: f"«{key}»" for key in ("verses", "place", "prompt_tokens", "first_token", "model_tokens", "exact")}
    chart = charts.CHARTS[name](results, words)
    assert charts.CHART_ROWS[name](results)
    svg = charts.to_svg(chart)
    assert svg.startswith("<svg") and "«" in svg and "http" not in svg.split(">", 1)[1]
    charts.to_svg(charts.CHARTS[name]([]))  # nothing measured yet


def test_numbers_on_axes_are_the_readers(results: list[CellResult]) -> None:
    for lang, sign in (("fr", ","), ("en", ".")):
        svg = charts.to_svg(charts.accuracy(results, chart_words(words_of(lang))))
        assert f">0{sign}5<" in svg or f">0{sign}50<" in svg


def test_a_png_is_a_png(results: list[CellResult]) -> None:
    data = charts.to_png(charts.first_token(results), scale=1)
    assert data.startswith(b"\x89PNG") and zlib.crc32(data)
