"""Slots and queue as they run, LM Studio's port, and the choice of what computes: all the teacher's. Components and
handlers.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps import host
from apps.extra_port import LOWEST
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_kit import Ui
from apps.gradio_models.desk import Desk, paragraph, whole
from apps.gradio_models.parts import LINE, button
from apps.options import LM_STUDIO_PORT
from apps.ui import slots as shown
from apps.ui.doors import extra_address
from engine import instances
from engine.errors import EngineError
from engine.ps import busy
from engine.runtime.load import RANGES

LIVE_S = 2.0


@dataclass(frozen=True)
class Slots:
    """What the slots do now."""

    tab: gr.Tab
    table: gr.HTML
    live: gr.Checkbox
    clock: gr.Timer


@dataclass(frozen=True)
class Port:
    """The extra port."""

    fold: gr.Accordion
    port: gr.Textbox
    open: gr.Button
    close: gr.Button
    told: gr.HTML

    @property
    def written(self) -> list[Any]:
        """What another state of the port writes."""
        return [self.fold, self.open, self.close, self.told]


@dataclass(frozen=True)
class Choosing:
    """What computes."""

    form: gr.Column
    threads: gr.Textbox
    layers: gr.Textbox
    device: gr.Dropdown
    save: gr.Button
    unload: gr.Button
    told: gr.HTML

    @property
    def written(self) -> list[Any]:
        """What another choice writes."""
        return [self.form, self.threads, self.layers, self.device, self.unload, self.told]


def slots(ui: Ui, tab: gr.Tab) -> Slots:
    """Lay it out."""
    live = gr.Checkbox(False, label=ui.t("models_log.live"), min_width=160, elem_id="slots-live")
    return Slots(tab, gr.HTML(elem_id="slots-table"), live, gr.Timer(LIVE_S, active=False))


def port(ui: Ui) -> Port:
    """Lay it out."""
    t = ui.t
    with gr.Accordion(t("models_server.port"), open=False, visible=False, elem_id="server-port-fold") as fold:
        number = gr.Textbox(str(LM_STUDIO_PORT), label=t("models_server.port"), info=t("models_server.port_help"),
                            elem_id="server-port", **LINE)  # fmt: skip
        with gr.Row():
            open_ = button(t("models_server.port_open"), "server-port-open")
            close = button(t("models_server.port_close", port=""), "server-port-close", visible=False)
        told = gr.HTML(elem_classes="atelier-slot", elem_id="server-port-told")
    return Port(fold, number, open_, close, told)


def choosing(ui: Ui) -> Choosing:
    """Lay it out."""
    t = ui.t
    with gr.Column(visible=False) as form:
        with gr.Row():
            threads = gr.Textbox("", label=t("models_choice.threads"), info=t("models_choice.help"),
                                 elem_id="choice-threads", **LINE)  # fmt: skip
            layers = gr.Textbox("", label=t("models_choice.gpu_layers"), visible=False, elem_id="choice-layers", **LINE)
            device = gr.Dropdown([], label=t("models_choice.device"), visible=False, min_width=200,
                                 elem_id="choice-device")  # fmt: skip
        with gr.Row():
            save = button(t("models_choice.save"), "choice-save")
            unload = button(t("models_choice.unload"), "choice-unload", visible=False)
    told = gr.HTML(elem_classes="atelier-slot", elem_id="choice-told")
    return Choosing(form, threads, layers, device, save, unload, told)


class Occupied:
    """What the events of slots do."""

    def __init__(self, desk: Desk, parts: Slots) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def look(self, request: gr.Request) -> str:
        """Every slot and the queue before it."""
        words = self.ui.words

        def told() -> str:
            if not self.desk.is_teacher(request):
                return lines_html([words.t("models_slots.teacher")])
            found, names = busy(self.ui.engine), shown.names_of(self.ui.engine, words)
            if not found:
                return lines_html([words.t("models_slots.none")])
            queue = shown.queue_rows(found, names, words)
            rows = table_html(shown.slot_head(words), shown.slot_rows(found, names, words))
            waits = (
                table_html(shown.queue_head(words), queue) if queue else lines_html([words.t("models_slots.nobody")])
            )
            title = f"<h4>{html.escape(words.t('models_slots.queue'))}</h4>"
            return rows + lines_html(shown.reading_lines(found, words)) + title + waits

        return self.desk.said(told)

    def live(self, values: Values, request: gr.Request) -> Update:
        """Looked at again and again, or no longer."""
        on = bool(values[self.parts.live]) and self.desk.is_teacher(request)
        return {self.parts.clock: gr.Timer(LIVE_S, active=on), self.parts.table: self.look(request)}


class Doorman:
    """What the events of the extra port do."""

    def __init__(self, desk: Desk, parts: Port) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def look(self, request: gr.Request) -> Update:
        """Whether it is open."""
        parts, now = self.parts, host.extra_port().open_port
        close = self.ui.t("models_server.port_close", port=str(now))
        return {parts.fold: gr.Accordion(visible=self.desk.is_teacher(request)), parts.told: "",
                parts.open: gr.Button(visible=not now), parts.close: gr.Button(close, visible=bool(now))}  # fmt: skip

    def open(self, values: Values, request: gr.Request) -> Update:
        """The port of the field."""

        def act() -> str:
            person = self.desk.teacher(request)
            wanted = whole(values[self.parts.port], "port", low=LOWEST) or LM_STUDIO_PORT
            address = extra_address(host.extra_port().open(person, wanted))
            return self.ui.t("models_server.port_opened", address=address)

        return self._done(act, request)

    def close(self, request: gr.Request) -> Update:
        """No more."""

        def act() -> str:
            host.extra_port().close(self.desk.teacher(request))
            return self.ui.t("models_server.port_closed")

        return self._done(act, request)

    def _done(self, act: Any, request: gr.Request) -> Update:
        said = self.desk.said(lambda: paragraph(act()))
        return self.look(request) | {self.parts.told: said}


class Chooser:
    """What the events of the choice do."""

    def __init__(self, desk: Desk, parts: Choosing) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def look(self, request: gr.Request) -> Update:
        """What there is to choose, and what was chosen."""
        parts, words, computing = self.parts, self.ui.words, self.ui.engine.computing
        if not self.desk.is_teacher(request):
            return {parts.form: gr.Column(visible=False), parts.told: ""}
        try:
            options, kept = computing.options(), computing.get()
        except EngineError as error:
            return {parts.form: gr.Column(visible=False), parts.told: kit.error_html(error, self.ui)}
        old, gpus = computing.outdated(self.ui.engine), bool(options.gpus)
        hint = words.t("models_choice.threads_left", count=options.threads)
        named = [(text, name) for name, text in shown.devices(options, words).items()]
        return {
            parts.form: gr.Column(visible=True),
            parts.threads: gr.Textbox(_text(kept.threads), placeholder=hint),
            parts.layers: gr.Textbox(_text(kept.gpu_layers), visible=gpus),
            parts.device: gr.Dropdown(named, value=kept.device or "", visible=gpus),
            parts.unload: gr.Button(visible=bool(old)),
            parts.told: lines_html([shown.outdated_line(old, words)]) if old else "",
        }

    def save(self, values: Values, request: gr.Request) -> Update:
        """The choice of the fields; an empty one leaves it to the application."""
        parts = self.parts
        try:
            person = self.desk.teacher(request)
            threads = whole(values[parts.threads], "threads")
            layers = whole(values[parts.layers], "gpu_layers", low=RANGES["gpu_layers"][0])
            choice = shown.choice_of(threads, layers, values[parts.device])
            self.ui.engine.computing.set(choice, person.role)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        again = self.look(request)
        return again | {parts.told: paragraph(self.ui.t("models_choice.saved")) + again[parts.told]}

    def unload(self, request: gr.Request) -> Update:
        """The models that still run as before."""

        def act() -> str:
            person = self.desk.teacher(request)
            for model in self.ui.engine.computing.outdated(self.ui.engine):
                instances.unload(self.ui.engine, model, person.role)
            return paragraph(self.ui.t("models.unloaded"))

        said = self.desk.said(act)
        return self.look(request) | {self.parts.told: said}


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
