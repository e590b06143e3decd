"""What the events of the part Images do: show a model's form, make a picture, follow it, stop it, save all. Knows no
layout.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.acts import button, said
from apps.gradio_compare.picture_form import form_html, held_of
from apps.gradio_kit import Sidebar, Ui
from apps.ui import pictures
from apps.ui.present import neutral_error
from engine.compare import Look, PictureRun, picture_form, zip_of
from engine.errors import BadInput, EngineError
from engine.person import Person

Values = Mapping[Any, Any]
Update = dict[Any, Any]
BYTES_MAX = 256 * 2**20  # of all pictures that are kept


@dataclass(frozen=True)
class Parts:
    """The components; `told` is where a browser puts what the form holds, `form` shows it, `shown` has the bar, what
    went wrong and the gallery.
    """

    model: gr.Dropdown
    load: gr.Button
    form: gr.HTML
    make: gr.Button
    stop: gr.Button
    save: gr.Button
    alert: gr.HTML
    gallery: gr.HTML
    told: gr.Textbox
    outbox: gr.Textbox

    @property
    def written(self) -> list[Any]:
        """What making a picture writes; few enough for a browser."""
        return [self.form, self.alert, self.gallery, self.make, self.stop, self.save]


class Works:
    """What each person made, and what is under way, in the memory of this process; the last to come is the last to go.
    Thread safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: OrderedDict[str, tuple[Look, ...]] = OrderedDict()
        self._running: dict[str, PictureRun] = {}

    def of(self, owner: str) -> tuple[Look, ...]:
        """The last works of that person, the newest last."""
        with self._lock:
            return self._done.get(owner, ())

    def add(self, owner: str, look: Look) -> None:
        """One more."""
        with self._lock:
            self._done[owner] = (*self._done.pop(owner, ()), look)[-pictures.KEPT :]
            while len(self._done) > 1 and sum(map(_size, self._done.values())) > BYTES_MAX:
                self._done.popitem(last=False)

    def begin(self, owner: str, run: PictureRun) -> None:
        """That one is under way."""
        with self._lock:
            before, self._running[owner] = self._running.get(owner), run
        if before is not None:
            before.stop()

    def end(self, owner: str, run: PictureRun) -> None:
        """That one is no longer."""
        with self._lock:
            if self._running.get(owner) is run:
                del self._running[owner]

    def stop(self, owner: str) -> None:
        """End what is under way."""
        with self._lock:
            run = self._running.get(owner)
        if run is not None:
            run.stop()


class Desk:
    """The handlers; what belongs to a page comes with its events, and is looked up under the person who asks."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: Parts) -> None:
        self.ui, self.bar, self.parts = ui, bar, parts
        self._works = Works()

    def opened(self, values: Values, request: gr.Request) -> Update:
        """What this person made, when the part comes into sight; examples where nothing was asked."""
        return self._gallery(self.ui.person(request)) | {self.parts.form: gr.skip()}

    def load(self, values: Values, request: gr.Request) -> Update:
        """The form of the model."""
        try:
            model, fields = self._form(values[self.parts.model], self.ui.person(request))
        except EngineError as error:
            return {self.parts.alert: kit.error_html(error, self.ui)}
        return {self.parts.form: form_html(self.ui, model, fields), self.parts.alert: "",
                self.parts.make: gr.Button(visible=bool(fields))}  # fmt: skip

    def made(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """A picture with what the form holds."""
        person = self.ui.person(request)
        try:
            model, fields = self._form(values[self.parts.model], person)
            yield from self._made(person, model, held_of(values[self.parts.told], fields))
        except EngineError as error:
            yield {self.parts.alert: kit.error_html(error, self.ui)}

    def example(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """A picture with one click."""
        name, person, model = said(event).get("example", ""), self.ui.person(request), pictures.example_model()
        try:
            if name not in pictures.EXAMPLES:
                raise BadInput("no such example", what="example")
            given = {"prompt": self.ui.t(f"compare_images.example.{name}_prompt")}
            _, fields = self._form(model, person)
            yield {self.parts.form: form_html(self.ui, model, fields, given)}
            yield from self._made(person, model, given)
        except EngineError as error:
            yield {self.parts.alert: kit.error_html(error, self.ui)}

    def broken(self) -> Update:
        """After a defect: its traceback is in the log, not on the page."""
        wrong = kit.error_html(neutral_error(self.ui.words), self.ui)
        return {self.parts.alert: wrong, self.parts.make: gr.Button(interactive=True)}

    def stop(self, values: Values, request: gr.Request) -> str:
        """End what is under way."""
        self._works.stop(self.ui.person(request).id)
        return ""

    def save(self, values: Values, request: gr.Request) -> str:
        """All pictures as a zip for the browser."""
        works = self._works.of(self.ui.person(request).id)
        if not works:
            return ""
        packed = base64.b64encode(zip_of(works)).decode("ascii")
        return json.dumps([{"name": "pictures.zip", "kind": "application/zip", "base64": packed}])

    def examples_html(self) -> str:
        """What runs with one click."""
        t = self.ui.t
        acts = "".join(
            button("example", t(f"compare_images.example.{name}"), example=name) for name in pictures.EXAMPLES
        )
        return f'<p class="atelier-note">{t("compare_images.empty")}</p><div role="toolbar">{acts}</div>'

    def _form(self, typed: Any, person: Person) -> tuple[str, Any]:
        model = pictures.model_id(str(typed or ""))
        return model, picture_form(self.ui.engine, model, owner=person.id, role=person.role)

    def _made(self, person: Person, model: str, given: Mapping[str, Any]) -> Iterator[Update]:
        """The bar while it is made, then the gallery; stopped with this iterator."""
        parts = self.parts
        run = PictureRun(self.ui.engine, model, given, owner=person.id, role=person.role)
        self._works.begin(person.id, run)
        look = run.look()
        try:
            with closing(run.looks()) as looks:
                for look in looks:
                    if look.running:
                        yield {parts.alert: kit.progress_html(pictures.progress(look, self.ui.words)),
                               parts.make: gr.Button(interactive=False, visible=True),
                               parts.stop: gr.Button(visible=True)}  # fmt: skip
        finally:
            run.stop()  # nobody follows it any more; one that has ended is not touched
            self._works.end(person.id, run)
        if look.pictures:
            self._works.add(person.id, look)
        wrong = kit.error_html(look.error, self.ui) if look.error else ""
        yield self._gallery(person) | {parts.alert: wrong, parts.make: gr.Button(interactive=True, visible=True),
                                       parts.stop: gr.Button(visible="hidden")}  # fmt: skip

    def _gallery(self, person: Person) -> Update:
        works = self._works.of(person.id)
        shown = pictures.gallery_html(works, self.ui.words) or self.examples_html()
        return {self.parts.gallery: shown, self.parts.save: gr.Button(visible=bool(works))}


def _size(works: tuple[Look, ...]) -> int:
    """Bytes of the pictures."""
    return sum(len(picture.data) for look in works for picture in look.pictures)
