"""What came out of a measurement as updates of components. Knows no event."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_components import scored_strip
from apps.gradio_documents.desk import Update, Values, file_button, lines_html, table_html
from apps.gradio_kit import Ui, error_html
from apps.ui import quality, quality_charts, quality_tables
from apps.ui.quality import TABLES, Result
from engine.errors import EngineError
from engine.quality.results import Kind


@dataclass(frozen=True)
class Shown:
    """The components of one tab's results; `strip`, `measure`, `plot` and `before` where the tab has them."""

    kind: Kind
    chosen: gr.Dropdown
    table: gr.HTML
    below: gr.HTML
    card: gr.HTML
    files: Mapping[str, gr.Button]
    box: gr.Column
    strip: Any = None
    measure: Any = None
    plot: Any = None
    before: Any = None
    compared: Any = None

    @property
    def written(self) -> list[Any]:
        """What a look writes; few enough for a browser."""
        every = (self.box, self.chosen, self.table, self.below, self.card, self.strip, self.plot, self.before,
                 self.compared)  # fmt: skip
        return [one for one in every if one is not None]


def lay_out(ui: Ui, kind: Kind) -> Shown:
    """Lay out a tab's results; hidden while there are none."""
    t, made = ui.t, dict[str, Any]()
    with gr.Column(visible=False) as box:
        chosen = gr.Dropdown([], label=t("quality.earlier"), elem_id=f"quality-kept-{kind}")
        table = gr.HTML(elem_id=f"quality-table-{kind}")
        if kind == "perplexity":
            made["strip"] = scored_strip(elem_id="quality-strip")
        if kind == "quantizations":
            measures = [(t(f"quality_kinds.measures.{one}"), one) for one in quality_charts.MEASURES]
            made["measure"] = gr.Radio(measures, value=quality_charts.MEASURES[0], label=t("quality_kinds.measure"),
                                       elem_id="quality-measure")  # fmt: skip
        if kind in ("quantizations", "speed"):
            made["plot"] = gr.Plot(show_label=False, label=t(f"quality.tab.{kind}"), elem_classes="atelier-scroll")
        below = gr.HTML(elem_id=f"quality-below-{kind}")
        if kind in ("speed", "evaluation"):
            info = t("quality_speed.compare_help") if kind == "speed" else None
            made["before"] = gr.Dropdown([], value=None, label=t(f"{TABLES[kind]}.compare"), info=info,
                                         elem_id=f"quality-before-{kind}")  # fmt: skip
            made["compared"] = gr.HTML(elem_classes="atelier-slot")
        with gr.Row():
            files = {form: file_button(form) for form in ("json", "csv")}
        with gr.Accordion(t("quality.card"), open=False):
            card = gr.HTML()
    return Shown(kind, chosen, table, below, card, files, box, **made)


def drawn(ui: Ui, parts: Shown, result: Result, values: Values) -> Update:
    """A result in its components."""
    updates: Update = DRAWN[parts.kind](ui, parts, result, values)
    line = lines_html([quality.card_line(result, ui.words)])
    updates[parts.below] = f"{updates.get(parts.below, '')}{line}"
    updates[parts.card] = (f"{lines_html([ui.t('quality.runtime_help')])}"
                           f"<pre class='atelier-scroll'>{html.escape(quality.cards_json(result))}</pre>")  # fmt: skip
    return updates


def _text(ui: Ui, parts: Shown, result: Result, _: Values) -> Update:
    t, words = ui.t, ui.words
    head = (t("quality.name"), t("quality.value"), t("quality.meaning"))
    notes = lines_html(quality.text_notes(result, words))
    return {
        parts.table: table_html(head, quality.text_rows(result, words)) + notes,
        parts.strip: quality.strip_data(result, words),
    }


def _kinds(ui: Ui, parts: Shown, result: Result, values: Values) -> Update:
    words, measure = ui.words, values[parts.measure]
    measure = measure if measure in quality_charts.MEASURES else "perplexity"
    rows = table_html(quality_tables.kinds_head(words), quality_tables.kinds_rows(result, words))
    return {
        parts.table: rows + lines_html([ui.t("quality_kinds.help")]),
        parts.plot: quality_charts.scatter(result, measure, words),
        parts.below: lines_html([quality_charts.scatter_text(result, measure, words)]),
    }


def _speed(ui: Ui, parts: Shown, result: Result, _: Values) -> Update:
    words = ui.words
    rows = table_html(quality_tables.speed_head(words), quality_tables.speed_rows(result, words))
    return {
        parts.table: rows + lines_html([ui.t("quality_speed.help")]),
        parts.plot: quality_charts.speed_chart(result, words),
        parts.below: lines_html([quality_charts.speed_text(result, words)]),
    }


def _questions(ui: Ui, parts: Shown, result: Result, _: Values) -> Update:
    words = ui.words
    rows = table_html(quality_tables.marks_head(words), quality_tables.marks_rows(result, words))
    items = table_html(quality_tables.items_head(words), quality_tables.items_rows(result, words))
    details = f"<details><summary>{html.escape(ui.t('quality_questions.details'))}</summary>{items}</details>"
    return {parts.table: rows + lines_html(quality_tables.marks_notes(result, words)), parts.below: details}


DRAWN: Mapping[Kind, Callable[[Ui, Shown, Result, Values], Update]] = {
    "perplexity": _text,
    "quantizations": _kinds,
    "speed": _speed,
    "evaluation": _questions,
}


def compared(ui: Ui, kind: Kind, before: Result, result: Result) -> str:
    """Two results of a kind side by side; what hinders it as a sentence."""
    words = ui.words
    try:
        if kind == "speed":
            return table_html(quality_tables.ratio_head(words), quality_tables.ratio_rows(before, result, words))
        return lines_html(quality_tables.compared_lines(result, before, words))
    except EngineError as error:
        reason = str(error.details.get("reason"))
        key = f"{TABLES[kind]}.{reason}"
        return lines_html([words.t(key)]) if words.has(key) else error_html(error, ui)
