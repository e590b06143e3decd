"""What the events of the side by side part do: ask all sides, follow them, stop, ask one again, tell two apart, save.

Knows no layout.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.acts import said
from apps.gradio_chat.face import outgoing
from apps.gradio_chat.trace import own_address
from apps.gradio_compare import columns, reading
from apps.gradio_compare.form import form_html
from apps.gradio_compare.kept import Comparisons, Open
from apps.gradio_documents.desk import lines_html
from apps.gradio_kit import Sidebar, Ui
from apps.ui import compare, present
from apps.ui.compare import FILES, Settings
from engine.catalog import ModelCard
from engine.compare.side import QUESTION_MAX
from engine.errors import EngineError
from engine.params import Params
from engine.person import Person

Values = Mapping[Any, Any]
Update = dict[Any, Any]


@dataclass(frozen=True)
class Parts:
    """The components; `told` is where a browser puts what the form holds, `where` the id of the open comparison."""

    form: gr.HTML
    answers: gr.HTML
    alert: gr.HTML
    question: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    new: gr.Button
    under: gr.Column
    pair: gr.Dropdown
    diff: gr.HTML
    files: gr.HTML
    told: gr.Textbox
    outbox: gr.Textbox
    where: gr.State

    @property
    def written(self) -> list[Any]:
        """What asking writes; few enough for a browser."""
        return [self.form, self.answers, self.alert, self.question, self.ask, self.stop, self.where]


class Desk:
    """The handlers; what belongs to a page comes with its events, and is looked up under the person who asks."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: Parts) -> None:
        self.ui, self.bar, self.parts = ui, bar, parts
        self._open = Comparisons()

    @property
    def inputs(self) -> set[Any]:
        """What the handlers read."""
        parts = self.parts
        return self.bar.inputs | {parts.told, parts.question, parts.where, parts.pair}

    def opened(self, values: Values, request: gr.Request) -> Update:
        """The form when the section comes into sight: as it was left, as the address says, else with two sides."""
        parts = self.parts
        shown = tuple(self._recorded) if self.ui.options.demo else ()
        held = reading.told(values[parts.told])
        now = held or reading.addressed(request.query_params)
        updates = self._form(now or compare.start(values[self.bar.model], self._cards(request), shown), request)
        link = request.query_params.get("prompt")
        if link and not held:  # it fills the box and sends nothing
            updates[parts.question] = link[:QUESTION_MAX]
        if self._found(values, request) is None:
            updates[parts.answers] = columns.empty_html(self.ui, tuple(self._recorded))
        return updates

    def asked(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """One question to all; another turn where the sides are as they were."""
        now, question = reading.told(values[self.parts.told]), str(values[self.parts.question] or "")
        yield from self._asked(values, request, now, question)

    def clicked(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """An example of the empty page."""
        name, recorded = said(event).get("example"), tuple(self._recorded)
        if name not in compare.examples(recorded):
            yield self._unchanged()
            return
        settings, question = compare.example(name, self.ui.words, values[self.bar.model], recorded)
        yield self._form(settings, request)
        yield from self._asked(values, request, settings, question)

    def acted(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """What a button of the form does: one side more or less, ask one again, stop one."""
        clicked = said(event)
        now, act, side = reading.told(clicked.get("form")), clicked.get("act"), clicked.get("side", "")
        at = int(side) if side.isdecimal() else 0
        if act == "again":
            yield from self._again(values, request, now, at)
        elif act in ("add", "drop") and now:
            changed = compare.added(now) if act == "add" else compare.removed(now, at)
            yield self._form(changed, request) | self._anew(values, request)
        elif act == "halt":
            yield {self.parts.alert: self._stopped(self._found(values, request), at)}
        else:
            yield self._unchanged()

    def stop(self, values: Values, request: gr.Request) -> str:
        """End all answers; what was written stays."""
        return self._stopped(self._found(values, request))

    def new(self, values: Values, request: gr.Request) -> Update:
        """A new comparison with the sides as they are."""
        self._stopped(self._found(values, request))
        parts = self.parts
        begun = columns.empty_html(self.ui, tuple(self._recorded))
        return {parts.where: "", parts.answers: begun, parts.alert: "", **self._buttons(False)}

    def broken(self) -> tuple[Any, ...]:
        """What is shown after a defect of our own, whose traceback is in the log."""
        told = kit.error_html(present.neutral_error(self.ui.words), self.ui)
        return told, *self._buttons(False).values()

    def ended(self, values: Values, request: gr.Request) -> Update:
        """What stands under the answers, once they are there."""
        parts, found = self.parts, self._found(values, request)
        if found is None:
            return {parts.under: gr.Column(visible=False)}
        views = found.comparison.views()
        pairs = columns.pairs(views)
        chosen = values[parts.pair] if values[parts.pair] in (value for _, value in pairs) else ""
        return {
            parts.under: gr.Column(visible=True),
            parts.pair: gr.Dropdown(pairs, value=chosen),
            parts.diff: columns.diff_html(self.ui, views, chosen),
            parts.files: columns.files_html(self.ui),
        }

    def differ(self, values: Values, request: gr.Request) -> str:
        """Two answers word by word."""
        found = self._found(values, request)
        return columns.diff_html(self.ui, found.comparison.views(), values[self.parts.pair]) if found else ""

    def save(self, values: Values, event: gr.EventData, request: gr.Request) -> str:
        """The comparison as a file for the browser."""
        form, found = said(event).get("form", ""), self._found(values, request)
        if found is None or form not in FILES:
            return ""
        text = compare.file(form, found.comparison.report(), self.ui.words)
        return f"[{outgoing(f'comparison.{form}', FILES[form], text)}]"

    # Asking

    def _asked(self, values: Values, request: gr.Request, now: Settings, question: str) -> Iterator[Update]:
        person, parts = self.ui.person(request), self.parts
        try:
            name, one = self._at(values, person, now)
            one.comparison.ask(question)
        except EngineError as error:
            yield {parts.alert: kit.error_html(error, self.ui)}
            return
        name = name or self._open.keep(person.id, one)
        yield {parts.where: name, parts.question: "", parts.alert: "", **self._buttons(True)}
        yield from self._follow(one, person, request)

    def _again(self, values: Values, request: gr.Request, now: Settings, at: int) -> Iterator[Update]:
        """One side asked again, with its model and parameters as the form has them now."""
        found, parts = self._found(values, request), self.parts
        if found is None or at >= len(now):
            yield self._unchanged()
            return
        try:
            found.comparison.regenerate(at, compare.side(now[at], self._moved(values)))
        except EngineError as error:
            yield {parts.alert: kit.error_html(error, self.ui)}
            return
        yield {parts.alert: "", **self._buttons(True)}
        yield from self._follow(found, self.ui.person(request), request)

    def _at(self, values: Values, person: Person, now: Settings) -> tuple[str, Open]:
        """The page's comparison and its id, asked as the form says now; a new one without any where the number of
        sides is another. Raises EngineError.
        """
        moved = self._moved(values)
        sides = tuple(compare.side(one, moved) for one in now)
        name = str(values[self.parts.where] or "")
        found = self._open.find(person.id, name)
        if found is None or len(found.comparison.sides) != len(sides):
            self._stopped(found)
            return "", Open(self.ui.engine, sides, person)
        for at, side in enumerate(sides):
            found.comparison.change(at, side)
        return name, found

    def _moved(self, values: Values) -> Params:
        """The left column's parameters that somebody moved: the others leave each model its own."""
        model_id, params = self.bar.chosen(values)
        return params.apart(self.ui.engine.defaults(self.ui.engine.catalog.card(model_id)))

    def _follow(self, one: Open, person: Person, request: gr.Request) -> Iterator[Update]:
        """The answers as they come, less often when they are long; then as they are, with all that belongs to them."""
        parts, due = self.parts, 0.0
        for _ in one.looks():
            if time.monotonic() < due:
                continue
            drawn = columns.answers_html(self.ui, one.comparison.turns)
            yield {parts.answers: drawn}
            due = time.monotonic() + len(drawn) / present.CHARACTERS_PER_SECOND
        below = columns.below(self.ui, one.comparison, person.id, own_address(self.ui, request))
        yield {parts.answers: columns.answers_html(self.ui, one.comparison.turns, below), **self._buttons(False)}

    def _stopped(self, found: Open | None, at: int | None = None) -> str:
        """End one answer or all; why that was not possible, as HTML."""
        try:
            if found is not None:
                found.comparison.stop(at)
        except EngineError as error:
            return kit.error_html(error, self.ui)
        return ""

    def _found(self, values: Values, request: gr.Request) -> Open | None:
        return self._open.find(self.ui.person(request).id, str(values[self.parts.where] or ""))

    def _form(self, now: Settings, request: gr.Request) -> Update:
        choices = compare.choices(self._cards(request), (), self._recorded)
        return {self.parts.form: form_html(self.ui, now, choices)}

    def _cards(self, request: gr.Request) -> tuple[ModelCard, ...]:
        """The models that this person can choose."""
        return self.ui.engine.models(self.ui.person(request).role)

    @cached_property
    def _recorded(self) -> Mapping[str, str]:
        """Names of the recorded answers by their ids."""
        return compare.recorded_names(self.ui.words)

    def _anew(self, values: Values, request: gr.Request) -> Update:
        """That another number of columns is another comparison, where one is open."""
        note = self.ui.t("compare.new_columns") if self._found(values, request) else ""
        return {self.parts.alert: lines_html([note])}

    def _unchanged(self) -> Update:
        """An update that changes nothing; of a generator without any, Gradio would empty all its outputs."""
        return {self.parts.alert: gr.skip()}

    def _buttons(self, busy: bool) -> Update:
        return {
            self.parts.ask: gr.Button(visible="hidden" if busy else True),
            self.parts.stop: gr.Button(visible=True if busy else "hidden"),
        }
