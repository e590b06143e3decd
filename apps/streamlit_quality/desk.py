"""What the page of quality keeps for one browser tab, and the measurement under way. Draws errors only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.streamlit_kit import Kept, Ui, show_error
from apps.ui.quality import LISTED, Result
from engine.errors import EngineError, error_from
from engine.jobs import Job
from engine.quality import asking, results
from engine.quality.results import Kind


@dataclass(frozen=True)
class Desk(Kept):
    """One run of the page; cheap to make."""

    ui: Ui

    def key(self, name: str) -> str:
        """The name of a widget or a value of this page."""
        return f"quality.{name}"

    @property
    def fresh(self) -> Desk:
        """The desk of now: a callback holds that of an earlier run."""
        return Desk(Ui(self.ui.section, self.ui.lang))

    @property
    def local(self) -> bool:
        """Whether one can look into the chosen model."""
        return self.ui.card.backend == "llamacpp" and not self.ui.card.problem

    @cached_property
    def job(self) -> Job | None:
        """The measurement of this person that waits or runs, as it was when the page began to be drawn."""
        return asking.open_job(self.ui.engine, self.ui.person)

    def collect(self) -> None:
        """Keep what ended while this tab was not looking; once, and after each measurement."""
        if not self.get("collected"):
            asking.keep_all(self.ui.engine, self.ui.person)
            self.set("collected", True)

    def kept(self, kind: Kind) -> dict[str, results.Kept]:
        """What is kept of that kind by name, the newest first."""
        found = asking.kept(self.ui.engine, self.ui.person, kind)
        return {name: one for name, (_, one) in list(found.items())[:LISTED]}

    def result(self, kind: Kind, name: str) -> Result:
        """One of what is kept. Raises NotFound."""
        return asking.result(self.ui.engine, self.ui.person, kind, name)

    def start(self, ask: Callable[[Desk], Job]) -> None:
        """Begin a measurement, unless one of this person's is open."""
        self.set("failure", None)
        now = self.fresh
        try:
            if now.job is None:
                ask(now)
        except EngineError as error:
            self.set("failure", error)

    def cancel(self, job_id: str) -> None:
        """End a measurement of this person's."""
        self.ui.engine.jobs.cancel(job_id, self.ui.person.id)

    def ended(self, job: Job) -> None:
        """What a measurement that has ended leaves: its result to be kept, or what it failed with."""
        self.set("collected", False)
        self.set("failure", error_from(job.error) if job.error else None)

    def show_failure(self) -> None:
        """What went wrong with the last thing that was done."""
        failure: Any = self.get("failure")
        if failure is not None:
            show_error(self.ui, failure)
