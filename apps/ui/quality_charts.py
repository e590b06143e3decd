"""The charts of quantizations and of speed, each with its words as an alternative. Knows no widget and no framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.ui.evaluation import number_locale, values
from apps.ui.i18n import Words
from apps.ui.quality import Result, rounded
from apps.ui.quality_tables import kind_of, rate, rates
from apps.ui.theme import OKABE_ITO

MEASURES = ("perplexity", "mean_kld", "writes")
MEGABYTE = 1_000_000


def points(result: Result, measure: str, words: Words) -> list[dict[str, Any]]:
    """One point a number format: size in MB, the measure and its ends (one standard error), its name."""
    found = []
    for row in result["rows"]:
        value = None if "error" in row else _value(row, measure)
        if value is not None:
            error = 0.0 if measure == "writes" or (row["base"] and measure == "mean_kld") else row[f"{measure}_error"]
            found.append({"size": row["size_bytes"] / MEGABYTE, "value": value, "low": value - error,
                          "high": value + error, "name": kind_of(row, words), "base": row["base"]})  # fmt: skip
    return found


def _value(row: Mapping[str, Any], measure: str) -> float | None:
    if measure == "writes":
        return rates(row)[1]
    if measure == "mean_kld" and row["base"]:
        return 0.0
    value: float | None = row.get(measure)
    return value


def scatter(result: Result, measure: str, words: Words) -> Any:
    """A measure of every number format against its size; the source is a square."""
    import altair as alt

    title = words.t(f"quality_kinds.measures.{measure}")
    x = alt.X("size:Q", title=words.t("quality_kinds.axis"), scale=alt.Scale(zero=False, padding=30))
    scale = alt.Scale(zero=measure == "mean_kld", padding=20)
    y = alt.Y("value:Q", title=title, scale=scale)
    tips = [alt.Tooltip("name:N", title=words.t("quality_kinds.column.kind")),
            alt.Tooltip("size:Q", title=words.t("quality_kinds.axis"), format=",.1f"),
            alt.Tooltip("value:Q", title=title, format=",.4~f")]  # fmt: skip
    base = alt.Chart(values(points(result, measure, words))).encode(x=x, tooltip=tips)
    bars = base.mark_rule(color=OKABE_ITO["blue"]).encode(y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q")
    shape = alt.Shape("base:N", legend=None, scale=alt.Scale(domain=[False, True], range=["circle", "square"]))
    dots = base.mark_point(filled=True, size=90, color=OKABE_ITO["blue"], opacity=1).encode(y=y, shape=shape)
    names = base.mark_text(align="left", dx=9, dy=-9, color=OKABE_ITO["vermillion"]).encode(y=y, text="name:N")
    return alt.layer(bars, dots, names).configure(locale=number_locale(words))


def scatter_text(result: Result, measure: str, words: Words) -> str:
    """The scatter as a sentence."""
    parts = [
        words.t("quality_kinds.chart", kind=one["name"], size=words.size(round(one["size"] * MEGABYTE)),
                value=rounded(one["value"], one["high"] - one["value"], words))
        for one in points(result, measure, words)
    ]  # fmt: skip
    return f"{words.t(f'quality_kinds.measures.{measure}')} · {' · '.join(parts)}"


def speed_chart(result: Result, words: Words) -> Any:
    """Tokens per second of every test as a point with its standard deviation, in the order of the table."""
    import altair as alt

    data = [{"name": name, "value": row["avg_ts"], "low": max(0.0, row["avg_ts"] - row["stddev_ts"]),
             "high": row["avg_ts"] + row["stddev_ts"]}
            for name, row in zip(tests(result["rows"]), result["rows"], strict=True)]  # fmt: skip
    title = words.t("quality_speed.axis")
    names = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=260))
    base = alt.Chart(values(data)).encode(y=names)
    bars = base.mark_rule(color=OKABE_ITO["blue"], strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    tips = [alt.Tooltip("name:N", title=words.t("quality_speed.column.test")),
            alt.Tooltip("value:Q", title=title, format=",.1f")]  # fmt: skip
    dots = base.mark_point(color=OKABE_ITO["blue"], filled=True, size=70, opacity=1).encode(
        x=alt.X("value:Q", title=title, scale=alt.Scale(zero=True)), tooltip=tips
    )
    return alt.layer(bars, dots).configure(locale=number_locale(words))


def speed_text(result: Result, words: Words) -> str:
    """The chart as a sentence."""
    told = zip(tests(result["rows"]), result["rows"], strict=True)
    return " · ".join(f"{name} {rate(row, words)}" for name, row in told)


def tests(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The name of each test, with what tells it from the others of the run."""
    found = []
    for row in rows:
        apart = [f"{short} {row[key]}" for key, short in (("n_threads", "t"), ("n_batch", "b"), ("type_k", "kv"))
                 if len({one[key] for one in rows}) > 1]  # fmt: skip
        found.append(" · ".join((row["test"], *apart)))
    return found
