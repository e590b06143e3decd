"""The settings of a chat as one fills them: ready forms of an answer, the template's preview, what the model refuses.

Computed when the settings are opened or changed, since it costs a child process. Knows no layout.
"""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import head
from apps.gradio_chat.face import Update, Values
from apps.gradio_chat.opened import Open
from apps.gradio_chat.pane import Pane
from apps.gradio_chat.presets import Shelf
from apps.gradio_chat.window import counts
from apps.gradio_kit import INTERNAL, Ui
from apps.ui import present
from engine.conversation import ChatSettings
from engine.errors import EngineError
from engine.output import KINDS, Output, ready
from engine.templates import NAMES, injected_system, preview, source

SHOWN_MESSAGES = 6  # in a preview
NEEDED = {"mode": "raw", "template": "template", "token_view": "token_view"}  # box → the model's feature


def wire(pane: Pane, changed: Any) -> None:
    """Connect the parts of the settings that fill others: filled when the line is unfolded, and after each change."""
    form, shelf = Form(pane), Shelf(pane)
    parts, extras, boxes = pane.parts, pane.parts.extras, pane.parts.settings
    filled = [*form.written, *shelf.written]
    for event in (parts.head.expand, parts.address.change, pane.bar.model.change):
        event(form.fill, pane.inputs, form.written, **INTERNAL).then(shelf.fill, pane.inputs, shelf.written, **INTERNAL)
    changes = [boxes[name] for name in ("mode", "template", "output_kind")]
    gr.on([box.input for box in changes], form.chosen, pane.inputs, [*pane.outputs, *form.written], **INTERNAL)
    changed.then(form.fill, pane.inputs, form.written, **INTERNAL)
    extras["ready"].input(form.take, {*pane.inputs, extras["ready"]}, [*pane.outputs, *form.written], **INTERNAL)
    read, written = {*pane.inputs, *shelf.read}, [*pane.outputs, *filled, *pane.bar.params.values()]
    extras["preset"].input(shelf.choose, read, written, **INTERNAL)
    extras["preset_save"].click(shelf.save, read, written, **INTERNAL)
    extras["preset_drop"].click(shelf.drop, read, written, **INTERNAL)
    extras["preset_export"].click(shelf.export, read, written, **INTERNAL)
    extras["preset_import"].upload(shelf.take, {*read, extras["preset_import"]}, written, **INTERNAL)


