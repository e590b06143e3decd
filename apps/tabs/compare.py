"""Compare tab: models at one question, by sight, by vote, by the hundred, and what they cost. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_compare.parts import PARTS
from apps.gradio_compare.place import Place
from apps.gradio_kit import Sidebar, Ui


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab: one tab of its own for each part that there is."""
    with gr.Tabs(elem_id="compare-tabs") as front:
        section = front.parent
        assert isinstance(section, gr.Tab)
        for key, lay_out in PARTS.items():
            with gr.Tab(ui.t(f"compare.tab.{key}"), id=key) as tab:
                lay_out(Place(ui, bar, blocks, section, tab))
