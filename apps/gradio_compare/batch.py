"""Batch: many questions to several models, checked, within a budget. Layout only, and which event calls what."""

from __future__ import annotations

import gradio as gr

from apps.gradio_compare.batch_desk import BatchDesk
from apps.gradio_compare.batch_form import lay_out
from apps.gradio_compare.place import Place
from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_kit import INTERNAL


def build(place: Place) -> None:
    """Lay out the part and connect everything."""
    parts = lay_out(place.ui)
    outbox = gr.Textbox("", label=place.ui.t("compare_batch.download"), elem_classes="atelier-hidden")
    desk = BatchDesk(place.ui, place.bar, parts)
    asked, model = parts.asked, place.bar.model
    gr.on([parts.file.upload, parts.file.clear], desk.brought, {parts.file}, [parts.table, parts.note], **INTERNAL)
    parts.start.click(desk.start, {*asked, model}, parts.followed, **INTERNAL)
    for name, button in parts.examples.items():
        button.click(desk.example(name), {model}, parts.followed, **INTERNAL)
    parts.resume.click(desk.resume, {parts.chosen, parts.boxes["budget"]}, parts.followed, **INTERNAL)
    watched = {parts.watched}
    parts.cancel.click(desk.cancel, watched, parts.followed, **INTERNAL)
    gr.on([parts.clock.tick, place.tab.select], desk.look, watched, parts.followed, **INTERNAL)
    place.tab.select(desk.choices, None, parts.boxes["models"], **INTERNAL)
    choices = [place.tab.select, parts.chosen.input, parts.which.input, parts.only.input, parts.measure.input]
    gr.on(choices, desk.opened, parts.looked, parts.drawn, **INTERNAL)
    parts.done.change(desk.newest, parts.looked, parts.drawn, **INTERNAL)
    for form, button in parts.files.items():
        button.click(desk.save(form), {parts.chosen}, outbox, **INTERNAL)
    outbox.change(None, outbox, outbox, js=DOWNLOAD)
