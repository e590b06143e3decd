"""Models tab: which models are here, their state, and the card of the chosen one. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_kit import INTERNAL, Sidebar, Ui
from apps.gradio_shelf import Shelf


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    shelf = Shelf(ui)
    table = gr.HTML(elem_id="models-table")
    with gr.Row():
        load = gr.Button(ui.t("models.load"), size="sm", min_width=140, scale=0)
        unload = gr.Button(ui.t("models.unload"), size="sm", min_width=140, scale=0)
        refresh = gr.Button(ui.t("room.refresh"), size="sm", min_width=140, scale=0)
    progress = gr.HTML(elem_classes="atelier-slot")
    card = gr.HTML(elem_id="model-card")
    both = [table, card]
    gr.on([bar.model.change, refresh.click, blocks.load], shelf.shown, bar.model, both, **INTERNAL)
    blocks.load(shelf.may_load, None, [load, unload], **INTERNAL)
    load.click(shelf.load, bar.model, [progress, *both], **INTERNAL)
    unload.click(shelf.unload, bar.model, [progress, *both], **INTERNAL)
