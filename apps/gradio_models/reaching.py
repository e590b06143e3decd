"""The tab of endpoints: which there are, whether they answer, keys for this visit, one's own rows. Components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui
from apps.gradio_models.parts import LINE, button
from apps.ui.endpoint_form import NO_KIND, capabilities, kinds, params, quirks, token_fields
from engine.far_jobs import NAME_MAX


@dataclass(frozen=True)
class Endpoints:
    """The components; `tested` holds what the tests of this page have told, by id."""

    table: gr.HTML
    chosen: gr.Dropdown
    test: gr.Button
    detect: gr.Button
    told: gr.HTML
    use: gr.Row
    model: gr.Dropdown
    take: gr.Button
    far: gr.Accordion
    served: gr.HTML
    far_window: gr.Textbox
    load: gr.Button
    unload: gr.Button
    pulling: gr.Row
    pull_name: gr.Textbox
    pull: gr.Button
    fold: gr.Accordion
    key: gr.Textbox
    keep: gr.Button
    forget: gr.Button
    own: gr.Accordion
    id: gr.Textbox
    name: gr.Textbox
    urls: gr.Textbox
    like: gr.Dropdown
    variable: gr.Textbox
    window: gr.Textbox
    students: gr.Checkbox
    params: gr.Dropdown
    capabilities: gr.Dropdown
    quirks: gr.Dropdown
    token_field: gr.Dropdown
    price: gr.Textbox
    nature: gr.HTML
    save: gr.Button
    remove: gr.Button
    tested: gr.State

    @property
    def form(self) -> list[Any]:
        """The fields of a row of one's own."""
        return [self.id, self.name, self.urls, self.like, self.variable, self.window, self.students, self.params,
                self.token_field, self.quirks, self.capabilities, self.price]  # fmt: skip

    @property
    def written(self) -> list[Any]:
        """What another state of the endpoints writes."""
        return [self.table, self.chosen, self.told, self.own, self.tested]


def endpoints(ui: Ui) -> Endpoints:
    """Lay them out."""
    t, made = ui.t, dict[str, Any]()
    with gr.Row(elem_classes="atelier-end"):
        made["chosen"] = gr.Dropdown([], label=t("models_endpoint.choose"), scale=3, min_width=220,
                                     elem_id="endpoint-chosen")  # fmt: skip
        made["test"] = button(t("models_endpoint.test"), "endpoint-test", variant="primary")
        made["detect"] = button(t("models_endpoint.detect"), "endpoint-detect")
    made["told"] = gr.HTML(elem_classes="atelier-slot", elem_id="endpoint-told")
    with gr.Row(visible=False, elem_classes="atelier-end") as made["use"]:
        made["model"] = gr.Dropdown([], label=t("models_endpoint.remote_model"), scale=3, min_width=220,
                                    allow_custom_value=True, elem_id="endpoint-model")  # fmt: skip
        made["take"] = button(t("models_endpoint.use"), "endpoint-use")
    made |= _far(ui)
    with gr.Accordion(t("models_endpoint.key_field"), open=False, elem_id="endpoint-key-fold") as made["fold"]:
        made["key"] = gr.Textbox("", label=t("models_endpoint.key_field"), info=t("models_endpoint.key_help"),
                                 type="password", max_length=500, elem_id="endpoint-key", **LINE)  # fmt: skip
        with gr.Row():
            made["keep"] = button(t("models_endpoint.key_keep"), "endpoint-keep")
            made["forget"] = button(t("models_endpoint.key_forget"), "endpoint-forget")
    label = f"{t('models_endpoint.add')} · {t('models_endpoint.edit')}"
    with gr.Accordion(label, open=False, visible=False, elem_id="endpoint-own") as made["own"]:
        _own(ui, made)
    made["nature"] = gr.HTML(elem_id="endpoint-nature")
    made["table"] = gr.HTML(elem_id="endpoints-table")
    return Endpoints(**made, tested=gr.State(None))


