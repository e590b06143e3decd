"""Documents tab: collections of one's own files, searched and answered from, with every step in sight. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_documents import mapped
from apps.gradio_documents.chunked import chunks
from apps.gradio_documents.desk import Desk
from apps.gradio_documents.events import wire
from apps.gradio_documents.measuring import measures
from apps.gradio_documents.questions import ask, opened, search
from apps.gradio_documents.settings import rerankers, settings
from apps.gradio_documents.shelf import shelf
from apps.gradio_kit import Sidebar, Ui
from apps.ui.documents import TABS


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    t, tabs = ui.t, dict[str, gr.Tab]()
    top = shelf(ui)
    held = settings(ui, rerankers(ui))
    with gr.Tabs(elem_id="documents-tabs") as front:
        for name in TABS:
            tabs[name] = gr.Tab(t(f"documents.tab.{name}"), id=name)
    with tabs["ask"]:
        answer = ask(ui)
    with tabs["search"]:
        find = search(ui)
    with tabs["chunks"]:
        cut = chunks(ui)
    with tabs["evaluate"]:
        measured = measures(ui)
    with tabs["map"]:
        places = mapped.lay_out(ui)
    panel = opened(ui)
    outbox = gr.Textbox("", label=t("documents_ask.save"), elem_classes="atelier-hidden")
    desk = Desk(ui, bar, top.chosen, held)
    wire(desk, top, answer, find, panel, cut, measured, places, tabs, front, outbox)
