"""Altair charts of a sweep as pure functions of its results, and their files. Every word comes from the caller.

`words` maps keys (names of columns, metrics, states and factors) to what is read; a missing one is shown as its key.
`decimal` and `thousands` in it are the signs of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.comptine import chart_data as data
from engine.comptine.cell import CellResult

if TYPE_CHECKING:
    import altair as alt

    from engine.comptine.perplexity import Perplexity

Words = Mapping[str, str]
Rows = list[dict[str, Any]]
NO_WORDS: Words = MappingProxyType({})

# Okabe-Ito, safe for colour-blind eyes; the sign beside it says the same
STATE_COLOURS: Mapping[str, str] = {
    "exact": "#009E73", "drift": "#F0E442", "wrong": "#E69F00", "missing": "#D55E00", "not_reached": "#BBBBBB",
    "out_of_range": "#56B4E9", "invented": "#CC79A7", "duplicate": "#0072B2",
}  # fmt: skip
STATE_SIGNS: Mapping[str, str] = {
    "exact": "✓", "drift": "≈", "wrong": "✗", "missing": "–", "not_reached": "·", "out_of_range": "+",
    "invented": "!", "duplicate": "2",
}  # fmt: skip
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MEASURED = {"value", "low", "high", "exact", "seconds", "ratio", "name_nats", "nats_per_token"}
UNFIT_SIGNS: Mapping[str, str] = {"budget": "╱", "refused": "×", "failed": "?", "stopped": "?"}


def _in_words(draw: Callable[..., Any]) -> Callable[..., Any]:
    """The chart with its numbers written as `words` say: `decimal` and `thousands`, where they are there."""

    @wraps(draw)
    def drawn(results: Any, words: Words = NO_WORDS, **options: Any) -> Any:
        import altair as alt

        made = draw(results, words, **options)
        if "decimal" not in words:
            return made
        signs = alt.NumberLocale(
            decimal=words["decimal"], thousands=words["thousands"], grouping=[3], currency=["", ""]
        )
        return made.configure(locale=alt.Locale(number=signs))

    return drawn


@_in_words
def heat_map(results: Iterable[CellResult], words: Words = NO_WORDS, *, depth: bool = False) -> alt.TopLevelMixin:
    """Verse (or depth in per cent) by number of verses: share of prompts that gave the verse exactly; cells that were
    not run are grey with a sign.
    """
    import altair as alt

    rows = data.heat(list(results))
    for row in rows:
        row["sign"] = UNFIT_SIGNS.get(row["state"], "")
    say = partial(_say, words)
    place = "depth" if depth else "verse"
    base = alt.Chart(_values(rows)).encode(
        x=alt.X("verses:O", title=say("verses")), y=alt.Y(f"{place}:O", title=say(place))
    )
    share = alt.Color("exact:Q", title=say("exact"), scale=alt.Scale(scheme="viridis", domain=[0, 1]))
    grey = base.transform_filter("datum.exact === null").mark_rect(color="#DDDDDD")
    cells = (
        base.transform_filter("datum.exact !== null")
        .mark_rect()
        .encode(
            color=share,
            tooltip=_tips(say, "verses", "tokens", place, "exact", "low", "high", "n"),
        )
    )
    return alt.layer(grey, cells, base.mark_text(color="#333333").encode(text="sign:N"))


@_in_words
def accuracy(
    results: Iterable[CellResult],
    words: Words = NO_WORDS,
    *,
    metrics: Iterable[str] = data.CURVES,
) -> alt.TopLevelMixin:
    """Metrics against real prompt tokens with the ribbons of their intervals; lines where the windows end."""
    import altair as alt

    known = list(results)
    say = partial(_say, words)
    rows = _named(data.accuracy(known, tuple(metrics)), known, say, "metric")
    base = alt.Chart(_values(rows)).encode(x=alt.X("tokens:Q", title=say("prompt_tokens"), scale=alt.Scale(zero=False)))
    colours = alt.Scale(range=list(PALETTE))
    value = alt.Y("value:Q", title=say("share"), scale=alt.Scale(domain=[0, 1]))
    ribbon = base.mark_area(opacity=0.2).encode(
        y=alt.Y("low:Q", title=say("share")),
        y2="high:Q",
        color=alt.Color("curve:N", title=None, scale=colours, legend=_solid()),
    )
    line = base.mark_line(point=True).encode(
        y=value, color=alt.Color("curve:N", title=None, scale=colours, legend=_solid()),
        strokeDash=alt.StrokeDash("curve:N", legend=None),
        tooltip=_tips(say, "curve", "tokens", "verses", "value", "low", "high", "n"),
    )  # fmt: skip
    borders = [dict(row, border=say(f"border_{row['border']}")) for row in data.windows(known)]
    rule = alt.Chart(_values(borders)).mark_rule(strokeDash=[4, 3], color="#666666").encode(
        x="tokens:Q", tooltip=_tips(say, "border", "tokens")
    )  # fmt: skip
    return alt.layer(ribbon, line, rule)


@_in_words
def strips(results: Iterable[CellResult], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """The verse strips of all answers, stacked by number of verses: colour and sign for each state."""
    import altair as alt

    known = list(results)
    say = partial(_say, words)
    rows = data.strips(known)
    several = varying_names(known, say)
    for row in rows:
        row["sign"] = STATE_SIGNS[row["state"]]
        row["said_as"] = say(row["state"])
        row["line"] = " · ".join([f"{row['verses']:>4}", f"#{row['seed']}", *several(row)])
    states = list(dict.fromkeys(row["state"] for row in rows))
    colours = alt.Scale(domain=[say(state) for state in states], range=[STATE_COLOURS[state] for state in states])
    base = alt.Chart(_values(rows)).encode(
        x=alt.X("place:O", title=say("place")), y=alt.Y("line:N", title=say("verses"), sort=None)
    )
    cells = base.mark_rect(stroke="white").encode(
        color=alt.Color("said_as:N", title=None, scale=colours),
        tooltip=_tips(say, "verses", "seed", "verse", "said_as", "said"),
    )
    return alt.layer(cells, base.mark_text(fontSize=9).encode(text="sign:N"))


@_in_words
def survival(results: Iterable[CellResult], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """The share of prompts without a wrong verse so far, along the range, one step line per number of verses."""
    import altair as alt

    known = list(results)
    say = partial(_say, words)
    rows = _named(data.survivals(known), known, say, "verses")
    base = alt.Chart(_values(rows)).encode(x=alt.X("place:Q", title=say("place"), axis=alt.Axis(tickMinStep=1)))
    colours = alt.Scale(scheme="viridis")
    value = alt.Y("value:Q", title=say("without_drift"), scale=alt.Scale(domain=[0, 1]))
    line = base.mark_line(interpolate="step-after", point=True).encode(
        y=value,
        color=alt.Color("curve:N", title=say("verses"), sort=None, scale=colours, legend=_solid()),
        tooltip=_tips(say, "curve", "place", "value", "low", "high", "n"),
    )
    ribbon = base.mark_area(opacity=0.08, interpolate="step-after").encode(
        y=alt.Y("low:Q"),
        y2="high:Q",
        color=alt.Color("curve:N", title=say("verses"), sort=None, scale=colours, legend=_solid()),
    )
    return alt.layer(ribbon, line)


@_in_words
def token_counts(results: Iterable[CellResult], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """Tokens by OpenAI's cl100k_base against the model's own, with the line on which they would be the same."""
    import altair as alt

    known = list(results)
    say = partial(_say, words)
    rows = _named(data.tokens(known), known, say)
    x = alt.X("cl100k_base:Q", title="cl100k_base")
    points = (
        alt.Chart(_values(rows))
        .mark_line(point=True)
        .encode(
            x=x,
            y=alt.Y("model_tokens:Q", title=say("model_tokens")),
            color=alt.Color("curve:N", title=None, scale=alt.Scale(range=list(PALETTE))),
            tooltip=_tips(say, "curve", "verses", "cl100k_base", "o200k_base", "model_tokens", "ratio"),
        )
    )
    end = max((row["cl100k_base"] for row in rows), default=0)
    same = [{"cl100k_base": value, "model_tokens": value} for value in (0, end)]
    equal = alt.Chart(_values(same)).mark_line(strokeDash=[4, 3], color="#666666").encode(x=x, y="model_tokens:Q")
    return alt.layer(equal, points)


@_in_words
def first_token(results: Iterable[CellResult], words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """Seconds to the first token against prompt tokens; the colour says how many needed no reading."""
    import altair as alt

    say = partial(_say, words)
    made: alt.Chart = (
        alt.Chart(_values(data.first_tokens(list(results))))
        .mark_circle(size=60)
        .encode(
            x=alt.X("tokens:Q", title=say("prompt_tokens")),
            y=alt.Y("seconds:Q", title=say("first_token")),
            color=alt.Color("cached:Q", title=say("cached"), scale=alt.Scale(scheme="viridis")),
            tooltip=_tips(say, "verses", "seed", "tokens", "cached", "seconds"),
        )
    )
    return made


@_in_words
def surprise(measured: Perplexity, words: Words = NO_WORDS) -> alt.TopLevelMixin:
    """The surprise of each verse's name in nats along the rhyme, the name on demand."""
    import altair as alt

    say = partial(_say, words)
    rows = measured.to_dict()["verses"]
    made: alt.Chart = (
        alt.Chart(_values(rows))
        .mark_line(point=True, color=PALETTE[0])
        .encode(
            x=alt.X("verse:Q", title=say("verse"), axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("name_nats:Q", title=say("name_nats")),
            tooltip=_tips(say, "verse", "name", "name_nats", "nats_per_token"),
        )
    )
    return made


CHARTS: Mapping[str, Callable[..., Any]] = {
    "heat_map": heat_map,
    "accuracy": accuracy,
    "strips": strips,
    "survival": survival,
    "token_counts": token_counts,
    "first_token": first_token,
}
CHART_ROWS: Mapping[str, Callable[[Iterable[CellResult]], Rows]] = {
    "heat_map": data.heat,
    "accuracy": data.accuracy,
    "strips": data.strips,
    "survival": data.survivals,
    "token_counts": data.tokens,
    "first_token": data.first_tokens,
}


def to_svg(chart: Any) -> str:
    """The chart as an SVG file's text; needs neither browser nor network."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=_version(), allowed_base_urls=[]))


def to_png(chart: Any, scale: float = 2.0) -> bytes:
    """The chart as a PNG file's bytes, `scale` pixels per point."""
    import vl_convert

    told: bytes = vl_convert.vegalite_to_png(chart.to_dict(), vl_version=_version(), scale=scale, allowed_base_urls=[])
    return told


def varying_names(results: Iterable[CellResult], say: Callable[[str], str]) -> Callable[[Mapping[str, Any]], list[str]]:
    """A function that names in a row what differs between the results: ["1 example", …]."""
    names = data.varying(results)
    return lambda row: [f"{say(name)} {say(str(row[name]))}" for name in names]


def _named(rows: Rows, results: list[CellResult], say: Callable[[str], str], *first: str) -> Rows:
    """The rows with the name of their curve."""
    several = varying_names(results, say)
    for row in rows:
        row["curve"] = " · ".join([*(say(str(row[name])) for name in first), *several(row)]) or row["model"]
    return rows


def _say(words: Words, key: str) -> str:
    return words.get(key, key)


def _tips(say: Callable[[str], str], *names: str) -> list[Any]:
    import altair as alt

    return [alt.Tooltip(f"{name}:Q", title=say(name), format=".2f") if name in MEASURED
            else alt.Tooltip(f"{name}:N", title=say(name)) for name in names]  # fmt: skip


def _solid() -> Any:
    """A legend whose signs do not take over the faintness of ribbons."""
    import altair as alt

    return alt.Legend(symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=3)


def _values(rows: Rows) -> Any:
    """The rows inside the chart, as they are: no file, no limit on their number."""
    import altair as alt

    return alt.InlineData(values=rows)


def _version() -> str:
    """Vega-Lite's version that Altair writes for, such as 6.1."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