def _far(ui: Ui) -> dict[str, Any]:
    """What LM Studio and Ollama do by order, with the model that is chosen above."""
    t = ui.t
    with gr.Accordion(t("models_far.title"), open=False, visible=False, elem_id="endpoint-far") as far:
        served = gr.HTML(elem_id="far-served")
        with gr.Row(elem_classes="atelier-end"):
            window = gr.Textbox("", label=t("models_far.asked_window"), info=t("models_far.asked_window_help"),
                                elem_id="far-window", **LINE)  # fmt: skip
            load, unload = (button(t(f"models_far.{order}"), f"far-{order}") for order in ("load", "unload"))
        with gr.Row(visible=False, elem_classes="atelier-end") as pulling:
            name = gr.Textbox("", label=t("models_far.pull_name"), info=t("models_far.pull_help"),
                              placeholder=t("models_far.pull_hint"), max_length=NAME_MAX, elem_id="far-name",
                              **LINE)  # fmt: skip
            pull = button(t("models_far.pull"), "far-pull")
    return {"far": far, "served": served, "far_window": window, "load": load, "unload": unload, "pulling": pulling,
            "pull_name": name, "pull": pull}  # fmt: skip


def _own(ui: Ui, made: dict[str, Any]) -> None:
    t = ui.t
    with gr.Row():
        made["id"] = gr.Textbox("", label=t("models_endpoint.id"), info=t("models_endpoint.id_help"), max_length=40,
                                elem_id="endpoint-id", **LINE)  # fmt: skip
        made["name"] = gr.Textbox("", label=t("models_endpoint.name"), max_length=80, **LINE)
        made["like"] = gr.Dropdown([(text, name) for name, text in kinds(ui.words).items()], value=NO_KIND,
                                   label=t("models_endpoint.like"), info=t("models_endpoint.like_help"),
                                   min_width=200, elem_id="endpoint-like")  # fmt: skip
    made["urls"] = gr.Textbox("", label=t("models_endpoint.url"), info=t("models_endpoint.urls_help"), lines=2,
                              placeholder=t("models_endpoint.url_hint"), elem_id="endpoint-urls")  # fmt: skip
    with gr.Row():
        made["variable"] = gr.Textbox("", label=t("models_endpoint.variable"), info=t("models_endpoint.variable_help"),
                                      max_length=64, elem_id="endpoint-variable", **LINE)  # fmt: skip
        made["window"] = gr.Textbox("", label=t("models_endpoint.row_window"), info=t("models_endpoint.window_help"),
                                    elem_id="endpoint-window", **LINE)  # fmt: skip
        made["students"] = gr.Checkbox(
            False, label=t("models_endpoint.students"), info=t("models_endpoint.students_help"), min_width=200,
            elem_id="endpoint-students",
        )  # fmt: skip
    with gr.Accordion(t("models_row.edit"), open=False, elem_id="endpoint-nature-edit"):
        _nature(ui, made)
    with gr.Row():
        made["save"] = button(t("models_endpoint.save"), "endpoint-save", variant="primary")
        made["remove"] = button(t("models_endpoint.remove"), "endpoint-remove", variant="stop")


def _nature(ui: Ui, made: dict[str, Any]) -> None:
    """What a row takes and how; empty is as its kind."""
    t, words = ui.t, ui.words
    for name, choices in (("params", params(words)), ("capabilities", capabilities(words)), ("quirks", quirks(words))):
        made[name] = gr.Dropdown([(text, one) for one, text in choices.items()], label=t(f"models_row.{name}"),
                                 info=t("models_row.edit_help"), multiselect=True,
                                 elem_id=f"endpoint-{name}")  # fmt: skip
    with gr.Row():
        spelled = [(text, one) for one, text in token_fields(words).items()]
        made["token_field"] = gr.Dropdown(spelled, value="", label=t("models_row.token_field"), min_width=200,
                                          elem_id="endpoint-token-field")  # fmt: skip
        made["price"] = gr.Textbox("", label=t("models_row.price"), info=t("models_row.price_help"), max_length=60,
                                   elem_id="endpoint-price", **LINE)  # fmt: skip
