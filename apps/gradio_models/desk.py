"""What every part of the tab shares: who asks, what only a teacher may do, and the work that runs behind it.

Knows no layout.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps import host
from apps.gradio_documents.desk import Update, Values
from apps.gradio_kit import Sidebar, Ui
from apps.ui import models as shown
from apps.ui import present
from engine.errors import BadParameter, EngineError, error_from
from engine.jobs import OPEN, Job
from engine.person import Person

LOOK_S = 1.0


@dataclass(frozen=True)
class Work:
    """The line of what runs behind the page: how far it is, its end; `ended` changes when something has come of it."""

    told: gr.HTML
    cancel: gr.Button
    clock: gr.Timer
    watched: gr.State
    ended: gr.State

    @property
    def written(self) -> list[Any]:
        """What a look writes."""
        return [self.told, self.cancel, self.clock, self.watched, self.ended]


def work(ui: Ui) -> Work:
    """Lay it out."""
    told = gr.HTML(elem_id="models-work", elem_classes="atelier-slot")
    cancel = gr.Button(ui.t("models_add.cancel"), variant="stop", size="sm", visible="hidden", elem_id="models-cancel")
    return Work(told, cancel, gr.Timer(LOOK_S, active=False), gr.State(""), gr.State(""))


class Desk:
    """The handlers that every part needs; what belongs to a page comes with its events."""

    def __init__(self, ui: Ui, bar: Sidebar, work: Work) -> None:
        self.ui, self.bar, self.work = ui, bar, work

    def person(self, request: gr.Request) -> Person:
        """Who asks. Raises AccessDenied."""
        return self.ui.person(request)

    def teacher(self, request: gr.Request) -> Person:
        """Who asks, if it is the teacher. Raises AccessDenied."""
        return host.require(self.ui.person(request))

    def is_teacher(self, request: gr.Request) -> bool:
        """Whether the teacher asks."""
        return self.ui.person(request).role == "teacher"

    def said(self, act: Callable[[], str]) -> str:
        """What an act says as HTML; what hinders it as a sentence."""
        try:
            return act()
        except EngineError as error:
            return kit.error_html(error, self.ui)

    def begun(self, request: gr.Request, ask: Callable[[Person], Job | None]) -> Update:
        """A job of the teacher's in the queue, unless one is open or there is nothing to do."""
        try:
            person = self.teacher(request)
            job = shown.open_job(self.ui.engine, person)
            if job is not None:
                gr.Info(self.ui.t("models_add.busy"))
            return self._looked(job or ask(person))
        except EngineError as error:
            return {self.work.told: kit.error_html(error, self.ui)}

    def look(self, values: Values, request: gr.Request) -> Update:
        """The work that the page watches, or one that another page began."""
        person, known = self.person(request), values[self.work.watched]
        engine = self.ui.engine
        return self._looked(engine.jobs.get(known, person.id) if known else shown.open_job(engine, person))

    def cancel(self, values: Values, request: gr.Request) -> Update:
        """The person's work, ended."""
        person = self.person(request)
        job = shown.open_job(self.ui.engine, person)
        return self._looked(self.ui.engine.jobs.cancel(job.id, person.id) if job is not None else None)

    def _looked(self, job: Job | None) -> Update:
        """How far a job is, or what came of it."""
        work, words = self.work, self.ui.words
        open_ = job is not None and job.state in OPEN
        updates: Update = {
            work.cancel: gr.Button(visible=True if open_ else "hidden"),
            work.clock: gr.Timer(LOOK_S, active=open_),
            work.watched: job.id if job is not None and open_ else "",
            work.told: kit.progress_html(_progress(job, words)) if job is not None and open_ else "",
        }
        if job is not None and job.state == "failed" and job.error:
            updates[work.told] = kit.error_html(error_from(job.error), self.ui)
        if job is not None and job.state == "done":
            updates[work.told] = paragraph(shown.job_done(job, words))
        if job is not None and not open_:
            updates[work.ended] = job.id
        return updates


def _progress(job: Job, words: Any) -> present.Progress:
    return shown.job_progress(job, words)


def paragraph(text: str) -> str:
    """One sentence that is read aloud when it comes."""
    return f"<p role='status'>{html.escape(text)}</p>"


def whole(text: Any, name: str, low: int = 1) -> int | None:
    """A whole number that somebody typed; None for an empty field. Raises BadParameter."""
    typed = str(text if text is not None else "").strip()
    try:
        return int(typed) if typed else None
    except ValueError as error:
        raise BadParameter(f"{name}={typed[:60]!r}", name=name, value=typed[:60], low=low, high=None) from error
