"""The first tab's components: the models, and the card of the chosen one with its four tabs. Knows no event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui
from apps.ui.model_card import PARTS
from engine.runtime.load import KV_TYPES, RANGES

FORMS = ("text", "json_schema", "grammar")
LABELS = {"seed": "load_seed"}  # there is one of answers, too
# In a menu of those that have no room, the buttons that lead to a tab would find none
WRAP: dict[str, Any] = {"overflow_behavior": "wrap"}
LINE: dict[str, Any] = {"max_lines": 1, "min_width": 140}


@dataclass(frozen=True)
class List:
    """All models, and which one the card shows."""

    filter: gr.Textbox
    table: gr.HTML
    chosen: gr.Dropdown
    use: gr.Button
    load: gr.Button
    unload: gr.Button
    told: gr.HTML


@dataclass(frozen=True)
class Card:
    """What the header of its file says, and what memory it would take."""

    tab: gr.Tab
    card: gr.HTML
    context: gr.Number
    slots: gr.Number
    kv: gr.Dropdown
    estimate: gr.HTML


@dataclass(frozen=True)
class Settings:
    """How it is configured: by name the fields of loading, then what it is told."""

    tab: gr.Tab
    decided: gr.HTML
    form: gr.Column
    instance: gr.Textbox
    load: Mapping[str, Any]
    system: gr.Textbox
    template: gr.Textbox
    params: gr.Checkbox
    output_kind: gr.Dropdown
    output_source: gr.Textbox
    save: gr.Button
    remove: gr.Button
    told: gr.HTML

    @property
    def fields(self) -> list[Any]:
        """What a person sets, in order."""
        return [*self.load.values(), self.system, self.template, self.params, self.output_kind, self.output_source]


@dataclass(frozen=True)
class Template:
    """Its chat template, tried on a message."""

    tab: gr.Tab
    system: gr.Textbox
    user: gr.Textbox
    answer: gr.Checkbox
    preview: gr.HTML
    source: gr.HTML


@dataclass(frozen=True)
class Files:
    """Where it lies."""

    tab: gr.Tab
    table: gr.HTML
    sums: gr.Button
    told: gr.HTML


@dataclass(frozen=True)
class Shelf:
    """The first tab."""

    list: List
    card: Card
    settings: Settings
    template: Template
    files: Files


def shelf(ui: Ui) -> Shelf:
    """Lay it out."""
    listed = _list(ui)
    with gr.Tabs(elem_id="models-card-tabs", **WRAP):
        made = {}
        for part, build in zip(PARTS, (_card, _settings, _template, _files), strict=True):
            with gr.Tab(ui.t(f"models_card.tab.{part}"), id=f"model-{part}", elem_id=f"model-{part}") as tab:
                made[part] = build(ui, tab)
    return Shelf(listed, *made.values())


def _list(ui: Ui) -> List:
    t = ui.t
    table = gr.HTML(elem_id="models-table")
    with gr.Row():
        filter_ = gr.Textbox("", label=t("models_table.filter"), placeholder=t("models_table.filter_hint"), scale=1,
                             visible=False, elem_id="models-filter", **LINE)  # fmt: skip
        chosen = gr.Dropdown([], label=t("models.choose"), scale=3, min_width=220, elem_id="models-chosen")
    with gr.Row():
        use = button(t("models_table.use"), "models-use")
        load = button(t("models_running.load"), "models-load")
        unload = button(t("models_running.unload"), "models-unload")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="models-told")
    return List(filter_, table, chosen, use, load, unload, told)


def _card(ui: Ui, tab: gr.Tab) -> Card:
    t = ui.t
    card = gr.HTML(elem_id="model-card")
    with gr.Accordion(t("models_memory.title"), open=False, elem_id="model-memory"):
        with gr.Row():
            context = gr.Number(None, precision=0, label=t("models_memory.context"), min_width=110)
            slots = gr.Number(1, precision=0, minimum=1, label=t("models_memory.slots"), min_width=110)
            kv = gr.Dropdown(list(KV_TYPES[:4]), value="f16", label=t("models_memory.kv"), min_width=110)
        estimate = gr.HTML(elem_id="model-estimate")
    return Card(tab, card, context, slots, kv, estimate)


def _settings(ui: Ui, tab: gr.Tab) -> Settings:
    t = ui.t
    decided = gr.HTML(elem_id="model-decided")
    with gr.Column(visible=False) as form:
        instance = gr.Textbox("", label=t("models_config.new"), info=t("models_config.new_help"), max_length=40,
                              elem_id="model-instance", **LINE)  # fmt: skip
        with gr.Accordion(t("models_config.load"), open=False):
            load = _loading(ui)
        with gr.Accordion(t("models_config.prompt"), open=False):
            system = gr.Textbox("", label=t("models_config.system"), lines=2, max_lines=8)
            template = gr.Textbox("", label=t("models_config.template"), info=t("models_config.template_help"), lines=2,
                                  max_lines=12)  # fmt: skip
        with gr.Accordion(f"{t('models_config.params')} · {t('models_config.output')}", open=False):
            params = gr.Checkbox(False, label=t("models_gradio.params"), info=t("models_gradio.params_help"))
            forms = [(t(f"models_config.form.{kind}"), kind) for kind in FORMS]
            kind = gr.Dropdown(forms, value=FORMS[0], label=t("models_config.output_kind"))
            source = gr.Textbox("", label=t("models_config.output_source"), lines=3, max_lines=12)
        with gr.Row():
            save = button(t("models_config.save"), "model-save", variant="primary")
            remove = button(t("models_config.remove"), "model-forget")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="model-told")
    return Settings(tab, decided, form, instance, load, system, template, params, kind, source, save, remove, told)


def _loading(ui: Ui) -> dict[str, Any]:
    """An empty field leaves it to the engine."""
    t = ui.t

    def number(name: str) -> Any:
        # text, since an empty gr.Number becomes 0 in the browser
        low, high = RANGES.get(name, (0, 2**32 - 1))
        hint = f"{ui.words.number(low)} – {ui.words.number(high)}" if name in RANGES else None
        return gr.Textbox(
            "",
            label=t(f"models_config.load_of.{LABELS.get(name, name)}"),
            placeholder=hint,
            elem_id=f"load-{name}",
            **LINE,
        )

    made: dict[str, Any] = {}
    left = (t("models_config.unset"), "")
    for names in (("context", "slots", "threads", "batch"), ("gpu_layers", "seed", "ttl_s")):
        with gr.Row():
            made |= {name: number(name) for name in names}
    with gr.Row():
        made["kv_type"] = gr.Dropdown([left, *((kind, kind) for kind in KV_TYPES)], value="", min_width=140,
                                      label=t("models_config.load_of.kv_type"))  # fmt: skip
        flash = [left, (t("models_config.yes"), "yes"), (t("models_config.no"), "no")]
        made["flash_attention"] = gr.Dropdown(flash, value="", label=t("models_config.load_of.flash_attention"),
                                              min_width=140)  # fmt: skip
    return made


def _template(ui: Ui, tab: gr.Tab) -> Template:
    t = ui.t
    with gr.Row():
        system = gr.Textbox("", label=t("models_card.template_system"), elem_id="template-system", **LINE)
        user = gr.Textbox(t("models_card.template_user_default"), label=t("models_card.template_user"),
                          elem_id="template-user", **LINE)  # fmt: skip
    answer = gr.Checkbox(True, label=t("models_card.template_answer"), info=t("models_card.template_answer_help"))
    preview = gr.HTML(elem_id="template-preview")
    with gr.Accordion(t("models_card.template_source"), open=False):
        source = gr.HTML(elem_id="template-source")
    return Template(tab, system, user, answer, preview, source)


def _files(ui: Ui, tab: gr.Tab) -> Files:
    table = gr.HTML(elem_id="model-files")
    sums = button(ui.t("models_card.sha256_button"), "model-sums")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="model-sums-told")
    return Files(tab, table, sums, told)


def button(label: str, elem_id: str, **options: Any) -> gr.Button:
    """A small button."""
    return gr.Button(label, size="sm", min_width=140, scale=0, elem_id=elem_id, **options)
