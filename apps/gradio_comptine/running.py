"""Step three: a run with its strip as it grows, and what came of it in words. Handlers; know no layout."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import acts
from apps.gradio_comptine import boxes as controls
from apps.gradio_comptine.asked import Asked
from apps.gradio_comptine.guide import EXAMPLES, guide, readings
from apps.gradio_comptine.parts import Held, Parts, Update, Values
from apps.gradio_kit import Ui
from apps.ui import comptine, present
from apps.ui.comptine_cell import from_address, values_of
from apps.ui.verses import strip_data
from engine.comptine.cell import Cell, CellResult
from engine.comptine.running import CellRun, Strip
from engine.comptine.strictly import StrictRun, run_of
from engine.errors import EngineError, error_from

Runs = dict[tuple[str, str], CellRun | StrictRun]
DRAW_EVERY_S = 0.12
ALIVE_S = 1.0


class Running:
    """What starts, follows and stops a run; at most one in a page.

    In three events: the page is made ready, the answer is followed, its end is shown. For each update of the one in the
    middle Gradio's page walks through everything that its event may write, so that is as little as possible.
    """

    def __init__(self, ui: Ui, asked: Asked, parts: Parts) -> None:
        self.ui, self.asked, self.parts = ui, asked, parts
        self._runs: Runs = {}

    def opened(self, request: gr.Request) -> Update:
        """The controls as the address sets them; a link never runs anything."""
        values = from_address(request.query_params)
        return controls.shown(self.parts.boxes, values) | {
            self.parts.guide: guide(self.ui, {}),
            self.parts.examples: _examples(self.ui),
        }

    def way(self, values: Values) -> Update:
        """The way in that was chosen: the guided sequence, or the controls alone."""
        return {self.parts.guide: gr.HTML(visible=values[self.parts.way] == "sheet")}

    def run(self, values: Values, request: gr.Request) -> Update:
        """Ready to run what the controls ask for."""
        try:
            cell = self.asked.cell(values)
            cell.prompt()  # what cannot be asked leaves the page as it is
            return self._begun(cell, "", request)
        except EngineError as error:
            return {self.parts.alert: kit.error_html(error, self.ui), self.parts.wanted: None}

    def guided(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """The controls set to a reading or a hypothesis of the sheet, ready to run it."""
        name = acts.said(event).get("name", "")
        return self._set(readings().get(name), name, values, request)

    def example(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """The controls set to one of the three examples, ready to run it."""
        return self._set(EXAMPLES.get(acts.said(event).get("name", "")), "", values, request)

    def follow(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """The run to its end. Who goes away ends it."""
        page, parts = self._page(request), self.parts
        if values[parts.wanted] is None:
            yield {parts.progress: ""}
            return
        cell, _ = values[parts.wanted]
        run: CellRun | StrictRun | None = None
        try:
            person, strict = self.ui.person(request), bool(values[parts.boxes["strict"]])
            model = self.ui.model(cell.model, person)
            run = self._runs[page] = run_of(self.ui.engine, model, cell, person, strict=strict)
            yield from self._updates(cell, run)
            assert run.result is not None
            record = run.record if isinstance(run, StrictRun) else None
            yield {parts.progress: "", parts.result: Held(run.result, record)}
        except EngineError as error:
            yield {parts.progress: "", parts.alert: kit.error_html(error, self.ui)}
        finally:
            if run is not None:
                run.stop()
                self._runs.pop(page, None)

    def ended(self, values: Values) -> Update:
        """What came of the run, and the page ready for the next."""
        held: Held | None = values[self.parts.result]
        ready: Update = {self.parts.run: gr.Button(visible=True), self.parts.stop: gr.Button(visible="hidden")}
        if held is None or values[self.parts.wanted] is None:
            return ready
        return ready | self._ended(held.result, values, values[self.parts.wanted][1])

    def stop(self, request: gr.Request) -> str:
        """Stop the page's run; what was said so far is kept."""
        run = self._runs.get(self._page(request))
        if run is not None:
            run.stop()
        return kit.progress_html(present.Progress(self.ui.t("progress.stopping")))

    def broken(self) -> Update:
        """What is shown after a defect of our own, whose traceback is in the log."""
        return {
            self.parts.progress: "",
            self.parts.alert: kit.error_html(present.neutral_error(self.ui.words), self.ui),
        }

    def _page(self, request: gr.Request) -> tuple[str, str]:
        return self.ui.person(request).id, request.session_hash or ""

    def _set(self, cell: Cell | None, name: str, values: Values, request: gr.Request) -> Update:
        if cell is None:  # a browser may say anything
            return {self.parts.wanted: None}
        wanted = replace(cell, model=values[self.asked.bar.model] or None)
        return controls.shown(self.parts.boxes, values_of(cell)) | self._begun(wanted, name, request)

    def _begun(self, cell: Cell, name: str, request: gr.Request) -> Update:
        parts = self.parts
        if self._page(request) in self._runs:
            return {parts.alert: f"<p role='alert'>{html.escape(self.ui.t('comptine.busy'))}</p>", parts.wanted: None}
        waiting = kit.progress_html(present.progress_text(None, self.ui.words))
        return parts.opened("run") | {
            parts.run: gr.Button(visible="hidden"), parts.stop: gr.Button(visible=True), parts.alert: "",
            parts.progress: waiting, parts.answer: "", parts.strip: None, parts.verdict: "", parts.metrics: "",
            parts.examples: "", parts.under: gr.Column(visible=False), parts.result: None, parts.wanted: (cell, name),
        }  # fmt: skip

    def _updates(self, cell: Cell, run: CellRun | StrictRun) -> Iterator[Update]:
        """The answer and its strip, not more often than a page can draw; what is waited for before."""
        drawn, said = 0.0, ""
        for step in run:
            now = time.monotonic()
            if isinstance(step, Strip) and now - drawn >= DRAW_EVERY_S:
                drawn, said = now, ""
                strip = strip_data(step.marks, cell, self.ui.words)
                yield {self.parts.answer: _whole(cell, step.text), self.parts.strip: strip, self.parts.progress: said}
            elif not isinstance(step, Strip | CellResult) and not drawn:
                told = kit.progress_html(present.progress_text(step, self.ui.words))
                if told != said:
                    said = told
                    yield {self.parts.progress: told}
            elif drawn and now - drawn >= ALIVE_S:  # who has gone is noticed at an update
                drawn = now
                yield {self.parts.progress: ""}

    def _ended(self, result: CellResult, values: Values, name: str) -> Update:
        parts, words = self.parts, self.ui.words
        told = dict(values[parts.today] or {})
        if name:
            told[name] = comptine.verdict(result, words)
        failed = error_from(result.error) if result.status == "failed" and result.error else None
        return {
            parts.answer: _whole(result.cell, result.answer) if result.answer else "",
            parts.strip: strip_data(result.marks, result.cell, words) if result.marks else None,
            parts.verdict: verdict_html(self.ui, result),
            parts.metrics: metrics_html(self.ui, result),
            parts.alert: kit.error_html(failed, self.ui) if failed else "",
            parts.under: gr.Column(visible=True),
            parts.today: told,
            parts.guide: guide(self.ui, told),
            parts.steps["sweep"]: gr.Accordion(visible=True),
        }


