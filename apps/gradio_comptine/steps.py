"""The components of the first three steps: rhyme, question, run. Knows no event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_components import verse_strip
from apps.gradio_comptine import boxes
from apps.gradio_comptine.limits import Limits, limits
from apps.gradio_comptine.more import More, more
from apps.gradio_comptine.under import Under, under
from apps.gradio_kit import Ui


@dataclass
class Laid:
    """What is laid out so far: `held` controls by value name, `made` what shows something, `buttons` that lead on."""

    held: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    buttons: dict[str, Any] = field(default_factory=dict)


def rhyme(ui: Ui, laid: Laid) -> None:
    """The rhyme's controls, its first lines, its tokens, the sheet's two files."""
    t = ui.t
    laid.held |= boxes.rhyme(ui)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            laid.made["lines"] = gr.HTML(label=t("comptine.first_lines"), elem_id="comptine-lines")
            with gr.Accordion(t("comptine.whole_text"), open=False):
                laid.made["text"] = gr.HTML(elem_classes="comptine-long")
        laid.made["bars"] = gr.HTML(elem_id="comptine-bars", min_width=300)
    with gr.Row():
        laid.buttons["files"] = gr.Button(f"⤓ {t('comptine.files')}", size="sm", min_width=150,
                                          elem_id="comptine-files")  # fmt: skip
        laid.buttons["to_question"] = _next(ui, "question")


def question(ui: Ui, laid: Laid) -> Limits:
    """What is asked, in which window, and whether it fits."""
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300, scale=3):
            laid.held |= boxes.question(ui)
        with gr.Column(min_width=240, scale=2):
            laid.held |= boxes.window(ui)
    laid.made["gauge"] = gr.HTML(elem_id="comptine-gauge")
    laid.made["survivors"] = gr.HTML(elem_id="comptine-survivors", elem_classes="atelier-slot")
    with gr.Accordion(ui.t("comptine.prompt"), open=False):
        laid.made["prompt"] = gr.HTML(elem_classes="comptine-long", elem_id="comptine-prompt")
    limit = limits(ui)
    laid.buttons["to_run"] = _next(ui, "run")
    return limit


def run(ui: Ui, laid: Laid) -> tuple[Under, More]:
    """The button, the answer with its verses, what came of it, what stands under it."""
    t, made = ui.t, laid.made
    made["examples"] = act_bar("comptine-examples")
    with gr.Row():
        made["run"] = gr.Button(t("comptine.run"), variant="primary", min_width=150, elem_id="comptine-run")
        made["stop"] = gr.Button(t("comptine.stop"), variant="stop", min_width=150, visible="hidden",
                                 elem_id="comptine-stop")  # fmt: skip
    with gr.Accordion(t("comptine.more"), open=False):
        laid.held |= boxes.settings(ui)
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
    return below, more(ui)


def _next(ui: Ui, name: str) -> gr.Button:
    return gr.Button(ui.t("comptine.next"), size="sm", min_width=150, elem_id=f"comptine-to-{name}")
