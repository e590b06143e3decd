"""A preset as a model: the teacher's presets that other programs may ask by name. Components and handlers.

Knows no route of the served API; presets are made on the chat page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_kit import Ui
from apps.gradio_models.desk import Desk, paragraph
from apps.gradio_models.parts import LINE, button
from apps.ui import doors
from engine.errors import EngineError
from engine.presets import Presets
from engine.published import Offer

NAME_MAX = 80


@dataclass(frozen=True)
class Published:
    """What is offered, and the form."""

    tab: gr.Tab
    table: gr.HTML
    offers: gr.Row
    offer: gr.Dropdown
    withdraw: gr.Button
    form: gr.Column
    preset: gr.Dropdown
    name: gr.Textbox
    collections: gr.Dropdown
    publish: gr.Button
    told: gr.HTML

    @property
    def read(self) -> set[Any]:
        """What the handlers take, the model apart."""
        return {self.offer, self.preset, self.name, self.collections}

    @property
    def written(self) -> list[Any]:
        """What another state of the offers writes."""
        return [self.table, self.offers, self.offer, self.form, self.preset, self.name, self.collections, self.told]


def published(ui: Ui, tab: gr.Tab) -> Published:
    """Lay it out."""
    t = ui.t
    gr.HTML(lines_html([t("models_publish.help")]))
    table = gr.HTML(elem_id="published-table")
    with gr.Row(visible=False, elem_classes="atelier-end") as offers:
        offer = gr.Dropdown([], label=t("models_publish.name"), scale=3, min_width=200, elem_id="published-offer")
        withdraw = button(t("models_publish.withdraw"), "published-withdraw", variant="stop")
    with gr.Column(visible=False) as form:
        with gr.Row():
            preset = gr.Dropdown([], label=t("models_publish.preset"), min_width=200, elem_id="published-preset")
            name = gr.Textbox("", label=t("models_publish.as"), placeholder=t("models_publish.as_hint"),
                              max_length=NAME_MAX, elem_id="published-name", **LINE)  # fmt: skip
        read = gr.Dropdown([], label=t("models_publish.collections"), multiselect=True, visible=False,
                           elem_id="published-collections")  # fmt: skip
        publish = button(t("models_publish.publish"), "published-publish", variant="primary")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="published-told")
    return Published(tab, table, offers, offer, withdraw, form, preset, name, read, publish, told)


class Publishing:
    """What the events do."""

    def __init__(self, desk: Desk, parts: Published) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def look(self, values: Values, request: gr.Request) -> Update:
        """What is offered, and what may be; nothing of it for a student."""
        parts, words, engine = self.parts, self.ui.words, self.ui.engine
        person = self.desk.person(request)
        if person.role != "teacher":
            return {parts.table: lines_html([words.t("models_publish.teacher")]), parts.offers: gr.Row(visible=False),
                    parts.form: gr.Column(visible=False), parts.told: ""}  # fmt: skip
        offers, presets = engine.published.list(), Presets(engine.library).names(person.id)
        rows = table_html(doors.offer_head(words), doors.offer_rows(offers, words)) if offers else ""
        lines = [words.t(f"models_publish.{name}") for name, found in (("none", offers), ("no_presets", presets))
                 if not found]  # fmt: skip
        collections = [(one.name, one.id) for one in engine.collections.list(person.id)]
        return {
            parts.table: rows + lines_html(lines),
            parts.offers: gr.Row(visible=bool(offers)),
            parts.offer: _among([offer.name for offer in offers], values[parts.offer]),
            parts.form: gr.Column(visible=bool(presets)),
            parts.preset: _among(presets, values[parts.preset]),
            parts.collections: gr.Dropdown(collections, visible=bool(collections)),
            parts.told: "",
        }

    def publish(self, values: Values, request: gr.Request) -> Update:
        """The chosen preset under its name, answered by the model of the left column."""
        parts, engine = self.parts, self.ui.engine
        try:
            person = self.desk.teacher(request)
            preset = Presets(engine.library).get(person.id, str(values[parts.preset] or ""))
            name = str(values[parts.name] or "").strip() or preset.name
            card = engine.catalog.card(str(values[self.desk.bar.model] or ""))
            read = tuple(values[parts.collections] or ())
            offer = Offer(name, replace(preset, name=name), card.id, person.id, read)
            kept = engine.published.publish(offer, role=person.role)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        told = {parts.told: paragraph(self.ui.t("models_publish.done", name=kept.name)), parts.name: ""}
        return self.look({**values, parts.offer: kept.name}, request) | told

    def withdraw(self, values: Values, request: gr.Request) -> Update:
        """The chosen offer, no more."""
        parts = self.parts
        try:
            person = self.desk.teacher(request)
            self.ui.engine.published.withdraw(str(values[parts.offer] or ""), role=person.role)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        return self.look(values, request)


def _among(names: Any, chosen: Any) -> gr.Dropdown:
    """The names, the chosen one still chosen where it is among them."""
    found = list(names)
    return gr.Dropdown(found, value=chosen if chosen in found else next(iter(found), None))
