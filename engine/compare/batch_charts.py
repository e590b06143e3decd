"""Altair charts of a batch as pure functions of its summary. Every word comes from the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.quality.charts import BLUE, NO_WORDS, PALETTE, Rows, Words

if TYPE_CHECKING:
    import altair as alt

    from engine.compare.batch_results import Line, Measure


def passed_rows(models: Sequence[Mapping[str, Any]]) -> Rows:
    """One row per model that was judged: the share that passed and its interval."""
    return [{"model": one["model"], **one["passed"]} for one in models if one["passed"]]


def passed(models: Sequence[Mapping[str, Any]], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """The share that passed, per model, with 95 % intervals."""
    import altair as alt

    data: Any = {"values": passed_rows(models)}
    share = alt.X("low:Q", title=words.get("passed", "passed"), scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(data).encode(y=alt.Y("model:N", title=None, sort=None))
    point = base.mark_point(filled=True, size=70, color=BLUE).encode(
        x="value:Q", tooltip=["model:N", "value:Q", "low:Q", "high:Q", "n:Q"]
    )
    return alt.layer(base.mark_rule(color=BLUE).encode(x=share, x2="high:Q"), point)


def measured_rows(lines: Sequence[Line], measure: Measure) -> Rows:
    """One row per answer of which that was measured."""
    return [
        {"model": line.cell.model, "row": line.cell.row + 1, "value": value}
        for line in lines
        if (value := line.value(measure)) is not None
    ]


def measured(lines: Sequence[Line], measure: Measure, words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """Every answer's value, per model; the tick is their median."""
    import altair as alt

    data: Any = {"values": measured_rows(lines, measure)}
    title = words.get(measure, measure)
    base = alt.Chart(data).encode(
        y=alt.Y("model:N", title=None, sort=None),
        color=alt.Color("model:N", title=None, legend=None, scale=alt.Scale(range=list(PALETTE))),
    )
    points = base.mark_circle(opacity=0.6, size=50).encode(
        x=alt.X("value:Q", title=title), tooltip=["model:N", "row:Q", "value:Q"]
    )
    return alt.layer(points, base.mark_tick(thickness=3, size=24).encode(x="median(value):Q"))
