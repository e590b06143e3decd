"""The rhyme's results as both interfaces tell them: the verdict in words, its metrics, bars of tokens, what survives.

Knows no widget; what comes back is text, small values, or self-contained HTML whose texts are escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from apps.ui.i18n import Words, catalogue
from apps.ui.present import Gauge, Segment
from apps.ui.theme import OKABE_ITO
from engine.comptine.cell import METRICS, CellResult
from engine.comptine.charts import STATE_COLOURS, STATE_SIGNS
from engine.comptine.score import STATES, Score
from engine.comptine.tokens import Tokens
from engine.types import Stats, Usage

RATES = ("strict", "normalized", "fuzzy")
FATE_SIGNS: Mapping[str, str] = {"whole": "✓", "part": "½", "gone": "✂"}
_FATE_COLOURS: Mapping[str, str] = {
    "whole": OKABE_ITO["green"],
    "part": OKABE_ITO["yellow"],
    "gone": "#BBBBBB",
}


@dataclass(frozen=True)
class Sign:
    """One entry of the strip's legend."""

    state: str
    sign: str
    colour: str
    label: str


@dataclass(frozen=True)
class Metric:
    """One metric of an answer: its English name in files, its name here, its value in words, and what it says."""

    key: str
    name: str
    value: str
    help: str


def verdict(result: CellResult, words: Words) -> str:
    """What came of a run in one line: "8 of 10 exact, first drift at verse 9 (Marin → marin), kept going after …"."""
    if result.score is None:
        return _unscored(result, words)
    score, asked = result.score, result.cell.prompt().requested
    parts = [_exact(result, asked, words), _drift(result, score, words), _ended(result, score, asked, words)]
    counted = {"duplicates": score.duplicates, "leak": score.example_leak}
    parts += [words.n(f"comptine.verdict.{name}", count) for name, count in counted.items() if count]
    parts += [words.t("comptine.verdict.gibberish")] if score.gibberish and _names_verses(result) else []
    return ", ".join(part for part in parts if part)


def _unscored(result: CellResult, words: Words) -> str:
    numbers = {"total": result.total, "window": result.window, "needed": result.needed}
    if result.status == "refused" and None in (result.total, result.window):
        return words.t("comptine.verdict.refused_unknown")
    return words.t(f"comptine.verdict.{result.status}", **numbers)


def _exact(result: CellResult, asked: Sequence[int], words: Words) -> str:
    if not asked:
        return words.t("comptine.verdict.unscored")
    right = sum(mark.state == "exact" for mark in result.marks)
    return words.n("comptine.verdict.exact", right, asked=len(asked))


def _drift(result: CellResult, score: Score, words: Words) -> str:
    verse = score.first_drift
    if verse is None or not _names_verses(result):
        return ""
    said = next((mark.said for mark in result.marks if mark.verse == verse and mark.said is not None), None)
    if said is None:
        return words.t("comptine.verdict.omission", verse=verse)
    return words.t(
        "comptine.verdict.drift", verse=verse, said=said, expected=result.cell.prompt().expected.get(verse, "")
    )


def _ended(result: CellResult, score: Score, asked: Sequence[int], words: Words) -> str:
    if not _names_verses(result):
        return words.t("comptine.verdict.no_verse")
    if score.obedience:
        return words.t("comptine.verdict.obeyed")
    extra = [mark.verse for mark in result.marks if mark.state in ("out_of_range", "invented")]
    if asked and any(verse > asked[-1] for verse in extra):
        return words.t("comptine.verdict.went_on", last=asked[-1])
    if extra and asked:
        return words.t("comptine.verdict.others")
    return words.t("comptine.verdict.cut") if result.outcome in ("max_tokens", "window_full") else ""


def _names_verses(result: CellResult) -> bool:
    return any(mark.said is not None for mark in result.marks)


def metrics(result: CellResult, words: Words) -> tuple[Metric, ...]:
    """Every metric of a run, in the engine's order; a dash where nothing was scored."""
    told = result.metrics()
    return tuple(
        Metric(name, words.t(f"comptine.metric_name.{name}"), metric_value(name, told[name], words),
               words.t(f"comptine.metric_help.{name}"))
        for name in METRICS
    )  # fmt: skip


def metric_value(name: str, value: Any, words: Words) -> str:
    """One metric's value as it is read: yes, 0.92, verse 9, a dash for unknown."""
    if value is None:
        return words.number(None)
    if isinstance(value, bool):
        return words.t(f"comptine.said.{'yes' if value else 'no'}")
    if name == "first_drift":
        return words.t("comptine.said.verse", verse=value)
    return words.number(value, 2 if name in RATES else 0)