def _whole(cell: Cell, text: str) -> str:
    """The answer with the beginning that it was given, which some servers send back."""
    prefix = cell.question().prefix or ""
    return text if text.startswith(prefix) else prefix + text


def verdict_html(ui: Ui, result: CellResult) -> str:
    """The verdict, the line of statistics and the legend."""
    words = ui.words
    lines = [f"<p><strong>{html.escape(comptine.verdict(result, words))}</strong></p>"]
    if result.outcome is not None:
        usage, stats = comptine.stats_of(result)
        outcome: Any = result.outcome
        lines.append(f"<p>{html.escape(present.stats_line(outcome, usage, stats, words))}</p>")
    return "".join(lines) + (comptine.legend_html(words) if result.marks else "")


def metrics_html(ui: Ui, result: CellResult) -> str:
    """Every metric with its value and what it says."""
    t = ui.t
    head = "".join(f"<th>{html.escape(t(f'comptine.{name}'))}</th>" for name in ("metric", "value", "meaning"))
    rows = "".join(
        f"<tr><td>{html.escape(one.name)}<br><small><code>{one.key}</code></small></td><td>{html.escape(one.value)}</td>"
        f"<td>{html.escape(one.help)}</td></tr>"
        for one in comptine.metrics(result, ui.words)
    )
    return f"<div class='atelier-scroll'><table class='atelier-table'><tr>{head}</tr>{rows}</table></div>"


def _examples(ui: Ui) -> str:
    buttons = " ".join(acts.button("example", ui.t(f"comptine.example.{name}"), name=name) for name in EXAMPLES)
    return f"<p>{html.escape(ui.t('comptine.unmeasured'))}</p>{buttons}"
