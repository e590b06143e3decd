"""Side by side: two to six columns, each a model with its own settings, and one question to all. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_compare import form
from apps.gradio_compare.desk import Desk, Parts
from apps.gradio_compare.events import wire
from apps.gradio_compare.place import Place


def build(place: Place) -> None:
    """Lay out the part."""
    t = place.ui.t
    columns, answers = form.form(), form.answers()
    with gr.Column(visible=False) as under:
        pair = gr.Dropdown([("", "")], value="", label=t("compare.diff"), info=t("compare.diff_help"),
                           elem_id="compare-pair")  # fmt: skip
        diff = gr.HTML(elem_id="compare-diff", elem_classes="atelier-slot")
        files = act_bar("compare-files")
        new = gr.Button(t("compare.restart"), size="sm", elem_id="compare-new")
    alert = gr.HTML(elem_id="compare-alert", elem_classes="atelier-slot")
    with gr.Row(equal_height=True, elem_id="compare-ask"):
        question = gr.Textbox("", label=t("compare.input"), placeholder=t("compare.input"), show_label=False, lines=1,
                              max_lines=8, scale=8, container=False, elem_id="compare-question")  # fmt: skip
        ask = gr.Button(t("gradio.send"), variant="primary", scale=1, min_width=110, elem_id="compare-send")
        stop = gr.Button(t("compare.stop_all"), variant="stop", scale=1, min_width=110, visible="hidden",
                         elem_id="compare-stop")  # fmt: skip
    told, outbox = (gr.Textbox("", label=t("compare.input"), elem_classes="atelier-hidden") for _ in range(2))
    parts = Parts(
        columns, answers, alert, question, ask, stop, new, under, pair, diff, files, told, outbox, gr.State("")
    )
    wire(Desk(place.ui, place.bar, parts), place)
