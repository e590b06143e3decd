"""The part Images of the Compare tab: a model's own form, the picture under way, the gallery. Layout and events."""

from __future__ import annotations

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_compare.picture_desk import Desk, Parts
from apps.gradio_compare.picture_form import COLLECT
from apps.gradio_compare.place import Place
from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_kit import INTERNAL
from engine.compare import PICTURE_MODELS

# The form is read when it is needed, into the box of that place among what the handler is given.
_TELL = "async (...given) => {{ given[{at}] = await ({collect})(); return given; }}"


def build(place: Place) -> None:
    """Lay out the part, and connect it."""
    t = place.ui.t
    with gr.Row(equal_height=True):
        model = gr.Dropdown(list(PICTURE_MODELS), value=PICTURE_MODELS[0], allow_custom_value=True, scale=4,
                            label=t("compare_images.model"), info=t("compare_images.model_help"))  # fmt: skip
        load = gr.Button(t("compare_images.load"), scale=1, min_width=160)
    form = gr.HTML("", elem_id="picture-form", elem_classes="atelier-slot")
    with gr.Row():
        make = gr.Button(t("compare_images.make"), variant="primary", visible=False)
        stop = gr.Button(t("compare_images.stop"), variant="stop", visible="hidden")
        save = gr.Button(t("compare_images.zip"), visible=False)
    alert = gr.HTML(elem_id="picture-alert", elem_classes="atelier-slot")
    gallery = act_bar("picture-gallery")
    told, outbox = (gr.Textbox("", label=t("compare_images.model"), elem_classes="atelier-hidden") for _ in range(2))
    _wire(Desk(place.ui, place.bar, Parts(model, load, form, make, stop, save, alert, gallery, told, outbox)), place)


def _wire(desk: Desk, place: Place) -> None:
    parts = desk.parts
    read = {parts.model, parts.told}
    at = sorted(read, key=lambda one: one._id).index(parts.told)  # Gradio sorts a set as its members were made
    place.tab.select(desk.opened, read, parts.written, **INTERNAL)
    parts.load.click(desk.load, read, parts.written, **INTERNAL)
    js = _TELL.format(at=at, collect=COLLECT)
    making = parts.make.click(desk.made, read, parts.written, js=js, **INTERNAL)
    clicked = parts.gallery.click(desk.example, read, parts.written, **INTERNAL)
    for event in (making, clicked):
        event.failure(desk.broken, None, parts.written, **INTERNAL)
    parts.stop.click(desk.stop, read, parts.alert, queue=False, **INTERNAL)
    parts.save.click(desk.save, read, parts.outbox, **INTERNAL)
    parts.outbox.change(None, parts.outbox, parts.outbox, js=DOWNLOAD)
