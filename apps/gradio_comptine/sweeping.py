"""The sweeps of a person: begun, watched, cancelled, taken up again, compared. Handlers; know no layout."""

from __future__ import annotations

import functools
import html
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_comptine import plots
from apps.gradio_comptine.parts import Update, Values
from apps.gradio_comptine.sweep_form import LOOK_S, Sweeps, sweep_of
from apps.gradio_kit import Sidebar, Ui
from apps.ui import present
from engine.comptine.cell import Cell, CellResult
from engine.comptine.grid import Sweep
from engine.comptine.sweep import TASK, submit
from engine.comptine.sweepfile import Saved, SweepFile, file_named, saved_files
from engine.errors import BadFile, BadInput, EngineError, error_from
from engine.jobs import OPEN, Job
from engine.person import Person

LISTED = 30


class Sweeping:
    """What the sweep's events do."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: Sweeps) -> None:
        self.ui, self.bar, self.parts = ui, bar, parts

    def estimate(self, values: Values) -> str:
        """How many cells the form asks for, or what is wrong with it."""
        try:
            asked = sweep_of(self.parts.boxes, values, values[self.bar.model])
        except EngineError as error:
            return self._wrong(error)
        return f"<p>{html.escape(self.ui.words.n('comptine_sweep.cells', len(_cells(asked))))}</p>"

    def start(self, values: Values, request: gr.Request) -> Update:
        """The sweep in the queue, and the first look at it."""
        person = self.ui.person(request)
        if self._job(person) is not None:
            gr.Warning(self.ui.t("comptine_sweep.running"))
            return self._looked(values, person)
        try:
            asked = sweep_of(self.parts.boxes, values, values[self.bar.model])
            strict = bool(values[self.parts.boxes["strict"]])
            _, file = submit(self.ui.engine, person.id, asked, role=person.role, strict=strict)
        except EngineError as error:
            return {self.parts.progress: self._wrong(error)}
        return self._looked(values, person, file.path.name)

    def resume(self, values: Values, request: gr.Request) -> Update:
        """What is missing of the sweep in sight, run."""
        person = self.ui.person(request)
        try:
            if self._job(person) is None:
                file = file_named(self.ui.engine.settings.home, person.id, values[self.parts.choose] or "")
                saved = file.read()
                submit(self.ui.engine, person.id, saved.sweep, file, role=person.role, strict=saved.strict)
        except EngineError as error:
            return {self.parts.progress: kit.error_html(error, self.ui)}
        return self._looked(values, person)

    def cancel(self, values: Values, request: gr.Request) -> Update:
        """The person's sweep ended; what is done stays."""
        person = self.ui.person(request)
        job = self._job(person)
        if job is not None:
            self.ui.engine.jobs.cancel(job.id, person.id)
        return self._looked(values, person)

    def look(self, values: Values, request: gr.Request) -> Update:
        """The sweep in sight as it is now."""
        return self._looked(values, self.ui.person(request))

    def opened(self, values: Values, request: gr.Request) -> Update:
        """The sweep that runs, or the latest one, when the page opens."""
        person = self.ui.person(request)
        known = saved_files(self.ui.engine.settings.home, person.id)
        job = self._job(person)
        name = Path(job.args["path"]).name if job else known[0].path.name if known else ""
        return self._looked(values, person, name)

    def there(self, request: gr.Request) -> Any:
        """Whether this person has swept before: then the step is there from the beginning."""
        return gr.Accordion(visible=bool(saved_files(self.ui.engine.settings.home, self.ui.person(request).id)))

    def compared(self, values: Values, request: gr.Request) -> str:
        """The two settings that are chosen, on the same seeds."""
        parts = self.parts
        try:
            results = self._results(values[parts.choose], self.ui.person(request))
            first, second = (int(values[box] if values[box] is not None else -1) for box in (parts.first, parts.second))
            return plots.compared(results, first, second, values[parts.metric], self.ui)
        except BadInput:  # they share no prompt
            return f"<p>{html.escape(self.ui.t('comptine_sweep.compare_none'))}</p>"
        except EngineError as error:
            return kit.error_html(error, self.ui)

    def file(self, kind: str, values: Values, request: gr.Request) -> str:
        """What is in sight as a file for the browser to save."""
        parts = self.parts
        try:
            results = self._results(values[parts.choose], self.ui.person(request))
        except EngineError as error:
            gr.Warning(present.error_text(error, self.ui.words).sentence)
            return ""
        return plots.file(values[parts.view], kind, results, self.ui.words, depth=bool(values[parts.depth]))

    def _job(self, person: Person) -> Job | None:
        """The person's open sweep."""
        return next((job for job in self.ui.engine.jobs.list(person.id, OPEN) if job.task == TASK), None)

    def _last(self, person: Person, path: Path) -> Job | None:
        """The latest job on that file."""
        return next((job for job in reversed(self.ui.engine.jobs.list(person.id))
                     if job.task == TASK and job.args.get("path") == str(path)), None)  # fmt: skip

    def _results(self, name: str | None, person: Person) -> list[CellResult]:
        """The finished cells of that sweep of the person's, in its order. Raises BadFile."""
        return _finished(file_named(self.ui.engine.settings.home, person.id, name or "").read())

    def _looked(self, values: Values, person: Person, name: str | None = None) -> Update:
        """Everything that shows the sweep `name`, by default the one in sight."""
        parts, home = self.parts, self.ui.engine.settings.home
        wanted = name if name is not None else values[parts.choose] or ""
        job = self._job(person)
        buttons: Update = {
            parts.start: gr.Button(interactive=job is None),
            parts.cancel: gr.Button(visible=True if job is not None else "hidden"),
            parts.clock: gr.Timer(LOOK_S, active=job is not None),
            parts.resume: gr.Button(interactive=job is None),
        }
        try:
            file = file_named(home, person.id, wanted)
            updates = self._drawn(file, values, person, job)
        except BadFile:
            return buttons | {parts.progress: f"<p>{html.escape(self.ui.t('comptine_sweep.none'))}</p>"}
        if name is not None:
            updates[parts.choose] = gr.Dropdown(self._choices(person), value=wanted)
        return buttons | updates

    def _drawn(self, file: SweepFile, values: Values, person: Person, job: Job | None) -> Update:
        """Progress, and the pictures where something is new in them."""
        parts = self.parts
        running = job is not None and job.args.get("path") == str(file.path)
        view, depth = values[parts.view], bool(values[parts.depth])
        seen = (file.path.name, file.path.stat().st_size, view, depth)
        saved = file.read()
        progress: Update = {parts.progress: self._progress(saved, job if running else self._last(person, file.path))}
        if seen == tuple(values[parts.seen] or ()):
            return progress
        results = _finished(saved)
        if not results:
            return progress | {parts.shown: gr.Column(visible=False), parts.seen: seen}
        return progress | self._pictures(results, view, depth) | {parts.seen: seen}

    def _pictures(self, results: Sequence[CellResult], view: str, depth: bool) -> Update:
        parts, ui = self.parts, self.ui
        drawn = plots.chart(view, results, ui.words, depth=depth)
        choices = [(label, str(at)) for at, label in enumerate(plots.labels(results, ui.words))]
        told = f"<p>{html.escape(ui.t(f'comptine_sweep.{view}_help'))}</p>" if drawn is not None else ""
        return {
            parts.shown: gr.Column(visible=True),
            parts.help: told,
            parts.depth: gr.Checkbox(visible=view == "heat_map"),
            parts.plot: gr.Plot(drawn, visible=drawn is not None),
            parts.table: plots.table_html(results, ui) if drawn is None else "",
            parts.effective: plots.effective_html(results, ui),
            parts.first: gr.Dropdown(choices),
            parts.second: gr.Dropdown(choices),
        }

    def _progress(self, saved: Saved, job: Job | None) -> str:
        """How far it is in words, with a bar while it runs."""
        t, total, done = self.ui.t, len(_cells(saved.sweep)), len(_finished(saved))
        if job is not None and job.state in OPEN:
            said = t("comptine_sweep.queued")
            if job.eta is not None:
                said = t("comptine_sweep.progress", done=done, total=total, left=self.ui.words.seconds(job.eta))
            elif job.state == "running":
                said = t("comptine_sweep.progress_begin", done=done, total=total)
            return kit.progress_html(present.Progress(said, done / total))
        ended = "cancelled" if job is not None and job.state == "cancelled" else "interrupted"
        said = t(f"comptine_sweep.{'done' if done == total else ended}", done=done, total=total)
        error = error_from(job.error) if job is not None and job.error and done < total else None
        return f"<p role='status'>{html.escape(said)}</p>{kit.error_html(error, self.ui) if error else ''}"

    def _choices(self, person: Person) -> list[tuple[str, str]]:
        """The person's sweeps, the newest first."""
        found = []
        for file in saved_files(self.ui.engine.settings.home, person.id)[:LISTED]:
            try:
                saved = file.read()
            except BadFile:  # the others are still to be seen
                continue
            models = ", ".join(model or self.ui.engine.settings.model for model in saved.sweep.models)
            verses = ", ".join(map(str, saved.sweep.verses))
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(saved.created))
            told = self.ui.t("comptine_sweep.summary", models=models, verses=verses, cells=len(saved.results))
            found.append((f"{when} · {told}", file.path.name))
        return found

    def _wrong(self, error: EngineError) -> str:
        """What is wrong with a form, in a sentence."""
        if not isinstance(error, BadInput):
            return kit.error_html(error, self.ui)
        cells, where = error.details.get("cells"), error.details.get("where")
        if cells == 0:
            said = self.ui.t("comptine_sweep.no_cell")
        elif cells:
            said = self.ui.t("comptine_sweep.too_many", cells=cells, high=error.details.get("high"))
        else:
            said = self.ui.t("comptine_sweep.bad_sweep", where=str(where))
        return f"<div role='alert' class='atelier-alert'>{html.escape(said)}</div>"


@functools.lru_cache(maxsize=32)
def _cells(asked: Sweep) -> tuple[Cell, ...]:
    """Its cells; to put them in order every prompt is made, which a long sweep should pay once."""
    return asked.cells()


def _finished(saved: Saved) -> list[CellResult]:
    return [saved.results[cell.key] for cell in _cells(saved.sweep) if cell.key in saved.results]
