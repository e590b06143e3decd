"""Altair chart of an evaluation as a pure function of its result. Every word comes from the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

Words = Mapping[str, str]
NO_WORDS: Words = MappingProxyType({})
SHOWN = ("recall@1", "recall@3", "recall@5", "mrr", "ndcg@10")
BLUE = "#0072B2"  # Okabe-Ito


def chart_rows(result: Mapping[str, Any], measures: Sequence[str] = SHOWN) -> list[dict[str, Any]]:
    """One row per configuration and measure with its interval: what the chart shows, to download too."""
    return [
        {"configuration": one["configuration"]["name"], "measure": name, **one["intervals"][name]}
        for one in result["configurations"]
        for name in measures
        if name in one["intervals"]
    ]


def comparison(
    result: Mapping[str, Any], words: Words = NO_WORDS, measures: Sequence[str] = SHOWN
) -> alt.TopLevelMixin:
    """One panel per measure: a point for each configuration, in the result's order, with its 95 % interval."""
    import altair as alt

    rows = [
        row | {key: words.get(row[key], row[key]) for key in ("configuration", "measure")}
        for row in chart_rows(result, measures)
    ]
    order = list(dict.fromkeys(row["configuration"] for row in rows))
    data: Any = {"values": rows}
    base = alt.Chart(data).encode(
        y=alt.Y("configuration:N", sort=order, title=words.get("configuration", "configuration"))
    )
    scale = alt.Scale(domain=[0, 1])
    span = base.mark_rule(color=BLUE).encode(x=alt.X("low:Q", scale=scale, title=None), x2="high:Q")
    point = base.mark_point(color=BLUE, filled=True, size=60).encode(
        x=alt.X("value:Q", scale=scale, title=None),
        tooltip=[alt.Tooltip(f"{name}:{kind}") for name, kind in (("configuration", "N"), ("measure", "N"),
                                                                  ("value", "Q"), ("low", "Q"), ("high", "Q"))],
    )  # fmt: skip
    names = [words.get(name, name) for name in measures]
    return alt.layer(span, point).properties(width=160).facet(column=alt.Column("measure:N", sort=names, title=None))
