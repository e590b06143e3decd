"""What the tab's buttons do: read a text, write tokens, go back, take another branch, files. Handlers; know no layout.

What goes wrong is kept as the page's failure, which the drawing after it shows; nothing that was explored is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from apps.gradio_chat.acts import said
from apps.gradio_chat.face import outgoing
from apps.gradio_components import choice_of
from apps.gradio_kit import Ui, error_html
from apps.gradio_sampling import texts
from apps.gradio_sampling.drawing import Drawing, inside_of
from apps.gradio_sampling.opened import Page
from apps.gradio_sampling.parts import Parts, Update, Values
from apps.ui import sampling
from apps.ui.address import read_address
from engine.errors import BadFile, BadInput, EngineError, NotFound
from engine.model import Model
from engine.sampling import Exploration, grown, remote, served
from engine.sampling.moments import ALTERNATIVES, reading
from engine.types import Message

TOKENS = 10  # of the button that runs on
SERVED = 20  # tokens that the server that chats is asked for
LARGEST = 20_000_000  # bytes of a session


class Acting:
    """The handlers, for the drawing's page."""

    def __init__(self, ui: Ui, drawing: Drawing, parts: Parts) -> None:
        self.ui, self.drawing, self.parts = ui, drawing, parts

    def opened(self, request: gr.Request) -> Update:
        """The page as its address says; a link never runs anything."""
        values = read_address(sampling.ADDRESS, sampling.START, request.query_params)
        return {
            self.parts.order: values["order"],
            self.parts.way: values["way"],
            self.parts.examples: texts.examples(self.ui),
            self.parts.exercises: texts.exercises(self.ui),
        }

    def example(self, event: gr.EventData) -> Update:
        """An example's text, to be read as it is."""
        name = said(event).get("name", "")
        known = name in sampling.EXAMPLES
        return {self.parts.text: self.ui.t(f"sampling.example.{name}") if known else "", self.parts.way: "raw"}

    def look(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Begin anew with the text."""
        page, text = self._begun(request), str(values[self.parts.text] or "")
        yield {self.parts.progress: self.drawing.told(self.ui.t("sampling.reading"))}
        try:
            model = self.drawing.model(values, request)
            if text.strip() and inside_of(model):
                for share in self._read(page, model, text, values[self.parts.way]):
                    yield {self.parts.progress: self.drawing.told(self.ui.t("sampling.reading"), share)}
            elif text.strip():
                self._ask(page, model, text, values)
        except EngineError as error:
            page.failure = error

    def step(self, values: Values, request: gr.Request) -> Update:
        """One token, which the dart hits."""
        self._done(values, request, lambda page, model: self._further(page, model, values))
        return self.drawing.drawn(values, request)

    def running(self) -> Update:
        """The buttons while ten tokens are written."""
        return {self.parts.run: gr.Button(visible="hidden"), self.parts.stop: gr.Button(visible=True)}

    def run(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Ten tokens, each hit by its dart; the text's end ends it, and so does the other button."""
        page, parts, t = self._begun(request), self.parts, self.ui.t
        page.stopping.clear()
        for number in range(TOKENS):
            yield {parts.progress: self.drawing.told(t("sampling.running", done=number + 1, total=TOKENS),
                                                     number / TOKENS)}  # fmt: skip
            if page.stopping.is_set():
                return
            more = self._done(values, request, lambda page, model: self._further(page, model, values))
            known = page.exploration(str(values[self.drawing.bar.model]))
            if known is not None and number % 3 == 2:
                yield {parts.strip: self.drawing.strip(known)}
            if not more:
                return

    def stop(self, request: gr.Request) -> None:
        """End what is under way in this page, soon."""
        self.drawing.page(request).stopping.set()

    def back(self, values: Values, request: gr.Request) -> Update:
        """One token back; what was explored stays."""
        self._done(values, request, self._back)
        return self.drawing.drawn(values, request)

    def draw(self, values: Values, request: gr.Request) -> Update:
        """200 darts, or away with them."""
        page = self._begun(request)
        page.drawn = not page.drawn
        return self.drawing.settled(values, request)

    def take(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """A token chosen by hand."""

        def taken(page: Page, model: Model) -> None:
            seen = page.open(self.ui.engine, model)
            token = sampling.chosen_of(event._data, len(seen.vocabulary))
            if token is not None:
                self._grow(page, model, values, token)

        self._done(values, request, taken)
        return self.drawing.drawn(values, request)

    def instead(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """Another token at a place of the answer: a branch begins there."""

        def branched(page: Page, model: Model) -> None:
            known = page.exploration(model.card.id)
            choice = None if known is None else choice_of(event, [node.scored for node in known.path()])
            if known is None or choice is None:
                return
            place = replace(known, at=known.path()[choice.position].parent)
            token = self._named(page, model, place, choice.text)
            page.keep(place)
            self._grow(page, model, values, token)

        self._done(values, request, branched)
        return self.drawing.drawn(values, request)

    def node(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """Stand at a node of the tree."""
        wanted = said(event).get("node", "")

        def stood(page: Page, model: Model) -> None:
            known = page.exploration(model.card.id)
            if known is not None and (not wanted or wanted.isdecimal()):
                page.keep(known.choose(int(wanted) if wanted else None))

        self._done(values, request, stood)
        return self.drawing.drawn(values, request)

    def exercise(self, event: gr.EventData) -> Update:
        """The settings that an exercise begins with."""
        found = sampling.EXERCISES.get(said(event).get("name", ""), {})
        return {self.drawing.bar.params[name]: value for name, value in found.items()}

    def file(self, name: str, values: Values, request: gr.Request) -> str:
        """A file for the browser to save; nothing where there is nothing to save."""
        page = self.drawing.page(request)
        with page.lock:
            try:
                found = self._file(name, page, self.drawing.model(values, request), values)
            except EngineError:  # the page says what is wrong with its settings
                return ""
        return f"[{outgoing(*found)}]" if found else ""

    def resume(self, values: Values, file: str, request: gr.Request) -> Update:
        """Go on with a session that was exported."""
        page, found = self._begun(request), None
        try:
            found = _session(Path(file))
            model = self.ui.model(found.model, self.ui.person(request))
            words = len(page.open(self.ui.engine, model).vocabulary)
            if any(token >= words for token in (*found.ids, *(node.token for node in found.nodes))):
                raise BadInput("this session is of another vocabulary", reason="format")
            found = replace(found, model=model.card.id)
            page.keep(found)
        except EngineError as error:
            page.failure, found = error, None
        chosen = values if found is None else {**values, self.drawing.bar.model: found.model}
        shown = self.drawing.drawn(chosen, request)
        return shown if found is None else shown | {self.drawing.bar.model: found.model}

    def gap(self, values: Values, request: gr.Request) -> str:
        """How far the server that chats is from these numbers, for the same place."""
        page = self.drawing.page(request)
        try:
            model = self.drawing.model(values, request)
            known = page.exploration(model.card.id)
            if known is None:
                return ""
            top = served(model, (*known.ids, *known.written), SERVED, visitor=page.owner)
            with page.lock:
                seen = page.open(self.ui.engine, model)
                now = page.moment(seen, known, self.drawing.recipe(values))
            return texts.lines(sampling.served_told(now, top, seen.vocabulary.shown, self.ui.words))
        except EngineError as error:
            return error_html(error, self.ui)

    def _begun(self, request: gr.Request) -> Page:
        page = self.drawing.page(request)
        page.failure = None
        return page

    def _done(self, values: Values, request: gr.Request, what: Any) -> Any:
        """What `what` gives for page and model; what goes wrong is kept."""
        page = self._begun(request)
        with page.lock:
            try:
                return what(page, self.drawing.model(values, request))
            except EngineError as error:
                page.failure = error
                return None

    def _read(self, page: Page, model: Model, text: str, way: str) -> Iterator[float]:
        seen = page.open(self.ui.engine, model)
        if way == "chat":
            ids = tuple(model.render(model.request([Message("user", text)])).tokens or ())
        else:
            ids = seen.lens.tokens(text)
        for done in reading(seen.lens, page.owner, ids):
            yield done / len(ids)
        page.keep(Exploration(text, tuple(ids), model.card.id, seen.runtime))

    def _ask(self, page: Page, model: Model, text: str, values: Values) -> None:
        """Of a model elsewhere: an answer with what it tells of each of its tokens."""
        _, params = self.drawing.bar.chosen(values)
        asked = [Message("user", text)]
        found = remote(model, asked, params.replace(max_tokens=TOKENS), owner=page.owner)
        page.places, page.place = (model.card.id, found), 0

    def _further(self, page: Page, model: Model, values: Values) -> bool:
        """One token more; whether the text may go on."""
        if not inside_of(model):
            page.place = min(page.place + 1, max(0, len(page.places[1]) - 1))
            return page.place + 1 < len(page.places[1])
        return self._grow(page, model, values, None)

    def _grow(self, page: Page, model: Model, values: Values, token: int | None) -> bool:
        known, seen = page.exploration(model.card.id), page.open(self.ui.engine, model)
        if known is None:
            return False
        recipe = self.drawing.recipe(values)
        further = grown(known, page.moment(seen, known, recipe), seen.vocabulary, recipe, token)
        if further.written[-1] not in seen.vocabulary.ends:
            page.moment(
                seen, further, recipe
            )  # what is shown next; a window that is full is told before anything changes
        page.keep(further)
        return further.written[-1] not in seen.vocabulary.ends

    def _back(self, page: Page, model: Model) -> None:
        known = page.exploration(model.card.id)
        if known is not None:
            page.keep(known.back())
        elif not inside_of(model):
            page.place = max(0, page.place - 1)

    def _named(self, page: Page, model: Model, place: Exploration, text: str) -> int:
        """The likely token there that is shown so. Raises NotFound."""
        seen = page.open(self.ui.engine, model)
        logits = seen.logits(page.owner, (*place.ids, *place.written))
        best = np.argpartition(-logits, ALTERNATIVES)[:ALTERNATIVES]
        found = next((int(token) for token in best if seen.vocabulary.shown(int(token)) == text), None)
        if found is None:
            raise NotFound("this token is not among the likely ones", what="token", key=text)
        return found

    def _file(self, name: str, page: Page, model: Model, values: Values) -> tuple[str, str, str] | None:
        known = page.exploration(model.card.id)
        if known is None:
            return None
        seen = page.open(self.ui.engine, model)
        if name == "json":
            return "sampling.json", "application/json", known.to_json()
        if name == "grid":
            return "grid.csv", "text/csv", sampling.continuations_csv(page.samples, seen.vocabulary.text)
        now = page.moment(seen, known, self.drawing.recipe(values))
        if name == "svg":
            drawn = sampling.picture_svg(now, seen.vocabulary.shown, self.ui.words)
            return "waterfall.svg", "image/svg+xml", drawn
        return "waterfall.csv", "text/csv", sampling.rows_csv(now, seen.vocabulary.shown)


def _session(file: Path) -> Exploration:
    """The session that was uploaded, which is then no longer kept. Raises BadFile, BadInput."""
    try:
        if file.stat().st_size > LARGEST:
            raise BadFile(f"{file.name} is too long", path=file.name, reason="size")
        return Exploration.from_json(file.read_bytes().decode("utf-8", "replace"))
    finally:
        file.unlink(missing_ok=True)
