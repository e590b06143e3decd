"""Models tab: registry → orchestration → interface. Which models there are, what runs, how one asks. Layout only."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.gradio_kit import Sidebar, Ui
from apps.gradio_models.adding import adding
from apps.gradio_models.desk import Desk, work
from apps.gradio_models.events import Front, wire
from apps.gradio_models.parts import WRAP, shelf
from apps.gradio_models.reaching import endpoints
from apps.gradio_models.running import running
from apps.gradio_models.serving import server
from apps.ui.models import TABS, TEACHERS, Tab

BUILT = {"models": shelf, "add": adding, "running": running, "endpoints": endpoints, "server": server}


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    picture = gr.HTML(elem_id="models-picture")
    desk = Desk(ui, bar, work(ui))
    tabs: dict[str, gr.Tab] = {}
    made: list[Any] = []
    with gr.Tabs(elem_id="models-tabs", **WRAP) as front:
        for name in TABS:
            with _tab(ui, name) as tabs[name]:
                made.append(BUILT[name](ui))
    section = front.parent
    assert isinstance(section, gr.Tab)
    wire(desk, Front(section, picture, tabs), *made)


def _tab(ui: Ui, name: Tab) -> gr.Tab:
    seen = name not in TEACHERS or not ui.options.guarded  # who comes in with a code is shown it once it is known who
    return gr.Tab(ui.t(f"models_tab.{name}"), id=f"models-{name}", elem_id=f"models-{name}", visible=seen)
