"""Chat tab: talk to one model and see what it has read. Layout only."""

from __future__ import annotations

from typing import Literal

import gradio as gr

from apps.gradio_kit import INTERNAL, Sidebar, Ui
from apps.gradio_turn import Parts, Talk, Turn

EXAMPLES = ("chat.example_1", "chat.example_2", "chat.example_3")
LATEX: list[dict[str, str | bool]] = [{"left": "$$", "right": "$$", "display": True}]
# What was typed stays: a question that failed goes back into the box, unless the next one stands there already.
GIVE_BACK = "(typed, kept) => [typed.trim() || !kept ? typed : kept, '']"


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    with gr.Accordion(ui.t("glossary.system.name"), open=False):
        system = gr.Textbox(label=ui.t("glossary.system.name"), info=ui.t("glossary.system.text"),
                            value="", lines=2)  # fmt: skip
    history = gr.Chatbot(
        label=ui.t("section.chat"),
        placeholder=ui.t("chat.empty"),
        examples=[{"text": ui.t(key)} for key in EXAMPLES],
        buttons=["copy"],
        latex_delimiters=LATEX,
        sanitize_html=True,
        allow_tags=False,
        feedback_options=None,
        height="max(16rem, 100dvh - 25rem)",
        elem_id="history",
    )
    alert, progress, gauge = (gr.HTML(elem_id=name, elem_classes="atelier-slot") for name in ("alert", "wait", "gauge"))
    with gr.Row(equal_height=True):
        box = gr.Textbox(label=ui.t("chat.input"), show_label=False, placeholder=ui.t("chat.input"), value="",
                         lines=1, max_lines=8, scale=8, elem_id="question", container=False)  # fmt: skip
        send = gr.Button(ui.t("gradio.send"), variant="primary", scale=1, min_width=110)
        stop = gr.Button(ui.t("chat.stop"), variant="stop", scale=1, min_width=110, visible="hidden")
    kept = gr.Textbox("", label=ui.t("chat.input"), elem_classes="atelier-hidden")
    parts = Parts(gr.State(Talk()), system, history, alert, progress, gauge, box, kept, send, stop)
    turn = Turn(ui, bar, parts)
    asked = gr.on([send.click, box.submit], turn.send, turn.inputs, parts.outputs, **INTERNAL)
    tried = history.example_select(turn.example, turn.inputs, parts.outputs, **INTERNAL)
    for event in (asked, tried):
        event.failure(turn.broken, None, parts.outputs, **INTERNAL)
        event.then(None, [box, kept], [box, kept], js=GIVE_BACK)
    stop.click(turn.halt, None, parts.outputs, queue=False, **INTERNAL)
    history.clear(turn.clear, None, parts.outputs, **INTERNAL)
    blocks.load(turn.opened, None, parts.outputs, **INTERNAL)
    _details(ui, turn, parts)


def _details(ui: Ui, turn: Turn, parts: Parts) -> None:
    with gr.Accordion(ui.t("chat.trace"), open=False) as trace:
        line = gr.HTML()
        prompt = gr.Textbox("", label=ui.t("chat.trace"), interactive=False, lines=3, max_lines=20, buttons=["copy"])
    with gr.Accordion(ui.t("chat.code"), open=False) as code:
        gr.HTML(ui.t("chat.code_help"))
        with gr.Tabs():
            forms = [
                _code(ui.t("chat.curl"), "shell"),
                _code(ui.t("chat.python"), "python"),
                _code("LangChain", "python"),
            ]
    trace.expand(turn.trace, parts.talk, [prompt, line], **INTERNAL)
    code.expand(turn.code, parts.talk, forms, **INTERNAL)


def _code(label: str, language: Literal["python", "shell"]) -> gr.Code:
    with gr.Tab(label):
        return gr.Code("", language, label=label, interactive=False, lines=3, max_lines=20)
