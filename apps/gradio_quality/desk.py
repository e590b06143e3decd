"""What the events of the tab do: begin a measurement, follow it, show what is kept. Knows no layout."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_documents.desk import Update, Values
from apps.gradio_kit import Sidebar, Ui
from apps.gradio_quality import forms, looks
from apps.gradio_quality.looks import Shown
from apps.ui import present, quality
from apps.ui.quality import LISTED, label
from engine.errors import BadInput, EngineError, error_from
from engine.jobs import OPEN, Job
from engine.person import Person
from engine.quality import asking
from engine.quality.measuring import TASKS, keep
from engine.quality.results import Kept, Kind

LOOK_S = 1.0
MIME = {"json": "application/json", "csv": "text/csv"}


@dataclass(frozen=True)
class Tab:
    """One tab: its form by name, what begins, what shows."""

    kind: Kind
    tab: gr.Tab
    form: gr.Column
    note: gr.HTML
    boxes: Mapping[str, Any]
    start: gr.Button
    examples: Mapping[str, gr.Button]
    shown: Shown


@dataclass(frozen=True)
class Head:
    """What stands above the tabs: which model is measured, the measurement under way; `watched` is its job, `done`
    tells which kind has a new result.
    """

    model: gr.HTML
    told: gr.HTML
    cancel: gr.Button
    clock: gr.Timer
    watched: gr.State
    done: gr.State

    @property
    def written(self) -> list[Any]:
        """What a look writes."""
        return [self.told, self.cancel, self.clock, self.watched, self.done]


class Desk:
    """The handlers; what belongs to a page comes with its events."""

    def __init__(self, ui: Ui, bar: Sidebar, head: Head, tabs: Mapping[Kind, Tab]) -> None:
        self.ui, self.bar, self.head, self.tabs = ui, bar, head, tabs

    def model(self, model_id: str) -> str:
        """Which model is measured, and whether it can be."""
        try:
            card = self.ui.engine.catalog.card(model_id)
        except EngineError as error:
            return kit.error_html(error, self.ui)
        named = f"<p>{html.escape(self.ui.t('quality.model', name=card.name))}</p>"
        local = card.backend == "llamacpp"
        return named if local else f"{named}<p class='atelier-note'>{html.escape(self.ui.t('quality.not_local'))}</p>"

    def rights(self, request: gr.Request) -> list[Any]:
        """Whether this person may quantize: the form, or the reason why not."""
        teacher = self.ui.person(request).role == "teacher"
        said = "" if teacher else f"<p>{html.escape(self.ui.t('quality_kinds.teacher'))}</p>"
        return [gr.Column(visible=teacher), said]

    def start(self, kind: Kind) -> Callable[[Values, gr.Request], Update]:
        """What the button of a form does."""

        def begin(values: Values, request: gr.Request) -> Update:
            held = {name: values[box] for name, box in self.tabs[kind].boxes.items()}
            return self._begun(request, lambda person: forms.ask(self.ui, kind, person, values[self.bar.model], held))

        return begin

    def example(self, kind: Kind, name: str) -> Callable[[Values, gr.Request], Update]:
        """What the button of an example does."""

        def begin(values: Values, request: gr.Request) -> Update:
            model = values[self.bar.model]
            return self._begun(request, lambda person: forms.ask_example(self.ui, kind, name, person, model))

        return begin

    def cancel(self, values: Values, request: gr.Request) -> Update:
        """The measurement of this person, ended."""
        person = self.ui.person(request)
        job = asking.open_job(self.ui.engine, person)
        if job is not None:
            job = self.ui.engine.jobs.cancel(job.id, person.id)
        return self._look(job)

    def look(self, values: Values, request: gr.Request) -> Update:
        """The measurement that the page watches, or one that another page began."""
        person, known = self.ui.person(request), values[self.head.watched]
        job = self.ui.engine.jobs.get(known, person.id) if known else asking.open_job(self.ui.engine, person)
        return self._look(job)

    def opened(self, kind: Kind) -> Callable[[Values, gr.Request], Update]:
        """What is kept, when a tab comes into sight."""

        def show(values: Values, request: gr.Request) -> Update:
            asking.keep_all(self.ui.engine, self.ui.person(request))
            return self._kept(kind, values, self.ui.person(request))

        return show

    def newest(self, kind: Kind) -> Callable[[Values, gr.Request], Update]:
        """The new result, where one of this kind has come."""

        def show(values: Values, request: gr.Request) -> Update:
            shown = self.tabs[kind].shown
            if not str(values[self.head.done] or "").startswith(f"{kind} "):
                return {shown.box: gr.skip()}
            return self._kept(kind, values, self.ui.person(request), newest=True)

        return show

    def chosen(self, kind: Kind) -> Callable[[Values, gr.Request], Update]:
        """The result that was chosen."""

        def show(values: Values, request: gr.Request) -> Update:
            return self._kept(kind, values, self.ui.person(request))

        return show

    def compared(self, kind: Kind) -> Callable[[Values, gr.Request], str]:
        """The result in sight beside an earlier one."""

        def show(values: Values, request: gr.Request) -> str:
            shown, person, engine = self.tabs[kind].shown, self.ui.person(request), self.ui.engine
            try:
                names = [str(values[box] or "") for box in (shown.before, shown.chosen)]
                before, result = (asking.result(engine, person, kind, name) for name in names)
            except EngineError as error:
                return kit.error_html(error, self.ui)
            return looks.compared(self.ui, kind, before, result)

        return show

    def save(self, kind: Kind, form: str) -> Callable[[Values, gr.Request], str]:
        """The result in sight as a file for the browser."""

        def file(values: Values, request: gr.Request) -> str:
            name = str(values[self.tabs[kind].shown.chosen] or "")
            try:
                result = asking.result(self.ui.engine, self.ui.person(request), kind, name)
            except EngineError as error:
                gr.Warning(present.error_text(error, self.ui.words).sentence)
                return ""
            return f"[{outgoing(f'{kind}.{form}', MIME[form], quality.file(kind, form, result))}]"

        return file

    def _begun(self, request: gr.Request, ask: Callable[[Person], Job]) -> Update:
        """A measurement in the queue, unless one of this person's is open."""
        person = self.ui.person(request)
        job = asking.open_job(self.ui.engine, person)
        if job is not None:
            gr.Info(self.ui.t("quality.busy"))
            return self._look(job)
        try:
            return self._look(ask(person))
        except EngineError as error:
            said = quality.wrong(error, self.ui.words) if isinstance(error, BadInput) else None
            told = f"<div role='alert' class='atelier-alert'>{html.escape(said)}</div>" if said else ""
            return {self.head.told: told or kit.error_html(error, self.ui)}

    def _look(self, job: Job | None) -> Update:
        """How far a job is, or what came of it."""
        head = self.head
        open_ = job is not None and job.state in OPEN
        updates: Update = {
            head.cancel: gr.Button(visible=True if open_ else "hidden"),
            head.clock: gr.Timer(LOOK_S, active=open_),
            head.watched: job.id if job is not None and open_ else "",
            head.told: kit.progress_html(quality.progress(job, self.ui.words)) if job is not None and open_ else "",
        }
        if job is not None and job.state == "failed" and job.error:
            updates[head.told] = kit.error_html(error_from(job.error), self.ui)
        if job is not None and job.state == "done":
            keep(self.ui.engine, job)
            updates[head.done] = f"{TASKS[job.task]} {job.id}"
        return updates

    def _kept(self, kind: Kind, values: Values, person: Person, *, newest: bool = False) -> Update:
        """What is kept of a kind: the one that is chosen, else the newest."""
        shown, engine = self.tabs[kind].shown, self.ui.engine
        known = {name: one for name, (_, one) in list(asking.kept(engine, person, kind).items())[:LISTED]}
        if not known:
            return {shown.box: gr.Column(visible=False)}
        wanted = values[shown.chosen]
        name = next(iter(known)) if newest or wanted not in known else wanted
        updates: Update = {
            shown.box: gr.Column(visible=True),
            shown.chosen: gr.Dropdown(_choices(known), value=name),
        }
        if shown.before is not None:
            updates[shown.before] = gr.Dropdown(_choices(known, but=name), value=None, visible=len(known) > 1)
            updates[shown.compared] = ""
        try:
            return updates | looks.drawn(self.ui, shown, asking.result(engine, person, kind, name), values)
        except EngineError as error:
            return updates | {shown.table: kit.error_html(error, self.ui)}


def _choices(known: Mapping[str, Kept], but: str = "") -> list[tuple[str, str]]:
    return [(label(one), name) for name, one in known.items() if name != but]