def legend(words: Words) -> tuple[Sign, ...]:
    """Every state of a verse with its sign and its colour."""
    return tuple(
        Sign(state, STATE_SIGNS[state], STATE_COLOURS[state], words.t(f"comptine.state.{state}")) for state in STATES
    )


def legend_html(words: Words) -> str:
    """The legend as HTML: a coloured sign and its word, in a row that wraps."""
    items = "".join(
        f'<li style="display:inline-block;margin:0 1em .25em 0;white-space:nowrap"><span aria-hidden="true"'
        f' style="{_badge(one.colour)}">{one.sign}</span> {_escape(one.label)}</li>'
        for one in legend(words)
    )
    return f'<ul aria-label="{_escape(words.t("comptine.legend"))}" style="{_LIST}">{items}</ul>'


def stats_of(result: CellResult) -> tuple[Usage, Stats]:
    """What the line of statistics is made of."""
    usage = Usage(prompt_tokens=result.prompt_tokens, completion_tokens=result.completion_tokens,
                  cached_tokens=result.cached)  # fmt: skip
    return usage, Stats(
        time_to_first_token=result.first_token, tokens_per_second=result.tokens_per_second, wall_time=result.wall
    )


def chart_words(words: Words) -> Mapping[str, str]:
    """The labels of the charts (engine.comptine.charts) in the reader's language."""
    prefix = "comptine.chart."
    found = {key.removeprefix(prefix): words.t(key) for key in catalogue(words.lang) if key.startswith(prefix)}
    found |= {f"{key}": words.t(f"comptine.policies.{key}") for key in _keys(words, "comptine.policies.")}
    found |= {f"{key}": words.t(f"comptine.places.{key}") for key in _keys(words, "comptine.places.")}
    found |= {f"{key}": words.t(f"comptine.variants.{key}") for key in _keys(words, "comptine.variants.")}
    found |= {"decimal": words.number(0.5, 1)[1], "thousands": words.number(1000)[1]}
    return found | {state: words.t(f"comptine.state.{state}") for state in STATES}


def _keys(words: Words, prefix: str) -> Iterator[str]:
    return (key.removeprefix(prefix) for key in catalogue(words.lang) if key.startswith(prefix))


@dataclass(frozen=True)
class Bar:
    """Tokens by one way of counting; `share` of the picture's width in [0, 1], None where they are unknown."""

    key: str
    text: str
    tokens: int | None
    share: float


def token_bars(tokens: Tokens, words: Words) -> tuple[Bar, ...]:
    """The rhyme by OpenAI's two encodings and by the model's own tokenizer, on one scale that holds the window too."""
    counts = {name: getattr(tokens, name) for name in ("cl100k", "o200k", "model")}
    scale = _scale(tokens)
    return tuple(
        Bar(name, words.t(f"comptine.bar.{'uncounted' if count is None else 'text'}",
                          label=words.t(f"comptine.bar.{name}"), tokens=count), count, (count or 0) / scale)
        for name, count in counts.items()
    )  # fmt: skip


def _scale(tokens: Tokens) -> float:
    return 1.05 * max(value or 0 for value in (tokens.cl100k, tokens.o200k, tokens.model, tokens.window, 1))


def token_bars_html(tokens: Tokens, words: Words) -> str:
    """The three bars and the line of the window as HTML, each with its number beside its colour."""
    colours = dict(zip(("cl100k", "o200k", "model"), (OKABE_ITO[n] for n in ("sky", "blue", "orange")), strict=True))
    window = (tokens.window or 0) / _scale(tokens)
    line = (
        f'<div style="position:absolute;inset:0 auto 0 {100 * window:.2f}%;border-left:2px dashed currentColor"></div>'
    )
    rows = "".join(
        f'<div style="line-height:1.4">{_escape(bar.text)}</div><div style="position:relative;height:.8rem;'
        f'border:1px solid #8884;border-radius:3px;overflow:hidden"><div style="height:100%;'
        f'width:{100 * bar.share:.2f}%;background:{colours[bar.key]}"></div>{line if tokens.window else ""}</div>'
        for bar in token_bars(tokens, words)
    )
    told = words.t("comptine.bar.window", window=tokens.window) if tokens.window else ""
    return f'<div style="font-size:.85rem;display:grid;gap:.15rem">{rows}<div>┆ {_escape(told)}</div></div>'


