"""Rhyme tab: a numbered rhyme grows until the model loses it; three steps, then the sweep. Layout only."""

from __future__ import annotations

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_comptine.asked import Asked
from apps.gradio_comptine.events import wire
from apps.gradio_comptine.parts import Parts
from apps.gradio_comptine.steps import Laid, question, rhyme, run
from apps.gradio_comptine.sweep_form import sweeps
from apps.gradio_kit import Sidebar, Ui

WAYS = ("sheet", "measured")


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    t, laid, steps = ui.t, Laid(), dict[str, gr.Accordion]()
    ways = [(t(f"comptine.way_{way}"), way) for way in WAYS]
    laid.made["way"] = gr.Radio(ways, value=WAYS[1], label=t("comptine.ways"), show_label=False, container=False,
                                elem_id="comptine-way")  # fmt: skip
    laid.made["guide"] = act_bar("comptine-guide")
    laid.made["guide"].visible = False
    with _step(ui, "rhyme", open=True) as steps["rhyme"]:
        rhyme(ui, laid)
    with _step(ui, "question") as steps["question"]:
        limit = question(ui, laid)
    with _step(ui, "run") as steps["run"]:
        below, rest = run(ui, laid)
    with _step(ui, "sweep", visible=False) as steps["sweep"]:
        sweep = sweeps(ui)
    outbox = gr.Textbox("", label=t("comptine.files"), elem_classes="atelier-hidden")
    parts = Parts(steps=steps, boxes=laid.held, ends=limit.ends, wanted=gr.State(None), result=gr.State(None),
                  today=gr.State({}), outbox=outbox, **laid.made)  # fmt: skip
    wire(ui, blocks, Asked(ui, bar, parts), below, limit, rest, sweep, laid.buttons)


def _step(ui: Ui, name: str, *, open: bool = False, visible: bool = True) -> gr.Accordion:
    return gr.Accordion(ui.t(f"comptine.step_{name}"), open=open, visible=visible, elem_id=f"comptine-step-{name}")
