"""Rhyme tab: a numbered rhyme grows until the model loses it; three steps, then the sweep. Layout only."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_components import verse_strip
from apps.gradio_comptine import boxes
from apps.gradio_comptine.asked import Asked
from apps.gradio_comptine.events import wire
from apps.gradio_comptine.limits import limits
from apps.gradio_comptine.more import more
from apps.gradio_comptine.parts import Parts
from apps.gradio_comptine.sweep_form import sweeps
from apps.gradio_comptine.under import under
from apps.gradio_kit import Sidebar, Ui

WAYS = ("sheet", "measured")


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    t, made = ui.t, dict[str, Any]()
    ways = [(t(f"comptine.way_{way}"), way) for way in WAYS]
    made["way"] = gr.Radio(ways, value=WAYS[1], label=t("comptine.ways"), show_label=False, container=False,
                           elem_id="comptine-way")  # fmt: skip
    made["guide"] = act_bar("comptine-guide")
    made["guide"].visible = False
    steps, held = {}, dict[str, Any]()
    with gr.Accordion(t("comptine.step_rhyme"), open=True, elem_id="comptine-step-rhyme") as steps["rhyme"]:
        held |= boxes.rhyme(ui)
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                made["lines"] = gr.HTML(label=t("comptine.first_lines"), elem_id="comptine-lines")
                with gr.Accordion(t("comptine.whole_text"), open=False):
                    made["text"] = gr.HTML(elem_classes="comptine-long")
            made["bars"] = gr.HTML(elem_id="comptine-bars", min_width=300)
        with gr.Row():
            files = gr.Button(f"⤓ {t('comptine.files')}", size="sm", min_width=150, elem_id="comptine-files")
            to_question = gr.Button(t("comptine.next"), size="sm", min_width=150, elem_id="comptine-to-question")
    with gr.Accordion(t("comptine.step_question"), open=False, elem_id="comptine-step-question") as steps["question"]:
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300, scale=3):
                held |= boxes.question(ui)
            with gr.Column(min_width=240, scale=2):
                held |= boxes.window(ui)
        made["gauge"] = gr.HTML(elem_id="comptine-gauge")
        made["survivors"] = gr.HTML(elem_id="comptine-survivors", elem_classes="atelier-slot")
        with gr.Accordion(t("comptine.prompt"), open=False):
            made["prompt"] = gr.HTML(elem_classes="comptine-long", elem_id="comptine-prompt")
        limit = limits(ui)
        to_run = gr.Button(t("comptine.next"), size="sm", min_width=150, elem_id="comptine-to-run")
    with gr.Accordion(t("comptine.step_run"), open=False, elem_id="comptine-step-run") as steps["run"]:
        made["examples"] = act_bar("comptine-examples")
        with gr.Row():
            made["run"] = gr.Button(t("comptine.run"), variant="primary", min_width=150, elem_id="comptine-run")
            made["stop"] = gr.Button(t("comptine.stop"), variant="stop", min_width=150, visible="hidden",
                                     elem_id="comptine-stop")  # fmt: skip
        with gr.Accordion(t("comptine.more"), open=False):
            held |= boxes.settings(ui)
        made["alert"], made["progress"] = (gr.HTML(elem_classes="atelier-slot") for _ in range(2))
        with gr.Row(equal_height=False):
            made["answer"] = gr.Textbox("", label=t("comptine.answer"), interactive=False, lines=8, max_lines=16,
                                        min_width=300, elem_id="comptine-answer")  # fmt: skip
            with gr.Column(min_width=300):
                made["strip"] = verse_strip(elem_id="comptine-strip")
        made["verdict"] = gr.HTML(elem_id="comptine-verdict", elem_classes="atelier-slot")
        with gr.Column(visible=False) as made["under"]:
            below = under(ui)
            with gr.Accordion(t("comptine.metrics"), open=False):
                made["metrics"] = gr.HTML(elem_id="comptine-metrics")
        rest = more(ui)
    with gr.Accordion(t("comptine.step_sweep"), open=False, visible=False, elem_id="comptine-step-sweep") as steps[
        "sweep"
    ]:
        sweep = sweeps(ui)
    outbox = gr.Textbox("", label=t("comptine.files"), elem_classes="atelier-hidden")
    parts = Parts(steps=steps, boxes=held, ends=limit.ends, wanted=gr.State(None), result=gr.State(None),
                  today=gr.State({}), outbox=outbox, **made)  # fmt: skip
    buttons = {"files": files, "to_question": to_question, "to_run": to_run}
    wire(ui, blocks, Asked(ui, bar, parts), below, limit, rest, sweep, buttons)