def budget_gauge(tokens: Tokens, words: Words) -> Gauge | None:
    """Template, prompt and ideal answer against the window, as one bar; None where the server alone counts."""
    if tokens.server is None or tokens.needed is None or not tokens.window:
        return None
    template = max(0, tokens.template or 0)
    used = {"template": template, "prompt": tokens.server - template, "needed": tokens.needed}
    total = sum(used.values())
    parts = used | {"free": max(0, tokens.window - total)}
    colours = {"template": OKABE_ITO["purple"], "prompt": OKABE_ITO["blue"], "needed": OKABE_ITO["green"], "free": None}
    names = {name: words.t(f"comptine.bar.{name}") for name in used} | {
        "free": words.t("gauge.free", tokens=parts["free"])
    }
    whole = max(tokens.window, total, 1)
    segments = tuple(
        Segment(name, names[name] if name == "free" else words.t("comptine.bar.text", label=names[name], tokens=count),
                count, count / whole, colours[name])
        for name, count in parts.items()
    )  # fmt: skip
    return Gauge(segments, budget_text(tokens, words), tokens.window, total, max(0, total - tokens.window))


def budget_text(tokens: Tokens, words: Words) -> str:
    """Whether prompt and answer fit into the window, as a sentence with the numbers."""
    if tokens.fits is None:
        return words.t("comptine.bar.unknown")
    taken = (tokens.server or 0) < (tokens.window or 0)
    kind = "fits" if tokens.fits else "answer_cut" if taken else "too_long"
    return words.t(f"comptine.bar.{kind}", server=tokens.server, template=max(0, tokens.template or 0),
                   needed=tokens.needed, window=tokens.window)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Verses beside each other that share a fate."""

    first: int
    last: int
    fate: str
    text: str


def survivor_runs(survivors: Mapping[str, Any], words: Words) -> tuple[Run, ...]:
    """Which verses the model still reads, in runs; `survivors` is `Survivors.to_dict()`."""
    found, start = [], 1
    for fate, group in groupby(survivors["verses"]):
        last = start + len(list(group)) - 1
        key = "verse" if last == start else "verses"
        said = words.t(f"comptine.fate.{fate}")
        found.append(Run(start, last, fate, words.t(f"comptine.fate.{key}", first=start, last=last, fate=said)))
        start = last + 1
    return tuple(found)


def survivors_html(survivors: Mapping[str, Any], words: Words) -> str:
    """The picture of what survives: template, rhyme and question as one bar, and each part in words with its sign."""
    runs, total = survivor_runs(survivors, words), max(1, len(survivors["verses"]))
    ends = {name: words.t(f"comptine.fate.{name}", fate=words.t(f"comptine.fate.{survivors[name]}"))
            for name in ("template", "question")}  # fmt: skip
    inner = ((run.fate, _width(run, total), run.text) for run in runs)
    whole = [(survivors["template"], 8.0, ends["template"]), *inner, (survivors["question"], 8.0, ends["question"])]
    bar = "".join(f'<div title="{_escape(text)}" style="flex:{width:.3f} 0 0;min-width:3px;{_fate(fate)}"></div>'
                  for fate, width, text in whole)  # fmt: skip
    items = "".join(
        f'<li style="display:inline-block;margin-right:1em"><span aria-hidden="true" '
        f'style="{_badge(_FATE_COLOURS[fate])}">{FATE_SIGNS[fate]}</span> {_escape(text)}</li>'
        for fate, _, text in whole
    )
    count = words.t("comptine.fate.all", count=survivors["count"], total=len(survivors["verses"]))
    return (
        f'<div style="font-size:.85rem"><div role="img" aria-label="{_escape(count)}" style="display:flex;gap:1px;'
        f'height:1.2rem;margin-bottom:.25rem">{bar}</div>'
        f'<ul style="{_LIST}">{items}</ul><div>{_escape(count)}</div></div>'
    )


def _width(run: Run, total: int) -> float:
    return 84 * (run.last - run.first + 1) / total


def _fate(fate: str) -> str:
    colour = _FATE_COLOURS[fate]
    if fate == "whole":
        return f"background:{colour}"
    step = 3 if fate == "part" else 6  # hatched: not by colour alone
    return f"background:repeating-linear-gradient(45deg,{colour} 0 {step}px,transparent {step}px {2 * step}px)"


_LIST = "list-style:none;margin:0;padding:0;font-size:.8rem;line-height:1.7"


def _badge(colour: str) -> str:
    ink = "#fff" if colour == OKABE_ITO["blue"] else "#000"
    return (f"display:inline-block;min-width:1.3em;text-align:center;border-radius:3px;font-weight:700;"
            f"color:{ink};background:{colour}")  # fmt: skip


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
