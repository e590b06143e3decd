"""What the results of a sweep look like: chart, table, effective context, comparison, files. Knows no event."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from typing import Any

from apps.gradio_kit import Ui
from apps.ui import comptine
from apps.ui.i18n import Words
from engine.comptine.cell import CellResult
from engine.comptine.chart_data import factors_of, table, to_csv, to_json, varying
from engine.comptine.charts import CHART_ROWS, CHARTS, to_png, to_svg
from engine.comptine.summary import by_curve, compare, summary

COLUMNS = ("verses", "prompt_tokens", "n", "strict", "normalized", "obedience", "first_token")
Results = Sequence[CellResult]


def chart(view: str, results: Results, words: Words, *, depth: bool = False) -> Any:
    """The Altair chart of that view; None for the table."""
    if view not in CHARTS:
        return None
    options = {"depth": depth} if view == "heat_map" else {}
    return CHARTS[view](results, comptine.chart_words(words), **options)


def rows(view: str, results: Results) -> list[dict[str, Any]]:
    """The rows behind a view."""
    return CHART_ROWS[view](results) if view in CHART_ROWS else table(results)


def file(view: str, kind: str, results: Results, words: Words, *, depth: bool = False) -> str:
    """A file of that view for the browser to save, as JSON."""
    name = f"comptine-{view}.{kind}"
    if kind in ("csv", "json"):
        text = to_csv(rows(view, results)) if kind == "csv" else to_json(rows(view, results))
        return json.dumps(
            [{"name": name, "kind": f"text/{kind}" if kind == "csv" else "application/json", "text": text}]
        )
    drawn = chart(view, results, words, depth=depth)
    if drawn is None:
        return ""
    if kind == "svg":
        return json.dumps([{"name": name, "kind": "image/svg+xml", "text": to_svg(drawn)}])
    return json.dumps([{"name": name, "kind": "image/png", "base64": base64.b64encode(to_png(drawn)).decode()}])


def table_html(results: Results, ui: Ui) -> str:
    """One row per setting: its length, its means with their intervals."""
    words, told = ui.words, summary(results)["rows"]
    names = [name for name in varying(results) if name in told[0]] if told else []
    head = "".join(f"<th>{_esc(comptine.chart_words(words).get(name, name))}</th>" for name in (*names, *COLUMNS))
    body = "".join(
        "<tr>" + "".join(f"<td>{_esc(_value(row[name], words))}</td>" for name in (*names, *COLUMNS)) + "</tr>"
        for row in told
    )
    return f"<div class='atelier-scroll'><table class='atelier-table'><tr>{head}</tr>{body}</table></div>"


def _value(value: Any, words: Words) -> str:
    if isinstance(value, dict):
        return words.t("comptine_sweep.interval", **value)
    if isinstance(value, float):
        return words.number(value, 2 if value < 10 and value != int(value) else 0)
    if isinstance(value, int):
        return words.number(value)
    return words.number(None) if value is None else comptine.chart_words(words).get(value, str(value))


def effective_html(results: Results, ui: Ui) -> str:
    """The effective context of each curve, by both definitions, with its sure lower bound."""
    t, words = ui.t, ui.words
    items = []
    for label, told in zip(labels(results, words), summary(results)["effective"], strict=True):
        said = []
        for name in ("relative", "absolute"):
            if found := told[name]:
                values = {part: _reach(found, part, words) for part in ("tokens", "conservative")}
                said.append(f"<div>{_esc(t(f'comptine_sweep.{name}', **values))}</div>")
        shown = "".join(said) or f"<div>{_esc(t('comptine_sweep.no_effective'))}</div>"
        items.append(f"<p><em>{_esc(label)}</em></p>{shown}" if label else shown)
    notions = "".join(f"<p><em>{_esc(t(f'glossary.{name}.name'))}</em>. {_esc(t(f'glossary.{name}.text'))}</p>"
                      for name in ("effective_context", "interval"))  # fmt: skip
    folded = f"<details><summary>{_esc(t('glossary.title'))}</summary>{notions}</details>"
    return f"<h3>{_esc(t('comptine_sweep.effective'))}</h3>{''.join(items)}{folded}"


def _reach(found: dict[str, Any], name: str, words: Words) -> str:
    if found[name] is None:
        return words.t("comptine_sweep.below", tokens=found["shortest"])
    beyond = found["reached_end"] and name == "tokens"
    return words.t("comptine_sweep.beyond", tokens=found[name]) if beyond else words.number(found[name])


def labels(results: Results, words: Words) -> list[str]:
    """The name of each curve: what tells it from the others; "" for the only one."""
    say, names = comptine.chart_words(words), varying(results)

    def named(row: dict[str, Any]) -> str:
        return " · ".join(f"{say.get(name, name)} {say.get(str(row[name]), str(row[name]))}" for name in names)

    return [named(factors_of(group[0])) for group in by_curve(results)]


def compared(results: Results, first: int, second: int, metric: str, ui: Ui) -> str:
    """Two curves on the same seeds, in a sentence. Raises BadInput where they share no prompt."""
    curves, t = by_curve(results), ui.t
    if not (0 <= first < len(curves) and 0 <= second < len(curves)) or first == second:
        return f"<p>{_esc(t('comptine_sweep.compare_none'))}</p>"
    found = compare(curves[first], curves[second], metric)
    numbers = found.difference
    said = t("comptine_sweep.compare_text", value=numbers.value, low=numbers.low, high=numbers.high, n=numbers.n,
             wins=found.wins, losses=found.losses, ties=found.ties)  # fmt: skip
    clear = t(f"comptine_sweep.compare_{'clear' if found.clear else 'unclear'}")
    return f"<p>{_esc(said)}<br>{_esc(clear)}</p>"


def _esc(text: str) -> str:
    return html.escape(text, quote=True)