class Form:
    """What fills the settings of one chat."""

    def __init__(self, pane: Pane) -> None:
        self.pane, self.ui = pane, pane.ui
        self.extras, self.boxes = pane.parts.extras, pane.parts.settings

    @property
    def written(self) -> list[Any]:
        """What `fill` changes."""
        shown = [self.extras[name] for name in ("added", "preview", "ready", "verdict")]
        return [*shown, *(self.boxes[name] for name in ("template_text", "output_source", "output_kind", *NEEDED))]

    def fill(self, values: Values, request: gr.Request) -> Update:
        """Everything that follows from the conversation's settings and the model."""
        one = self.pane.at(values[self.pane.parts.where], request)
        settings = one.chat.conversation.settings
        return (
            self._refused(values, request)
            | {self.extras["added"]: self._added(values, settings, request)}
            | self._template(one, settings)
            | self._output(settings)
        )

    def chosen(self, values: Values, request: gr.Request) -> Update:
        """What a chooser brings along: a text to begin with, for a template and for a form of the answer."""
        given, one = dict(values), self.pane.at(values[self.pane.parts.where], request)
        before = one.chat.conversation.settings
        kind, text = self.boxes["output_kind"], self.boxes["output_source"]
        if given[kind] != before.output_kind and given[kind] in KINDS:
            forms = ready(given[kind]) if given[kind] != "text" else {}
            given[text] = next(iter(forms.values())).output.source if forms else ""
        if given[self.boxes["template"]] == head.WRITTEN and not given[self.boxes["template_text"]]:
            given[self.boxes["template_text"]] = source("chatml")
        return self._changed(given, request)

    def take(self, values: Values, request: gr.Request) -> Update:
        """A ready schema or grammar."""
        given, kind = dict(values), values[self.boxes["output_kind"]]
        found = ready(kind).get(values[self.extras["ready"]]) if kind in KINDS[1:] else None
        if found is not None:
            given[self.boxes["output_source"]] = found.output.source
        return self._changed(given, request)

    def _changed(self, given: Update, request: gr.Request) -> Update:
        page = self.pane.changed(given, request)
        settings = self.pane.at(given[self.pane.parts.where], request).chat.conversation.settings
        return page | head.shown(self.boxes, settings) | self.fill(given, request)

    def _refused(self, values: Values, request: gr.Request) -> Update:
        """What this model does not allow is grey, and says why."""
        reasons = self.ui.refused(values[self.pane.bar.model], request)
        updates: Update = {}
        for name, feature in NEEDED.items():
            box = self.boxes[name]
            updates[box] = _greyed(self.ui, box, reasons.get(feature), self._explained(name))
        left = [kind for kind in KINDS if kind not in reasons]
        why = next((reasons[kind] for kind in KINDS if kind in reasons), None)
        explained = self._explained("output_kind") + (f" {self.ui.t(why)}" if why else "")
        named = [(self.ui.t(f"chat_head.output_{kind}"), kind) for kind in left]
        return updates | {self.boxes["output_kind"]: gr.Dropdown(choices=named, info=explained)}

    def _explained(self, name: str) -> str:
        keys = {"output_kind": "chat_head.output_help", "token_view": "chat_tokens.toggle_help"}
        return self.ui.t(keys.get(name, f"chat_head.{name}_help"))

    def _added(self, values: Values, settings: ChatSettings, request: gr.Request) -> str:
        """The system prompt that the model's own template puts in where nobody wrote one."""
        if settings.mode == "raw" or settings.template:
            return ""
        try:
            card = self.ui.engine.catalog.card(values[self.pane.bar.model])
            text = injected_system(self.ui.model(card.id, self.ui.person(request))) if counts(self.ui, card) else None
        except EngineError:  # of a model that cannot be asked nothing is known
            text = None
        if not text:
            return ""
        if settings.system.strip():
            return f"<p>{html.escape(self.ui.t('chat_head.added_off'))}</p>"
        return f"<p>{html.escape(self.ui.t('chat_head.added'))}</p><pre>{html.escape(text)}</pre>"

    def _template(self, one: Open, settings: ChatSettings) -> Update:
        shown, text = self.extras["preview"], self.boxes["template_text"]
        if settings.template is None:
            return {shown: gr.Textbox(visible="hidden"), text: gr.Textbox(visible="hidden")}
        tree = one.chat.conversation
        said = [(message.role, message.content) for message in tree.messages(tree.leaf)][-SHOWN_MESSAGES:]
        try:
            made = preview(settings.template, tuple(said or [("user", self.ui.words.typed("chat.example_1"))]))
        except EngineError as error:
            made = present.error_text(error, self.ui.words).sentence
        written = settings.template not in NAMES
        own = gr.Textbox(settings.template, visible=True) if written else gr.Textbox(visible="hidden")
        return {shown: gr.Textbox(made, visible=True), text: own}

    def _output(self, settings: ChatSettings) -> Update:
        chooser, text, verdict = self.extras["ready"], self.boxes["output_source"], self.extras["verdict"]
        if settings.output_kind == "text":
            return {chooser: gr.Dropdown(visible="hidden"), text: gr.Textbox(visible="hidden"), verdict: ""}
        forms = ready(settings.output_kind)
        found = next((name for name, form in forms.items() if form.output.source == settings.output_source), None)
        named = [(form.title[self.ui.lang], name) for name, form in forms.items()]
        shown = gr.Dropdown(choices=named, value=found, visible=True)
        return {
            chooser: shown,
            text: gr.Textbox(settings.output_source, visible=True),
            verdict: self._checked(settings),
        }

    def _checked(self, settings: ChatSettings) -> str:
        if not settings.output_source.strip():
            return ""
        try:
            Output(settings.output_kind, settings.output_source).check()
        except EngineError as error:
            return kit.error_html(error, self.ui)
        return f'<p class="atelier-note">✓ {html.escape(self.ui.t("chat_head.output_valid"))}</p>'


def _greyed(ui: Ui, box: Any, reason: str | None, explained: str) -> Any:
    told = f"{explained} {ui.t('chat_head.unsupported', reason=ui.t(reason))}" if reason else explained
    return type(box)(interactive=reason is None, info=told)
