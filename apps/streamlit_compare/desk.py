"""What the page of comparisons keeps for one browser tab: its columns, the comparison under way. Draws errors only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import streamlit as st

from apps import host
from apps.streamlit_bound import Bound
from apps.streamlit_kit import Ui, browser_watch, show_error
from apps.ui import compare
from apps.ui.compare import ADDRESS, Setting, Settings
from engine.catalog import ModelCard
from engine.compare.running import Comparison
from engine.compare.side import Side, SideView
from engine.errors import EngineError, UnknownModel
from engine.params import BY_NAME
from engine.support import unsupported


@dataclass(frozen=True)
class Desk(Bound):
    """One run of the page; cheap to make."""

    ui: Ui

    def key(self, name: str) -> str:
        """The name of a widget or a value of this page."""
        return f"compare.{name}"

    @property
    def fresh(self) -> Desk:
        """The desk of now: a callback holds that of an earlier run."""
        return Desk(Ui(self.ui.section, self.ui.lang))

    @property
    def values(self) -> Mapping[str, Any]:
        """What the page's controls hold: at a tab's first run what its address says."""
        found: Mapping[str, Any] | None = self.get("values")
        if found is None:
            found = {"sides": compare.read(st.query_params.get(ADDRESS)) or self.start}
            self.set("values", found)
        return found

    @property
    def settings(self) -> Settings:
        """The columns."""
        found: Settings = self.values["sides"]
        return found

    @property
    def start(self) -> Settings:
        """The columns where the address says none; recorded ones in a demonstration."""
        return compare.start(self.ui.card.id, self.cards, tuple(self.recorded) if host.options().demo else ())

    @cached_property
    def cards(self) -> tuple[ModelCard, ...]:
        """The models of this machine that can be asked."""
        return tuple(self.ui.engine.models(self.ui.person.role))

    @cached_property
    def recorded(self) -> dict[str, str]:
        """Names of the recorded answers by their ids."""
        return compare.recorded_names(self.ui.words)

    @cached_property
    def choices(self) -> dict[str, str]:
        """Names of the models that a column can ask, by id."""
        return compare.choices(self.cards, self.settings, self.recorded)

    def card(self, setting: Setting) -> ModelCard | None:
        """The card of a column's model; None where there is no such model."""
        try:
            return self.ui.engine.catalog.card(setting.model)
        except UnknownModel:
            return None

    def refused(self, setting: Setting) -> Mapping[str, str]:
        """What a column's model does not take; of one that this person may not open, nothing is known."""
        try:
            return unsupported(self.ui.open(setting.model))
        except EngineError:
            return {}

    def value(self, number: int, name: str) -> Any:
        """A parameter as that column asks it: its own, else the left column's, else its model's default."""
        one, moved = self.settings[number], self.ui.moved
        if name in one.own:
            return one.own[name]
        card = self.card(one)
        default = self.ui.engine.defaults(card).get(name, BY_NAME[name].default) if card else BY_NAME[name].default
        return moved[name] if name in moved.given else default

    def hold(self, settings: Settings) -> None:
        """Have other columns."""
        self.change(sides=settings)

    @property
    def run(self) -> Comparison | None:
        """The comparison of this tab, once something was asked."""
        found: Comparison | None = self.get("run")
        return found

    @cached_property
    def views(self) -> tuple[SideView, ...]:
        """The answers as they were when this run first looked: should one end meanwhile, all parts of the run agree.
        Nothing where nothing was asked of these columns.
        """
        return self.run.views() if self.run is not None and self.run.turns and self.fits else ()

    @property
    def running(self) -> bool:
        """Whether a column was still answering then."""
        return any(view.status == "running" for view in self.views)

    @property
    def sides(self) -> tuple[Side, ...]:
        """What the columns ask. Raises BadParameter."""
        return tuple(compare.side(one, self.ui.moved) for one in self.settings)

    @property
    def fits(self) -> bool:
        """Whether the comparison under way has these columns."""
        return self.run is not None and len(self.run.sides) == len(self.settings)

    def ask(self, question: str) -> None:
        """Ask all columns; another number of them begins anew."""
        self.attempt(lambda: self.fresh.begin(question))
        self.set("draft", question if self.get("failure") else None)

    def example(self, name: str) -> None:
        """Ask one of the examples."""
        settings, question = compare.example(name, self.ui.words, self.ui.card.id, tuple(self.recorded))
        self.hold(settings)
        self.set("run", None)
        self.ask(question)

    def begin(self, question: str) -> None:
        """The same. Raises BadInput."""
        sides, run, person = self.sides, self.run, self.ui.person
        if run is None or not self.fits:
            run = Comparison(self.ui.engine, sides, owner=person.id, role=person.role, lent=person.lent,
                             wanted=browser_watch())  # fmt: skip
        for place, side in enumerate(sides):
            run.change(place, side)
        run.ask(question)
        for name in ("drawer", "panel"):
            self.set(name, None)
        self.set("run", run)

    def again(self, place: int) -> None:
        """Ask one column the last question again."""
        now, run = self.fresh, self.run
        if run is not None:
            self.attempt(lambda: run.regenerate(place, now.sides[place]))

    def stop(self, place: int | None = None) -> None:
        """End one answer, or all."""
        if self.run is not None:
            self.run.stop(place)

    def restart(self) -> None:
        """Forget what was asked."""
        self.stop()
        for name in ("run", "failure", "drawer", "panel"):
            self.set(name, None)

    def attempt(self, act: Callable[[], Any]) -> None:
        """Do that; its error is kept, to be shown by the run that follows."""
        self.set("failure", None)
        try:
            act()
        except EngineError as error:
            self.set("failure", error)

    def show_failure(self) -> None:
        """What went wrong with the last thing that was done."""
        if failure := self.get("failure"):
            show_error(self.ui, failure)

    def write_address(self) -> None:
        """Put the columns into the page's address, so that it can be handed out; never a text."""
        said, start = compare.to_address(self.settings), compare.to_address(self.start)
        if said == start:
            st.query_params.pop(ADDRESS, None)
        elif said != st.query_params.get(ADDRESS):
            st.query_params[ADDRESS] = said
