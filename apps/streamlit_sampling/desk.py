"""What the page of samplers keeps for one browser tab: its text, the branches explored, what is still to be done.

A model's numbers are asked for by the work under way (`apps.streamlit_sampling.working`) and kept for all parts of the
page; settings alone never ask again. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import streamlit as st

from apps.streamlit_bound import Bound
from apps.streamlit_kit import Ui, show_error
from apps.ui.address import read_address, write_address
from apps.ui.sampling import ADDRESS, START, recipe_of
from engine.errors import EngineError
from engine.params import Params
from engine.sampling import Exploration, Lens, Moment, Recipe, Vocabulary, lens_of, moment

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A model that can be looked into: its lens, and what need not be asked of it again."""

    lens: Lens
    vocabulary: Vocabulary
    runtime: str


@dataclass(frozen=True)
class Desk(Bound):
    """One run of the page; cheap to make."""

    ui: Ui

    def key(self, name: str) -> str:
        """The name of a widget or a value of this page."""
        return f"sampling.{name}"

    @property
    def fresh(self) -> Desk:
        """The desk of now: a callback holds that of an earlier run."""
        return Desk(Ui(self.ui.section, self.ui.lang))

    @property
    def values(self) -> Mapping[str, Any]:
        """What the page's own controls hold: at a tab's first run what its address says."""
        found: Mapping[str, Any] | None = self.get("values")
        if found is None:
            found = read_address(ADDRESS, START, st.query_params)
            self.set("values", found)
        return found

    def changed(self, name: str) -> None:
        """Keep what the widget of that value shows now."""
        if self.touched(name) and self.shown(name) is not None:
            self.change(**{name: self.shown(name)})

    def param_changed(self, name: str) -> None:
        """Give the left column the value of the page's own control of that parameter."""
        if self.touched(name) and self.shown(name) is not None:
            st.session_state[name] = self.shown(name)

    def kept(self, name: str, of: Any, make: Callable[[], T]) -> T:
        """What `make` gave for `of`; made anew only when that has changed."""
        known = self.get(name)
        if known is None or known[0] != of:
            known = (of, make())
            self.set(name, known)
        found: T = known[1]
        return found

    @property
    def inside(self) -> bool:
        """Whether the chosen model is a file here, which can be looked into."""
        return self.ui.card.backend == "llamacpp"

    @property
    def opened(self) -> Opened | None:
        """The chosen model, once the work has opened it."""
        known = self.get("opened")
        return None if known is None or known[0] != self.ui.card.id else known[1]

    def open(self) -> Opened:
        """The chosen model; starts its worker where it was not opened yet. Raises EngineError."""
        lens = lens_of(self.ui.engine, self.ui.model)
        known = self.opened
        if known is None or known.lens is not lens:
            known = Opened(lens, lens.vocabulary, lens.runtime)
            self.set("opened", (self.ui.card.id, known))
        return known

    @property
    def visitor(self) -> str:
        """Whose texts the worker remembers."""
        return self.ui.person.id

    @property
    def exploration(self) -> Exploration | None:
        """What was explored with the chosen model; other models keep theirs."""
        found: Mapping[str, Exploration] = self.get("explorations", {})
        return found.get(self.ui.card.id)

    def keep(self, exploration: Exploration) -> None:
        """Keep it as that of its model."""
        known: Mapping[str, Exploration] = self.get("explorations", {})
        self.set("explorations", {**known, exploration.model: exploration})

    @cached_property
    def recipe(self) -> Recipe:
        """How a token is chosen, as all controls say. Raises BadParameter."""
        values = self.values
        return recipe_of(self.ui.params, values["order"], values["kind"], values["source"])

    def recipe_with(self, order: str, **changes: Any) -> Recipe:
        """The same with another order and other parameters. Raises BadParameter."""
        params = Params({**self.ui.params, **changes})
        return recipe_of(params, order, self.values["kind"], self.values["source"])

    def moment(self, recipe: Recipe | None = None, name: str = "moment") -> Moment:
        """What comes next where the exploration stands; asks the worker for a text that it has not read only."""
        recipe, exploration = recipe or self.recipe, self.exploration
        assert exploration is not None
        known = self.open()
        place = (known.lens.path, exploration.ids, exploration.written, exploration.mu, recipe)
        return self.kept(name, place, lambda: moment(
            known.lens, self.visitor, exploration.ids, exploration.written, recipe, exploration.mu
        ))  # fmt: skip

    def want(self, kind: str, **what: Any) -> None:
        """Have the next run of the page do that; what was to be done before is left."""
        self.set("failure", None)
        self.set("wanted", (kind, what))

    def failed(self, error: EngineError | None) -> None:
        """Keep what went wrong, to be shown until something else is done; nothing is to be done any more."""
        self.set("wanted", None)
        self.set("failure", error)

    def show_failure(self) -> None:
        """What went wrong with the last thing that was done."""
        if failure := self.get("failure"):
            show_error(self.ui, failure)

    def write_address(self) -> None:
        """Put into the page's address what the controls hold, so that it can be handed out; never a text."""
        wanted = write_address(ADDRESS, START, self.values)
        for name in ADDRESS:
            if wanted.get(name) != st.query_params.get(name):
                if name in wanted:
                    st.query_params[name] = wanted[name]
                else:
                    del st.query_params[name]
