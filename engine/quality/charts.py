"""Altair charts of measurements as pure functions of their results. Every word comes from the caller.

`words` maps keys (names of columns, tests and measures) to what is read; a missing one is shown as its key.
engine.comptine.charts makes files of them (`to_svg`, `to_png`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import altair as alt

    from engine.quality.ratios import Ratio

Words = Mapping[str, str]
Rows = list[dict[str, Any]]
NO_WORDS: Words = MappingProxyType({})
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe-Ito
BLUE, GREY = PALETTE[0], "#777777"
BY_CHANCE = ("acc", "acc_norm", "p_right", "chosen_right")
Cost = Literal["mean_kld", "perplexity"]


def quantization_rows(result: Mapping[str, Any]) -> Rows:
    """One row per kind of the table of quantizations: what the chart shows, to download too; size in MB, `read` and
    `written` in tokens per second. Kinds that failed are left out; the source is at divergence 0 from itself.
    """
    rows = []
    for one in result["rows"]:
        if "error" in one:
            continue
        speeds = {("read" if test.startswith("pp") else "written"): told for test, told in one["speed"].items()}
        rows.append(
            {
                "quantization": one["quantization"] or "?",
                "base": one["base"],
                "megabytes": one["size_bytes"] / 1e6,
                "bits_per_weight": one["bits_per_weight"],
                **{name: told["avg_ts"] for name, told in speeds.items()},
                "perplexity": one["perplexity"],
                "perplexity_error": one["perplexity_error"],
                "mean_kld": one.get("mean_kld", 0.0),
                "mean_kld_error": one.get("mean_kld_error", 0.0),
                "same_top": one.get("same_top", 1.0),
            }
        )
    return rows


def trade_off(result: Mapping[str, Any], words: Words = NO_WORDS, *, cost: Cost = "mean_kld") -> alt.TopLevelMixin:
    """What a smaller file costs: a point per kind, size by divergence (or perplexity) ± its standard error."""
    import altair as alt

    data: Any = {"values": [
        row | {"low": row[cost] - row[f"{cost}_error"], "high": row[cost] + row[f"{cost}_error"]}
        for row in quantization_rows(result)
    ]}  # fmt: skip
    size = alt.X("megabytes:Q", title=_say(words, "megabytes"), scale=alt.Scale(zero=False))
    up = alt.Scale(zero=cost == "mean_kld")
    base = alt.Chart(data).encode(x=size)
    span = base.mark_rule(color=GREY).encode(y=alt.Y("low:Q", title=_say(words, cost), scale=up), y2="high:Q")
    point = base.mark_point(filled=True, size=80).encode(
        y=alt.Y(f"{cost}:Q", title=_say(words, cost), scale=up),
        color=alt.condition("datum.base", alt.value(GREY), alt.value(BLUE)),
        shape=alt.condition("datum.base", alt.value("square"), alt.value("circle")),
        tooltip=_tips(words, "quantization:N", "megabytes:Q", "bits_per_weight:Q", "read:Q", "written:Q",
                      "perplexity:Q", "mean_kld:Q", "same_top:Q"),
    )  # fmt: skip
    name = base.mark_text(align="left", dx=8, dy=-6).encode(y=alt.Y(f"{cost}:Q"), text="quantization:N")
    return alt.layer(span, point, name)


def speed_rows(rows: Sequence[Mapping[str, Any]], words: Words = NO_WORDS) -> Rows:
    """One row per row of the bench: tokens per second with one standard deviation to each side, and under `settings`
    what differs between the rows beside the test.
    """
    names = {"n_threads": "threads", "n_batch": "batch", "n_ubatch": "ubatch", "type_k": "kv"}
    vary = [name for name in names if len({row[name] for row in rows}) > 1]
    return [
        {
            "test": row["test"],
            "tokens_per_second": row["avg_ts"],
            "low": row["avg_ts"] - row["stddev_ts"],
            "high": row["avg_ts"] + row["stddev_ts"],
            "settings": ", ".join(f"{_say(words, names[name])} {row[name]}" for name in vary) or row["model_filename"],
        }
        for row in rows
    ]


def speeds(rows: Sequence[Mapping[str, Any]], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """Tokens per second of each test, ± one standard deviation of its repetitions, from 0 on."""
    import altair as alt

    data: Any = {"values": speed_rows(rows, words)}
    order = list(dict.fromkeys(row["test"] for row in rows))
    colour = alt.Color("settings:N", title=None, scale=alt.Scale(range=list(PALETTE)))
    aside = alt.YOffset("settings:N")
    base = alt.Chart(data).encode(y=alt.Y("test:N", sort=order, title=None), yOffset=aside, color=colour)
    rate = _say(words, "tokens_per_second")
    span = base.mark_rule().encode(x=alt.X("low:Q", title=rate, scale=alt.Scale(zero=True)), x2="high:Q")
    point = base.mark_point(filled=True, size=60).encode(
        x=alt.X("tokens_per_second:Q", title=rate),
        tooltip=_tips(words, "test:N", "settings:N", "tokens_per_second:Q", "low:Q", "high:Q"),
    )
    return alt.layer(span, point)


def ratios(found: Sequence[Ratio], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """How many times as fast the second run is, test by test, with 95 % intervals; the line is "as fast"."""
    import altair as alt

    same = f"{_say(words, 'kv')} {{0.type_k}}, {_say(words, 'threads')} {{0.n_threads}}"
    rows = [one.to_dict() | {"label": f"{one.test}, {same.format(one)}"} for one in found]
    data: Any = {"values": rows}
    title = _say(words, "ratio")
    base = alt.Chart(data).encode(y=alt.Y("label:N", sort=[str(row["label"]) for row in rows], title=None))
    span = base.mark_rule(color=BLUE).encode(x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False)), x2="high:Q")
    point = base.mark_point(color=BLUE, filled=True, size=60).encode(
        x=alt.X("ratio:Q", title=title),
        tooltip=_tips(words, "test:N", "before:Q", "after:Q", "ratio:Q", "low:Q", "high:Q"),
    )
    one: Any = {"values": [{"ratio": 1}]}
    line = alt.Chart(one).mark_rule(color=GREY, strokeDash=[4, 4]).encode(x="ratio:Q")
    return alt.layer(line, span, point)


def evaluation_rows(results: Sequence[Mapping[str, Any]], words: Words = NO_WORDS) -> Rows:
    """One row per model and measure with its interval, and `chance` where a choice is right by chance: what the chart
    shows, to download too.
    """
    return [
        {"model": result["model"], "measure": _say(words, name), **one,
         "chance": result["chance"] if name in BY_CHANCE else None}
        for result in results
        for name, one in result["metrics"].items()
    ]  # fmt: skip


def evaluations(results: Sequence[Mapping[str, Any]], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """Measures of one model or several, each with its 95 % interval; grey ticks are chance."""
    import altair as alt

    rows = evaluation_rows(results, words)
    data: Any = {"values": rows}
    order = list(dict.fromkeys(row["measure"] for row in rows))
    colour = alt.Color("model:N", title=None, scale=alt.Scale(range=list(PALETTE)))
    base = alt.Chart(data).encode(
        y=alt.Y("measure:N", sort=order, title=None), yOffset=alt.YOffset("model:N"), color=colour
    )
    share = alt.Scale(domain=[0, 1])
    span = base.mark_rule().encode(x=alt.X("low:Q", title=_say(words, "share"), scale=share), x2="high:Q")
    point = base.mark_point(filled=True, size=60).encode(
        x=alt.X("value:Q", title=_say(words, "share"), scale=share),
        tooltip=_tips(words, "model:N", "measure:N", "value:Q", "low:Q", "high:Q", "n:Q"),
    )
    luck = (
        base.transform_filter("datum.chance !== null")
        .mark_tick(thickness=2)
        .encode(x=alt.X("chance:Q", title=_say(words, "share"), scale=share), color=alt.value(GREY))
    )
    return alt.layer(luck, span, point)


def _say(words: Words, key: str) -> str:
    return words.get(key, key)


def _tips(words: Words, *names: str) -> list[alt.Tooltip]:
    import altair as alt

    number = alt.Undefined
    return [
        alt.Tooltip(name, title=_say(words, name[:-2]), format=".4~g" if name.endswith(":Q") else number)
        for name in names
    ]
