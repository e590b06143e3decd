"""Class tab: who is here and whether the machine keeps up; for the teacher. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_kit import INTERNAL, STATE_EVERY_S, Sidebar, Ui
from apps.gradio_room import Room


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    room = Room(ui)
    load, people = gr.HTML(), gr.HTML()
    refresh = gr.Button(ui.t("room.refresh"), size="sm", min_width=120)
    timer = gr.Timer(STATE_EVERY_S)
    gr.on([timer.tick, refresh.click, blocks.load], room.shown, bar.model, [load, people], **INTERNAL)
