"""How a model is configured: what is kept for it, which setting wins, and its named instances. Handlers; no layout."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_models.desk import Desk, paragraph
from apps.gradio_models.parts import Shelf
from apps.ui import model_card
from engine import instances
from engine.decided import decided
from engine.errors import EngineError
from engine.models.configuration import Configuration, instance_id

WORDS = {"yes": True, "no": False}


class Configuring:
    """The handlers."""

    def __init__(self, desk: Desk, parts: Shelf) -> None:
        self.desk, self.ui = desk, desk.ui
        self.chosen, self.parts = parts.list.chosen, parts.settings

    def look(self, values: Values, request: gr.Request) -> Update:
        """What is kept for the chosen model, and what wins where several say something."""
        parts, t = self.parts, self.ui.t
        teacher = self.desk.is_teacher(request)
        try:
            card = self.ui.engine.catalog.card(str(values[self.chosen] or ""))
            kept = self.ui.engine.configuration(card)
            told = self._decided(card.id, values)
        except EngineError as error:
            return {parts.decided: kit.error_html(error, self.ui), parts.form: gr.Column(visible=False)}
        lines = [t("models_config.order"), *([] if not kept.empty else [t("models_config.none")]),
                 *([] if teacher else [t("models_config.teacher")])]  # fmt: skip
        shown: Update = {
            parts.decided: lines_html(lines) + told,
            parts.form: gr.Column(visible=teacher),
            parts.told: "",
        }
        return shown | (self._fields(kept) if teacher else {})

    def save(self, values: Values, request: gr.Request) -> Update:
        """Keep what the form says for the model, or for its instance of that name."""
        parts = self.parts
        try:
            person = self.desk.teacher(request)
            card = self.ui.engine.catalog.card(str(values[self.chosen] or ""))
            name = str(values[parts.instance] or "").strip()
            wanted = instance_id(card.model, name) if name else card.id
            configuration = self._written(values, self.ui.engine.configuration(card))
            if name and configuration.empty:  # what says nothing is none, and an instance is its configuration
                configuration = Configuration.from_dict(
                    {"load": {"context": card.window or self.ui.engine.settings.window}}
                )
            instances.configure(self.ui.engine, wanted, configuration, person.role)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        told = {parts.told: paragraph(self.ui.t("models_config.saved")), parts.instance: ""}
        return self.look(values, request) | told

    def remove(self, values: Values, request: gr.Request) -> Update:
        """Forget what is kept; an instance is gone."""
        parts = self.parts
        try:
            person = self.desk.teacher(request)
            instances.remove(self.ui.engine, str(values[self.chosen] or ""), person.role)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        return self.look(values, request) | {parts.told: paragraph(self.ui.t("models_config.removed"))}

    def _decided(self, model_id: str, values: Values) -> str:
        """What wins: first what somebody said; what is left to the engine folded. The left column is the request."""
        words, (chosen, params) = self.ui.words, self.desk.bar.chosen(values)
        asked = params.apart(self.ui.engine.defaults(self.ui.engine.catalog.card(chosen)))
        found = decided(self.ui.engine, model_id, request=asked)
        said = [one for one in found if one.source != "engine"]
        head, rest = model_card.decided_head(words), [one for one in found if one.source == "engine"]
        shown = table_html(head, model_card.decided_rows(said, words)) if said else ""
        title = html.escape(words.t("models_config.source_of.engine"))
        folded = table_html(head, model_card.decided_rows(rest, words))
        return f"{shown}<details><summary>{title} ({len(rest)})</summary>{folded}</details>"

    def _fields(self, kept: Configuration) -> Update:
        """What is kept, in the form."""
        parts, load = self.parts, kept.load.model_dump(exclude_none=True)
        fields: Update = {box: _typed(load.get(name)) for name, box in parts.load.items()}
        output = kept.output
        return fields | {
            parts.system: kept.prompt.system or "",
            parts.template: kept.prompt.template or "",
            parts.params: False,
            parts.output_kind: output.kind if output else "text",
            parts.output_source: output.source if output else "",
        }

    def _written(self, values: Values, kept: Configuration) -> Configuration:
        """The configuration that the form says; its parameters are those of the left column where that is wanted, else
        the ones that were kept. Raises BadParameter.
        """
        parts = self.parts
        load = {name: _value(name, values[box]) for name, box in parts.load.items()}
        said = {"system": values[parts.system], "template": values[parts.template]}
        params = self.desk.bar.chosen(values)[1].changed() if values[parts.params] else dict(kept.params)
        data: dict[str, Any] = {
            "load": {name: value for name, value in load.items() if value is not None},
            "prompt": {name: str(text) for name, text in said.items() if str(text or "").strip()},
            "params": {name: value for name, value in params.items() if value is not None},
        }
        if values[parts.output_kind] not in (None, "text"):
            data["output"] = {"kind": values[parts.output_kind], "source": str(values[parts.output_source] or "")}
        return Configuration.from_dict(data)


def _typed(value: Any) -> str:
    if value is None:
        return ""
    return (
        ("yes" if value else "no")
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _value(name: str, text: Any) -> Any:
    """A typed field in its own type; what is no number stays as it is, so that the configuration refuses it by name."""
    typed = str(text if text is not None else "").strip()
    if not typed:
        return None
    if name == "kv_type":
        return typed
    if name == "flash_attention":
        return WORDS.get(typed, typed)
    try:
        return float(typed) if name == "ttl_s" else int(typed)
    except ValueError:
        return typed
