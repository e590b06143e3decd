"""What the events of batches do: read a table, begin, follow, cancel, go on, show, save. Knows no layout."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_compare.batch_form import LOOK_S, Parts, model_choices
from apps.gradio_documents.desk import Held, Update, Values, lines_html, table_html
from apps.gradio_documents.uploads import read_all
from apps.gradio_kit import Sidebar, Ui
from apps.ui import batch, present
from apps.ui.batch import Opened
from engine.compare.batch_file import BatchFile, file_named, saved_files
from engine.compare.batch_job import open_job, submit
from engine.compare.batch_plan import Batch
from engine.compare.batch_results import FILTERS, MEASURES, filtered, pivot
from engine.compare.batch_table import read_table
from engine.errors import EngineError, error_from
from engine.jobs import OPEN, Job
from engine.person import Person


class BatchDesk:
    """The handlers; what belongs to a page comes with its events."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: Parts) -> None:
        self.ui, self.bar, self.parts = ui, bar, parts

    def brought(self, values: Values) -> Update:
        """The rows of a file, read once; a bad one is said."""
        parts, told = self.parts, values[self.parts.file]
        if told is None:
            return {parts.table: Held(None), parts.note: ""}
        try:
            ((name, data),) = read_all([told if isinstance(told, dict) else _meta(told)])
            table = read_table(name, data)
        except EngineError as error:
            return {parts.table: Held(None), parts.note: kit.error_html(error, self.ui)}
        words = {"name": name, "columns": ", ".join(table.columns)}
        said = self.ui.words.n("compare_batch.table_read", len(table.rows), **words)
        return {parts.table: Held(table), parts.note: lines_html([said])}

    def start(self, values: Values, request: gr.Request) -> Update:
        """The batch of the form, in the queue."""
        held = self.parts.held(values)
        return self._begun(request, lambda: batch.batch_of(held, values[self.bar.model]))

    def example(self, name: str) -> Callable[[Values, gr.Request], Update]:
        """What the button of an example does."""

        def begin(values: Values, request: gr.Request) -> Update:
            held = batch.example(name, self.ui.words)
            return self._begun(request, lambda: batch.batch_of(held, values[self.bar.model]))

        return begin

    def resume(self, values: Values, request: gr.Request) -> Update:
        """Go on with the batch in sight, with the budget of the form where it says one."""
        person, budget = self.ui.person(request), str(values[self.parts.boxes["budget"]] or "")
        try:
            file = self._file(values[self.parts.chosen], person)
        except EngineError as error:
            return {self.parts.told: kit.error_html(error, self.ui)}
        return self._begun(request, lambda: batch.resumed(file.read().batch, budget), file)

    def cancel(self, values: Values, request: gr.Request) -> Update:
        """The person's batch, ended."""
        person = self.ui.person(request)
        job = open_job(self.ui.engine, person)
        return self._look(self.ui.engine.jobs.cancel(job.id, person.id) if job else None)

    def look(self, values: Values, request: gr.Request) -> Update:
        """The batch that the page follows, or one that another page began."""
        person, known = self.ui.person(request), values[self.parts.watched]
        engine = self.ui.engine
        return self._look(engine.jobs.get(known, person.id) if known else open_job(engine, person))

    def choices(self, request: gr.Request) -> gr.Dropdown:
        """The models that this person can choose, as they are now."""
        return gr.Dropdown(model_choices(self.ui, self.ui.person(request).role))

    def opened(self, values: Values, request: gr.Request) -> Update:
        """What is kept, when the tab comes into sight, or when another one was chosen."""
        return self._drawn(values, self.ui.person(request), str(values[self.parts.chosen] or ""))

    def newest(self, values: Values, request: gr.Request) -> Update:
        """The batch that has ended."""
        return self._drawn(values, self.ui.person(request), "")

    def save(self, form: str) -> Callable[[Values, gr.Request], str]:
        """The batch in sight as a file for the browser."""

        def file(values: Values, request: gr.Request) -> str:
            try:
                one = batch.opened(self._file(values[self.parts.chosen], self.ui.person(request)))
            except EngineError as error:
                gr.Warning(present.error_text(error, self.ui.words).sentence)
                return ""
            return f"[{outgoing(f'batch.{form}', batch.FILES[form], batch.file(form, one.lines))}]"

        return file

    def _begun(self, request: gr.Request, asked: Callable[[], Batch], file: BatchFile | None = None) -> Update:
        """A batch in the queue, unless one of this person's is open."""
        person, engine = self.ui.person(request), self.ui.engine
        job = open_job(engine, person)
        if job is not None:
            gr.Info(self.ui.t("compare_batch.busy"))
            return self._look(job)
        try:
            return self._look(submit(engine, person, asked(), file, title=self.ui.t("compare_batch.title"))[0])
        except EngineError as error:
            return {self.parts.told: kit.error_html(error, self.ui)}

    def _look(self, job: Job | None) -> Update:
        """How far a job is, or what it failed with."""
        parts, open_ = self.parts, job is not None and job.state in OPEN
        updates: Update = {
            parts.cancel: gr.Button(visible=True if open_ else "hidden"),
            parts.clock: gr.Timer(LOOK_S, active=open_),
            parts.watched: job.id if job is not None and open_ else "",
            parts.told: kit.progress_html(batch.progress(job, self.ui.words)) if job is not None and open_ else "",
        }
        if job is not None and not open_:
            updates[parts.done] = job.id
            if job.error:
                updates[parts.told] = kit.error_html(error_from(job.error), self.ui)
        return updates

    def _file(self, name: Any, person: Person) -> BatchFile:
        return file_named(self.ui.engine.settings.home, person.id, str(name or ""))

    def _drawn(self, values: Values, person: Person, wanted: str) -> Update:
        """Everything of one batch: the one that is wanted, else the newest."""
        parts, ui = self.parts, self.ui
        known = {one.path.name: one for one in saved_files(ui.engine.settings.home, person.id)[: batch.LISTED]}
        if not known:
            return {parts.shown: gr.Column(visible=False), parts.state: lines_html([ui.t("compare_batch.none")])}
        name = wanted if wanted in known else next(iter(known))
        choices = [(batch.label(one, ui.words), key) for key, one in known.items()]
        updates: Update = {parts.chosen: gr.Dropdown(choices, value=name)}
        try:
            one = batch.opened(known[name])
        except EngineError as error:
            return updates | {parts.shown: gr.Column(visible=False), parts.state: kit.error_html(error, ui)}
        busy = open_job(ui.engine, person) is not None
        updates[parts.resume] = gr.Button(visible=True if batch.unfinished(one) and not busy else "hidden")
        updates[parts.state] = "" if busy else lines_html(batch.state_lines(one, ui.words))
        updates[parts.shown] = gr.Column(visible=bool(one.lines))
        return updates | (self._results(values, one) if one.lines else {})

    def _results(self, values: Values, one: Opened) -> Update:
        parts, ui, words = self.parts, self.ui, self.ui.words
        models = one.saved.batch.models
        which = next((name for name in FILTERS if name == values[parts.which]), "all")
        measure = next((name for name in MEASURES if name == values[parts.measure]), MEASURES[0])
        only = values[parts.only] if values[parts.only] in models else None
        lines, drawn = filtered(one.lines, which, only), batch.chart(one.lines, measure, words)
        found = pivot(one.lines, measure)
        rows = table_html(batch.pivot_head(found, words), batch.pivot_rows(found, measure, words))
        title = html.escape(ui.t("compare_batch.pivot"))
        told = lines_html([batch.chart_text(one.lines, measure, words)]) if drawn is not None else ""
        return {
            parts.only: gr.Dropdown([(ui.t("compare_batch.all_models"), ""), *((m, m) for m in models)],
                                    value=only or ""),
            parts.answers: self._answers(one, lines),
            parts.plot: gr.Plot(drawn, visible=drawn is not None),
            parts.pivot: f"{told}<details><summary>{title}</summary>{rows}</details>",
        }  # fmt: skip

    def _answers(self, one: Opened, lines: Any) -> str:
        t, words = self.ui.t, self.ui.words
        models = table_html(batch.models_head(words), batch.models_rows(one.lines, words))
        if not lines:
            return models + lines_html([t("compare_batch.nothing")])
        more = t("compare_batch.shown", shown=batch.SHOWN, count=len(lines)) if len(lines) > batch.SHOWN else ""
        return models + table_html(batch.answers_head(words), batch.answers_rows(lines, words)) + lines_html([more])


def _meta(path: Any) -> dict[str, Any]:
    """A path as Gradio gives it to a handler, in the form in which clients send files."""
    return {"path": str(path), "orig_name": str(path).rpartition("/")[2], "meta": {"_type": "gradio.FileData"}}
