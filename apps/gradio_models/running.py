"""The tab of what runs: models loaded, who waits, heavy work, the runtime. Components and handlers."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_kit import Ui
from apps.gradio_models.desk import Desk, paragraph
from apps.gradio_models.parts import button
from apps.gradio_models.slots import Choosing, choosing
from apps.ui import models as shown
from apps.ui import present
from engine import instances
from engine.capacity import measure
from engine.errors import EngineError
from engine.jobs import OPEN
from engine.ps import Loaded, loaded

LIVE_S = 2.0


@dataclass(frozen=True)
class Running:
    """The components."""

    table: gr.HTML
    live: gr.Checkbox
    chosen: gr.Dropdown
    unload: gr.Button
    measure: gr.Button
    told: gr.HTML
    more: gr.HTML
    runtime: gr.HTML
    log: gr.HTML
    fold: gr.Accordion
    choice: Choosing
    clock: gr.Timer


def running(ui: Ui) -> Running:
    """Lay it out."""
    t = ui.t
    table = gr.HTML(elem_id="running-table")
    with gr.Row(elem_classes="atelier-end"):
        chosen = gr.Dropdown(
            [], label=t("models_running.choose"), visible=False, min_width=220, elem_id="running-chosen"
        )
        unload = button(t("models_running.unload"), "running-unload", visible=False)
        measure = button(t("models_card.measure"), "running-measure", visible=False)
        live = gr.Checkbox(False, label=t("models_log.live"), min_width=100, elem_id="running-live")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="running-told")
    more = gr.HTML(elem_id="running-more")
    with gr.Accordion(t("models_running.runtime"), open=False, elem_id="running-runtime") as fold:
        runtime = gr.HTML(elem_id="runtime-facts")
        choice = choosing(ui)
        log = gr.HTML(elem_id="runtime-log")
    clock = gr.Timer(LIVE_S, active=False)
    return Running(table, live, chosen, unload, measure, told, more, runtime, log, fold, choice, clock)


class Runs:
    """What the tab's events do."""

    def __init__(self, desk: Desk, parts: Running) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def look(self, values: Values, request: gr.Request) -> Update:
        """What is loaded, as the runtimes report it; for the teacher also who waits and what works behind."""
        parts, words, engine = self.parts, self.ui.words, self.ui.engine
        teacher = self.desk.is_teacher(request)
        try:
            found = loaded(engine)
        except EngineError as error:
            return {parts.table: kit.error_html(error, self.ui)}
        rows = table_html(shown.loaded_head(words), shown.loaded_rows(found, words))
        names = [one.id for one in found]
        chosen = values[parts.chosen] if values[parts.chosen] in names else next(iter(names), None)
        visible = bool(names) and teacher
        return {
            parts.table: rows + lines_html(self._people(found))
            if found
            else lines_html([words.t("models_running.none")]),
            parts.measure: gr.Button(visible=visible),
            parts.chosen: gr.Dropdown(names, value=chosen, visible=visible),
            parts.unload: gr.Button(visible=visible),
            parts.more: self._more(found) if teacher else "",
        }

    def live(self, values: Values, request: gr.Request) -> Update:
        """Looked at again and again, or no longer."""
        return self.look(values, request) | {self.parts.clock: gr.Timer(LIVE_S, active=bool(values[self.parts.live]))}

    def unload(self, values: Values, request: gr.Request) -> Update:
        """The memory of the chosen one is given back."""

        def act() -> str:
            person = self.desk.teacher(request)
            instances.unload(self.ui.engine, str(values[self.parts.chosen] or ""), person.role)
            return paragraph(self.ui.t("models.unloaded"))

        said = self.desk.said(act)
        return self.look(values, request) | {self.parts.told: said}

    def measure(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """How many people the chosen one carries: all of its slots are asked at once."""
        told = self.parts.told
        yield {told: kit.progress_html(present.Progress(self.ui.t("models_card.measuring")))}
        try:
            self.desk.teacher(request)
            measure(self.ui.engine, str(values[self.parts.chosen] or ""))
        except EngineError as error:
            yield {told: kit.error_html(error, self.ui)}
            return
        yield self.look(values, request) | {told: ""}

    def _people(self, found: tuple[Loaded, ...]) -> list[str]:
        """How many people each model carries, measured or at most."""
        words = self.ui.words
        says = words.t("models_running.says")
        return [f"{one.id}{says} {shown.carried(self.ui.engine, one.id, words)}" for one in found]

    def runtime(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """What computes here, which takes a moment to find out; what llama.cpp wrote is the teacher's to read."""
        parts, words = self.parts, self.ui.words
        yield {parts.runtime: kit.progress_html(present.Progress(words.t("models_running.runtime")))}
        rows = table_html(
            (words.t("models_card.fact"), words.t("models_card.value")), shown.runtime_rows(self.ui.engine, words)
        )
        told = {parts.runtime: rows + lines_html([words.t("models_runtime.no_choice")]), parts.log: ""}
        lines = self._log() if self.desk.is_teacher(request) else ()
        if lines:
            title = html.escape(words.t("models_runtime.log"))
            text = html.escape("\n".join(lines))
            told[parts.log] = f"<details><summary>{title}</summary><pre class='atelier-scroll'>{text}</pre></details>"
        yield told

    def _log(self) -> tuple[str, ...]:
        engine = self.ui.engine
        return tuple(line for one in engine.runtimes.running() for line in one.log())

    def _more(self, found: tuple[Loaded, ...]) -> str:
        """Who waits for whom, and the heavy work of all: whose and what, never about what."""
        words, engine = self.ui.words, self.ui.engine
        names = {person.id: person.nickname for person in engine.people.all()}
        waiting = shown.waiting_rows(engine, found, names, words)
        jobs = shown.job_rows(engine.jobs.list(None, OPEN), names, words)
        told = []
        for title, head, rows, none in (
            ("who", shown.waiting_head(words), waiting, "nobody"),
            ("jobs", shown.job_head(words), jobs, "no_jobs"),
        ):
            text = table_html(head, rows) if rows else lines_html([words.t(f"models_running.{none}")])
            told.append(f"<h4>{html.escape(words.t(f'models_running.{title}'))}</h4>{text}")
        return "".join(told)
