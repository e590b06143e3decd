"""Quality tab: how well a model foresees a text, what quantization costs it, its speed, what it knows. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_kit import Sidebar, Ui
from apps.gradio_quality.desk import LOOK_S, Desk, Head, Tab
from apps.gradio_quality.events import wire
from apps.gradio_quality.forms import FORMS, examples
from apps.gradio_quality.looks import lay_out
from apps.ui.quality import TABLES, TABS
from engine.quality.results import Kind


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    model = gr.HTML(elem_id="quality-model")
    told = gr.HTML(elem_id="quality-told", elem_classes="atelier-slot")
    cancel = gr.Button(ui.t("quality.cancel"), variant="stop", size="sm", visible="hidden", elem_id="quality-cancel")
    head = Head(model, told, cancel, gr.Timer(LOOK_S, active=False), gr.State(""), gr.State(""))
    with gr.Tabs(elem_id="quality-tabs") as front:
        tabs = {kind: _tab(ui, kind) for kind in TABS}
    outbox = gr.Textbox("", label=ui.t("quality.download"), elem_classes="atelier-hidden")
    section = front.parent
    assert isinstance(section, gr.Tab)
    wire(Desk(ui, bar, head, tabs), section, blocks, outbox)


def _tab(ui: Ui, kind: Kind) -> Tab:
    with gr.Tab(ui.t(f"quality.tab.{kind}"), id=kind) as tab:
        note = gr.HTML(elem_classes="atelier-slot")
        with gr.Column() as form:
            boxes = FORMS[kind](ui)
            start = gr.Button(ui.t(f"{TABLES[kind]}.start"), variant="primary", elem_id=f"quality-start-{kind}")
            buttons = examples(ui, kind)
        shown = lay_out(ui, kind)
    return Tab(kind, tab, form, note, boxes, start, buttons, shown)
