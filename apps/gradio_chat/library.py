"""The person's prompts: choose one, fill in what it asks for, put it into the message; write, compare, import, export.

The fields of a prompt are an HTML form made here; what a browser sends of it is checked by the engine. Knows no layout
of the tab and no backend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import prompts
from apps.gradio_chat.face import Update, Values, outgoing
from apps.gradio_chat.pane import Pane
from apps.gradio_kit import INTERNAL, Ui, on
from engine.errors import EngineError
from engine.person import Person
from engine.prompts import (
    FILE_MAX,
    Prompt,
    Prompts,
    export_prompts,
    fill,
    read_prompts,
    slug,
)

# A file's text is read in the browser and goes along as text; what is no text is for the paper clip.
_SEND = """element.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button) return;
  const values = {};
  for (const field of element.querySelectorAll("[data-name]")) {
    const file = field.files?.[0];
    values[field.dataset.name] = file ? await file.text() : field.type === "file" ? ""
      : field.type === "checkbox" ? String(field.checked) : field.value;
  }
  trigger("click", { act: button.dataset.act, values });
});"""


@dataclass(frozen=True)
class Parts:
    """The components of the library."""

    box: gr.Accordion
    choose: gr.Dropdown
    form: gr.HTML
    more: gr.Accordion
    name: gr.Textbox
    text: gr.Textbox
    save: gr.Button
    drop: gr.Button
    version: gr.Dropdown
    diff: gr.Textbox
    restore: gr.Button
    export: gr.Button
    take: gr.UploadButton

    @property
    def written(self) -> list[Any]:
        """What its handlers change."""
        return [self.box, self.choose, self.form, self.name, self.text, self.drop, self.version, self.diff]


def lay_out(ui: Ui) -> Parts:
    """The library, folded."""
    t = ui.t
    with gr.Accordion(t("chat_compose.library"), open=False, elem_id="library", elem_classes="atelier-drawer") as box:
        choose = gr.Dropdown([], value=None, label=t("chat_library.choose"), info=t("chat_compose.library_help"),
                             elem_id="prompts")  # fmt: skip
        form = gr.HTML("", js_on_load=_SEND, elem_id="fields", elem_classes=["atelier-slot", "atelier-acts"])
        with gr.Accordion(f"{t('chat_library.write')} · {t('chat_library.transfer')}", open=False) as more:
            name = gr.Textbox("", label=t("chat_library.name"), max_lines=1, elem_id="prompt-name")
            text = gr.Textbox("", label=t("chat_library.text"), info=t("chat_library.text_help"), lines=3, max_lines=12,
                              elem_id="prompt-text")  # fmt: skip
            with gr.Row():
                save = gr.Button(t("chat_library.save"), size="sm", elem_id="prompt-save", min_width=120)
                drop = gr.Button(t("chat_library.delete"), size="sm", elem_id="prompt-drop", min_width=120,
                                 visible="hidden")  # fmt: skip
            version = gr.Dropdown([], value=None, label=t("chat_library.compare"), visible="hidden")
            diff = gr.Textbox("", label=t("chat_library.compare"), visible="hidden", interactive=False, max_lines=16)
            restore = gr.Button(t("chat_library.restore"), size="sm")
            export = gr.Button(t("chat_library.export"), size="sm")
            take = gr.UploadButton(t("chat_library.import"), size="sm", file_types=[".json"])
    return Parts(box, choose, form, more, name, text, save, drop, version, diff, restore, export, take)


def wire(pane: Pane, parts: Parts) -> None:
    """Connect it to the message box."""
    desk = Desk(pane, parts)
    boxes: set[Any] = {parts.choose, parts.name, parts.text, parts.version}
    composer = pane.composer
    written = [*parts.written, composer.box, composer.outbox, pane.parts.alert]
    on(
        boxes, written,
        (parts.box.expand, desk.open),
        (parts.choose.input, desk.chosen),
        (parts.more.expand, desk.chosen),  # what was hidden in there could not be shown before
        (parts.form.click, desk.insert),
        (parts.save.click, desk.save),
        (parts.drop.click, desk.drop),
        (parts.version.input, desk.compare),
        (parts.restore.click, desk.restore),
        (parts.export.click, desk.export),
    )  # fmt: skip
    if composer.prompt is not None:  # what a slash command means, from the message box
        composer.prompt.change(desk.called, {*boxes, composer.prompt}, [*written, composer.prompt], **INTERNAL)
    parts.take.upload(desk.take, {*boxes, parts.take}, written, **INTERNAL)


class Desk:
    """What can be done with prompts."""

    def __init__(self, pane: Pane, parts: Parts) -> None:
        self.pane, self.parts, self.ui = pane, parts, pane.ui
        self.kept = Prompts(pane.ui.engine.library)

    def open(self, values: Values, request: gr.Request) -> Update:
        """The prompts to choose from; what is chosen already stays."""
        return {self.parts.choose: gr.Dropdown(choices=self._named(self.ui.person(request)))}

    def chosen(self, values: Values, request: gr.Request) -> Update:
        """The fields of the chosen prompt, its text to change, its versions."""
        return self._done(lambda: self._show(values[self.parts.choose], self.ui.person(request)))

    def called(self, values: Values, request: gr.Request) -> Update:
        """The library opens on the prompt that was called by its command."""
        command = values[self.pane.composer.prompt]
        if not command:
            return {self.parts.box: gr.skip()}
        shown = self._done(lambda: self._list(self.ui.person(request), command))
        return shown | {self.parts.box: gr.Accordion(open=True), self.pane.composer.prompt: ""}

    def insert(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """The filled prompt, in the message box; nothing is sent."""
        person = self.ui.person(request)
        told: Any = event._data if isinstance(event._data, dict) else {}
        given = told.get("values")
        clean = {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}

        def act() -> Update:
            one = self._find(values[self.parts.choose], person)
            if one is None:
                return {self.parts.form: ""}
            now = datetime.now().astimezone()
            text = fill(one.text, clean, now=now, user=person.nickname, language=self.ui.lang)
            return {self.pane.composer.box: text, self.parts.box: gr.Accordion(open=False)}

        return self._done(act)

    def save(self, values: Values, request: gr.Request) -> Update:
        """A new prompt, or a new version of the one of that name."""
        person, name = self.ui.person(request), (values[self.parts.name] or "").strip()

        def act() -> Update:
            old = next((one for one in self.kept.all(person.id) if one.name == name), None)
            made = Prompt(name, old.command if old else slug(name), values[self.parts.text] or "")
            self.kept.save(person.id, made)
            return self._list(person, made.command)

        return self._done(act)

    def drop(self, values: Values, request: gr.Request) -> Update:
        """Forget the chosen prompt with all its versions; a ready one of that command is there again."""
        person = self.ui.person(request)

        def act() -> Update:
            if (one := self._find(values[self.parts.choose], person)) is None:
                return {self.parts.form: gr.skip()}
            self.kept.drop(person.id, one.name)
            return self._list(person, None) | {self.parts.name: "", self.parts.text: ""}

        return self._done(act)

    def compare(self, values: Values, request: gr.Request) -> Update:
        """What changed since that version."""
        person = self.ui.person(request)

        def act() -> Update:
            one, number = self._find(values[self.parts.choose], person), values[self.parts.version]
            if one is None or not isinstance(number, int):
                return {self.parts.diff: gr.Textbox("", visible="hidden")}
            newest = self.kept.versions(person.id, one.name)[0].number
            told = self.kept.diff(person.id, one.name, number, newest)
            return {self.parts.diff: gr.Textbox(told, visible=True)}

        return self._done(act)

    def restore(self, values: Values, request: gr.Request) -> Update:
        """The prompt as that version was."""
        person = self.ui.person(request)

        def act() -> Update:
            one, number = self._find(values[self.parts.choose], person), values[self.parts.version]
            if one is None or not isinstance(number, int):
                return {self.parts.form: gr.skip()}
            self.kept.restore(person.id, one.name, number)
            return self._list(person, one.command)

        return self._done(act)

    def export(self, values: Values, request: gr.Request) -> Update:
        """The person's prompts as a file."""
        told = export_prompts(self.kept.all(self.ui.person(request).id))
        return {self.pane.composer.outbox: outgoing("prompts.json", "application/json", told)}

    def take(self, values: Values, request: gr.Request) -> Update:
        """Keep the prompts of a file, ours or Open WebUI's."""
        path, person = values[self.parts.take], self.ui.person(request)
        if path is None:
            return {self.parts.form: gr.skip()}

        def act() -> Update:
            file = Path(path)
            with file.open("rb") as opened:
                data = opened.read(FILE_MAX + 1)
            file.unlink(missing_ok=True)
            kept = self.kept.adopt(person.id, read_prompts(data))
            return self._list(person, kept[-1].command if kept else None)

        return self._done(act)

    def _all(self, person: Person) -> tuple[Prompt, ...]:
        return prompts.everything(self.ui, person)

    def _find(self, command: Any, person: Person) -> Prompt | None:
        return next((one for one in self._all(person) if one.command == command), None)

    def _list(self, person: Person, command: Any) -> Update:
        chooser = gr.Dropdown(choices=self._named(person), value=command)
        return self._show(command, person) | {self.parts.choose: chooser}

    def _named(self, person: Person) -> list[tuple[str, str]]:
        return [(f"/{one.command} · {one.name}", one.command) for one in self._all(person)]

    def _show(self, command: Any, person: Person) -> Update:
        one = self._find(command, person)
        if one is None:
            gone = gr.Textbox("", visible="hidden")
            unseen = {self.parts.version: gr.Dropdown(visible="hidden"), self.parts.diff: gone}
            return {self.parts.form: "", self.parts.drop: gr.Button(visible="hidden"), **unseen}
        versions = self.kept.versions(person.id, one.name)
        older = [(self.ui.t("chat_library.version", number=old.number), old.number) for old in versions[1:]]
        return {
            self.parts.form: prompts.form(self.ui, one),
            self.parts.name: one.name,
            self.parts.text: one.text,
            self.parts.drop: gr.Button(visible=True if versions else "hidden"),
            self.parts.version: gr.Dropdown(choices=older, value=None, visible=True if older else "hidden"),
            self.parts.diff: gr.Textbox("", visible="hidden"),
        }

    def _done(self, act: Callable[[], Update]) -> Update:
        try:
            return act() | {self.pane.parts.alert: ""}
        except EngineError as error:
            return {self.pane.parts.alert: kit.error_html(error, self.ui)}
