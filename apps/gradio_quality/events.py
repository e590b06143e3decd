"""Which event of the tab calls which handler. Knows no layout."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_kit import INTERNAL
from apps.gradio_quality.desk import Desk, Tab


def wire(desk: Desk, section: gr.Tab, blocks: gr.Blocks, outbox: gr.Textbox) -> None:
    """Connect everything."""
    head, bar = desk.head, desk.bar
    gr.on([bar.model.change, section.select], desk.model, bar.model, head.model, **INTERNAL)
    watched: set[Any] = {head.watched}
    gr.on([head.clock.tick, section.select, blocks.load], desk.look, watched, head.written, **INTERNAL)
    head.cancel.click(desk.cancel, watched, head.written, **INTERNAL)
    kinds = desk.tabs["quantizations"]
    gr.on([section.select, kinds.tab.select], desk.rights, None, [kinds.form, kinds.note], **INTERNAL)
    for tab in desk.tabs.values():
        _tab(desk, tab, outbox)
    first = next(iter(desk.tabs.values()))
    section.select(desk.opened(first.kind), _read(desk, first), first.shown.written, **INTERNAL)
    outbox.change(None, outbox, outbox, js=DOWNLOAD)


def _tab(desk: Desk, tab: Tab, outbox: gr.Textbox) -> None:
    head, kind, shown = desk.head, tab.kind, tab.shown
    asked = {desk.bar.model, *tab.boxes.values()}
    tab.start.click(desk.start(kind), asked, head.written, **INTERNAL)
    for name, button in tab.examples.items():
        button.click(desk.example(kind, name), {desk.bar.model}, head.written, **INTERNAL)
    read = _read(desk, tab)
    tab.tab.select(desk.opened(kind), read, shown.written, **INTERNAL)
    head.done.change(desk.newest(kind), read, shown.written, **INTERNAL)
    choices = [shown.chosen.input, *([shown.measure.input] if shown.measure is not None else [])]
    gr.on(choices, desk.chosen(kind), read, shown.written, **INTERNAL)
    if shown.before is not None:
        shown.before.input(desk.compared(kind), read, shown.compared, **INTERNAL)
    for form, button in shown.files.items():
        button.click(desk.save(kind, form), read, outbox, **INTERNAL)


def _read(desk: Desk, tab: Tab) -> set[Any]:
    parts = (tab.shown.chosen, tab.shown.measure, tab.shown.before, desk.head.done)
    return {part for part in parts if part is not None}
