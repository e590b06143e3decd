"""What the page of models keeps for one browser tab, and what may be done there: changes are the teacher's. Draws
errors only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import streamlit as st

from apps import host
from apps.streamlit_kit import Kept, Ui, plain, show_error
from apps.ui import models as shown
from apps.ui.far_models import ordered_row
from engine.catalog import ModelCard
from engine.errors import EngineError, NotFound, error_from
from engine.jobs import Job
from engine.providers import Provider


@dataclass(frozen=True)
class Desk(Kept):
    """One run of the page; cheap to make."""

    ui: Ui

    def key(self, name: str) -> str:
        """The name of a widget or a value of this page."""
        return f"models.{name}"

    @property
    def fresh(self) -> Desk:
        """The desk of now: a callback and a fragment hold that of an earlier run."""
        return Desk(Ui(self.ui.section, self.ui.lang))

    @property
    def teacher(self) -> bool:
        """Whether the teacher looks, or the one person on this machine."""
        return self.ui.person.role == "teacher"

    @cached_property
    def cards(self) -> dict[str, ModelCard]:
        """The models by id; the one chosen in the left column too where it is elsewhere."""
        engine, role = self.ui.engine, self.ui.person.role
        found = {card.id: card for card in engine.catalog.cards() if engine.may_load(card, role)}
        found.setdefault(self.ui.card.id, self.ui.card)
        return found

    @cached_property
    def endpoints(self) -> dict[str, Provider]:
        """The endpoints by id."""
        return self.ui.engine.endpoints.rows()

    @cached_property
    def job(self) -> Job | None:
        """This person's download, import, conversion or quantization that waits or runs."""
        return shown.open_job(self.ui.engine, self.ui.person)

    @cached_property
    def watched(self) -> Job | None:
        """The work that this tab began or has seen open, as it is now; it may have ended meanwhile."""
        known = self.get("watched")
        if known is None:
            return self.job
        try:
            return self.ui.engine.jobs.get(known, self.ui.person.id)
        except NotFound:  # wiped with all that was this person's
            return None

    def watch(self, job: Job | None) -> None:
        """Have this tab say how far that is, and what came of it."""
        self.set("watched", job.id if job is not None else None)

    def go(self, tab: shown.Tab) -> None:
        """Have that tab in sight."""
        st.session_state[self.key("tabs")] = self.ui.t(f"models_tab.{tab}")

    def attempt(self, act: Callable[[Desk], str | None]) -> None:
        """Do it; what it says, or what hinders it, is shown by the run that follows."""
        self.set("failure", None)
        self.set("notice", None)
        try:
            self.set("notice", act(self.fresh))
        except EngineError as error:
            self.set("failure", error)

    def teach(self, act: Callable[[Desk], str | None]) -> None:
        """Do what only the teacher may, whoever pressed."""

        def allowed(desk: Desk) -> str | None:
            host.require(desk.ui.person)
            return act(desk)

        self.attempt(allowed)

    def ended(self, job: Job) -> None:
        """What a job that has ended leaves: a sentence, or its error."""
        self.watch(None)
        self.set("retest", ordered_row(job))
        self.set("failure", error_from(job.error) if job.error else None)
        self.set("notice", None if job.error else shown.job_done(job, self.ui.words))

    def show_outcome(self) -> None:
        """What came of the last thing that was done."""
        failure: Any = self.get("failure")
        if failure is not None:
            show_error(self.ui, failure)
        if notice := self.get("notice"):
            st.success(plain(notice), icon=":material/check:")
