"""Class tab: who is here and whether the machine keeps up; for the teacher. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_kit import INTERNAL, STATE_EVERY_S, Sidebar, Ui
from apps.gradio_room import Room


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    room = Room(ui)
    codes, load, people = gr.HTML(), gr.HTML(), gr.HTML()
    refresh = gr.Button(ui.t("room.refresh"), size="sm", min_width=140, scale=0)
    with gr.Accordion(ui.t("room.wipe"), open=False):
        gr.HTML(ui.t("room.wipe_help"))
        wipe = gr.Button(ui.t("room.wipe_confirm"), variant="stop", size="sm", min_width=140, scale=0)
        wiped = gr.HTML(elem_classes="atelier-slot")
    timer = gr.Timer(STATE_EVERY_S)
    shown = [codes, load, people]
    gr.on([timer.tick, refresh.click, blocks.load], room.shown, bar.model, shown, **INTERNAL)
    wipe.click(room.wipe, None, wiped, **INTERNAL).then(room.shown, bar.model, shown, **INTERNAL)
