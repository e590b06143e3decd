"""Sampling tab: how the next token is chosen, stage by stage, and what other settings would do. Layout only."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.gradio_kit import Sidebar, Ui
from apps.gradio_sampling.acting import Acting
from apps.gradio_sampling.drawing import Drawing
from apps.gradio_sampling.events import wire
from apps.gradio_sampling.layout import asked, settings, steps, under, views, written
from apps.gradio_sampling.opened import Pages
from apps.gradio_sampling.parts import Parts


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    made: dict[str, Any] = {}
    asked(ui, made)
    with gr.Column(visible=False) as made["explored"]:
        settings(ui, made)
        steps(ui, made)
        views(ui, made)
        written(ui, made)
    under(ui, made)
    parts = Parts(**made)
    drawing = Drawing(ui, bar, parts, Pages())
    wire(drawing, Acting(ui, drawing, parts), blocks)
