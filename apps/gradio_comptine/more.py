"""Beside the run: a run file replayed, and how much each verse surprises the model. Components and handlers."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_comptine.asked import Asked
from apps.gradio_comptine.parts import Values
from apps.gradio_comptine.under import read_run_file
from apps.gradio_kit import Ui
from apps.ui import present
from apps.ui.theme import OKABE_ITO
from engine.comptine.perplexity import Perplexity, Surprise, perplexity
from engine.errors import EngineError
from engine.tasks import Progress

WIDTH, HEIGHT = 600, 140


@dataclass(frozen=True)
class More:
    """The components."""

    file: gr.UploadButton
    replayed: gr.HTML
    measure: gr.Button
    surprise: gr.HTML


def more(ui: Ui) -> More:
    """Lay them out, folded."""
    t = ui.t
    with gr.Accordion(t("comptine.surprise"), open=False, elem_id="comptine-surprise"):
        gr.HTML(f"<p>{html.escape(t('comptine.surprise_help'))}</p>")
        measure = gr.Button(t("comptine.surprise"), size="sm", min_width=150, elem_id="comptine-measure")
        surprise = gr.HTML(elem_id="comptine-surprises", elem_classes="atelier-slot")
    with gr.Accordion(t("comptine.replay"), open=False, elem_id="comptine-replay"):
        gr.HTML(f"<p>{html.escape(t('comptine.replay_help'))}</p>")
        file = gr.UploadButton(t("comptine.replay"), size="sm", file_types=[".json"], elem_id="comptine-replay-file")
        replayed = gr.HTML(elem_id="comptine-replayed", elem_classes="atelier-slot")
    return More(file, replayed, measure, surprise)


class Extras:
    """What their events do."""

    def __init__(self, ui: Ui, asked: Asked, more: More) -> None:
        self.ui, self.asked, self.more = ui, asked, more

    def surprise(self, values: Values, request: gr.Request) -> Iterator[str]:
        """The surprise of every verse of the rhyme on the page; who goes away ends the reading."""
        try:
            cell = self.asked.cell(values)
            person = self.ui.person(request)
            model = self.ui.model(cell.model, person)
            yield self._waiting(Progress(0))
            for news in perplexity(self.ui.engine, cell.rhyme(), model, owner=person.id):
                yield surprise_html(self.ui, news) if isinstance(news, Perplexity) else self._waiting(news)
        except EngineError as error:
            yield kit.error_html(error, self.ui)

    def replay(self, values: Values, request: gr.Request) -> Iterator[str]:
        """Whether a run file gives the same text again."""
        from engine.comptine.replaying import replayed

        path = values[self.more.file]
        if not path:
            yield ""
            return
        try:
            yield self._waiting(Progress(0))
            for news in replayed(self.ui.engine, read_run_file(path), self.ui.person(request)):
                yield self._waiting(news) if isinstance(news, Progress) else self._replayed(news)
        except EngineError as error:
            yield kit.error_html(error, self.ui)

    def _waiting(self, news: Progress) -> str:
        share = news.done / news.total if news.total else None
        return kit.progress_html(present.Progress(self.ui.t("progress.sent"), share))

    def _replayed(self, told: dict[str, Any]) -> str:
        t, names = self.ui.t, ", ".join(told["differences"])
        said = t("comptine.replay_same" if told["same"] else "comptine.replay_other")
        changed = t("comptine.replay_changed", names=names) if names else t("comptine.replay_unchanged")
        text = f"<pre tabindex='0'>{html.escape(told['answer'])}</pre>"
        return f"<p><strong>{html.escape(said)}</strong> {html.escape(changed)}</p>{text}"


def surprise_html(ui: Ui, found: Perplexity) -> str:
    """The surprise of each name as a drawing with its sentence, and the numbers as a table."""
    verses, words = found.verses, ui.words
    most = max(verses, key=lambda one: one.name_nats)
    said = ui.t("comptine.surprise_text", first=verses[0].name_nats, last=verses[-1].name_nats, verse=most.verse,
                name=most.name, most=most.name_nats)  # fmt: skip
    how = ui.t("comptine.surprise_method", tokens=sum(one.tokens for one in verses), nats=found.nats_per_token,
               method=found.method)  # fmt: skip
    rows = "".join(
        f"<tr><td>{one.verse}</td><td>{html.escape(one.name)}</td><td>{words.number(one.name_nats, 2)}</td>"
        f"<td>{words.number(one.nats_per_token, 2)}</td></tr>"
        for one in verses
    )
    head = "".join(f"<th>{html.escape(ui.t(f'comptine.chart.{name}'))}</th>"
                   for name in ("verse", "name", "name_nats", "nats_per_token"))  # fmt: skip
    table = f"<table class='atelier-table'><tr>{head}</tr>{rows}</table>"
    folded = f"<details><summary>{html.escape(ui.t('comptine_sweep.data'))}</summary>{table}</details>"
    title = html.escape(ui.t("comptine.chart.name_nats"))
    return (
        f"<figure style='margin:0'><figcaption>{title}</figcaption>{_bars(verses, said)}"
        f"<p>{html.escape(said)}<br>{html.escape(how)}</p></figure>{folded}"
    )


def _bars(verses: tuple[Surprise, ...], said: str) -> str:
    most = max(one.name_nats for one in verses) or 1
    wide = WIDTH / len(verses)
    bars = "".join(
        f'<rect x="{at * wide:.2f}" y="{HEIGHT - HEIGHT * one.name_nats / most:.2f}" width="{max(wide - 1, 0.5):.2f}" '
        f'height="{HEIGHT * one.name_nats / most:.2f}" fill="{OKABE_ITO["blue"]}">'
        f"<title>{one.verse} {html.escape(one.name)}: {one.name_nats:.2f}</title></rect>"
        for at, one in enumerate(verses)
    )
    return (
        f'<svg role="img" aria-label="{html.escape(said)}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'style="width:100%;max-width:{WIDTH}px;height:{HEIGHT}px;border-bottom:1px solid">{bars}</svg>'
    )
