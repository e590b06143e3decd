"""What the page of the rhyme keeps for one browser tab: its controls' values, the open step, the run. Draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from apps.streamlit_bound import Bound
from apps.streamlit_comptine.running import Running
from apps.streamlit_kit import Ui, browser_watch, show_error
from apps.ui.comptine_cell import ADDRESS, cell_of, from_address, to_address, values_of
from engine.comptine.cell import Cell, CellResult
from engine.comptine.strictly import run_of
from engine.errors import EngineError
from engine.model import Model

T = TypeVar("T")
FOLDED = "folded"


@dataclass(frozen=True)
class Desk(Bound):
    """One run of the page; cheap to make."""

    ui: Ui

    def key(self, name: str) -> str:
        """The name of a widget or a value of this page."""
        return f"comptine.{name}"

    @property
    def values(self) -> Mapping[str, Any]:
        """What the controls hold: at a tab's first run what its address says."""
        found: Mapping[str, Any] | None = self.get("values")
        if found is None:
            found = from_address(st.query_params)
            self.set("values", found)
        return found

    def changed(self, name: str, read: Callable[[Any], Any] | None = None) -> None:
        """Keep what the widget of that value shows now; None in a field of numbers leaves what was there."""
        shown = st.session_state[self.key(f"box.{name}")]
        if shown is not None and self.touched(name):
            self.change(**{name: read(shown) if read else shown})

    def show(self, cell: Cell, step: str = "run") -> None:
        """Hold a cell and open that step."""
        self.change(**values_of(cell))
        self.set("step", step)

    @property
    def step(self) -> str:
        """The step that is open."""
        return str(self.get("step", "rhyme"))

    @property
    def way(self) -> str | None:
        """The way in that is open; None where both are folded."""
        found = self.get("way", "sheet")
        return None if found == FOLDED else str(found)

    @property
    def cell(self) -> Cell:
        """The cell that the controls ask for. Raises BadInput."""
        return cell_of(self.values, self.ui.card.id)

    @property
    def run(self) -> Running | None:
        """The run under way, or the last one."""
        found: Running | None = self.get("running")
        return found

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self.run is not None and not self.run.done

    @property
    def result(self) -> CellResult | None:
        """What came of the last run."""
        return None if self.run is None or not self.run.done else self.run.result

    def start(self) -> None:
        """Run the cell that the controls ask for; nothing where one is under way."""
        if not self.busy:
            self.attempt(self._start)

    def _start(self) -> None:
        ui, cell = Ui(self.ui.section, self.ui.lang), self.cell
        cell.prompt()  # a cell that asks nothing is refused before anything runs
        asked = run_of(ui.engine, ui.open(ui.card.id), cell, ui.person, strict=bool(self.values.get("strict")))
        run = Running(asked, browser_watch())
        for name in ("ends", "replayed", "drawer", "panel"):
            self.set(name, None)
        self.set("running", run)
        self.set("step", "run")
        self.set("way", FOLDED)

    def stop(self) -> None:
        """End the run under way."""
        if self.run is not None:
            self.run.stop()

    @property
    def counter(self) -> Model | None:
        """The chosen model where it counts without being loaded for that, and without the network."""
        card = self.ui.card
        local = card.backend == "echo" or (card.backend == "llamacpp" and self.ui.engine.loaded(card.id) is not None)
        return self.ui.model if local else None

    def kept(self, name: str, of: Any, make: Callable[[], T]) -> T:
        """What `make` gave for `of`; made anew only when that has changed."""
        known = self.get(name)
        if known is None or known[0] != of:
            known = (of, make())
            self.set(name, known)
        found: T = known[1]
        return found

    def attempt(self, act: Callable[[], Any]) -> Any:
        """What `act` gives; its error is kept, to be shown by the run that follows."""
        self.set("failure", None)
        try:
            return act()
        except EngineError as error:
            self.set("failure", error)
            return None

    def show_failure(self) -> None:
        """What went wrong with the last thing that was done."""
        if failure := self.get("failure"):
            show_error(self.ui, failure)

    def write_address(self) -> None:
        """Put into the page's address what the controls hold, so that it can be handed out; never a text."""
        wanted = to_address(self.values)
        for name in ADDRESS:
            if wanted.get(name) != st.query_params.get(name):
                if name in wanted:
                    st.query_params[name] = wanted[name]
                else:
                    del st.query_params[name]
