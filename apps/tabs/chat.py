"""Chat tab: talk to one model, or two chats side by side, and see what was read. Layout only."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.gradio_chat import head, library
from apps.gradio_chat.acts import act_bar
from apps.gradio_chat.desk import Desk
from apps.gradio_chat.drawer import drawer
from apps.gradio_chat.events import wire
from apps.gradio_chat.pane import Pane
from apps.gradio_chat.parts import ROLES, TARGETS, Composer, PaneParts, Where
from apps.gradio_chat.shelf import exports
from apps.gradio_chat.trace import Look
from apps.gradio_components import scored_strip
from apps.gradio_kit import Sidebar, Ui, model_choices

EXAMPLES = ("chat.example_1", "chat.example_2", "chat.example_3")
LOOK_EVERY_S = 1.0  # while something is awaited that no handler follows
LATEX: list[dict[str, str | bool]] = [{"left": "$$", "right": "$$", "display": True}]
DOCUMENTS = [".txt", ".md", ".csv", ".json", ".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".html", ".epub", "image"]


def build(ui: Ui, bar: Sidebar, blocks: gr.Blocks) -> None:
    """Lay out the tab."""
    with gr.Row():
        fold = gr.Button(f"☰ {ui.t('chat_list.title')}", size="sm", scale=0, min_width=150)
        two = gr.Checkbox(False, label=ui.t("chat_two.toggle"), container=False, min_width=150, elem_id="two")
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=230, elem_id="chat-list"):
            new = gr.Button(f"+ {ui.t('chat_list.new')}", size="sm")
            search = gr.Textbox("", label=ui.t("chat_list.search"), show_label=False, container=False, max_lines=1,
                                placeholder=ui.t("chat_list.search_hint"), elem_id="search")  # fmt: skip
            listed = act_bar("conversations")
            with gr.Accordion(f"{ui.t('chat_list.rename')} · {ui.t('chat_list.transfer')}", open=False):
                name = gr.Textbox("", label=ui.t("chat_list.name"), max_lines=1, elem_id="title",
                                  submit_btn=ui.t("chat_list.rename"))  # fmt: skip
                export = act_bar("exports")
                take = gr.UploadButton(ui.t("chat_list.import"), size="sm", file_types=[".json", ".jsonl", ".md"])
        with gr.Column(scale=4, min_width=300):
            with gr.Row(equal_height=False):
                with gr.Column(min_width=300):
                    left = _pane(ui, "left")
                with gr.Column(min_width=300, visible=False) as beside:
                    right = _pane(ui, "right", bar)
            composer = _composer(ui, two, listed, name, search)
            prompts = library.lay_out(ui)
            with gr.Accordion(
                ui.t("chat_trace.title"), open=False, elem_id="trace", elem_classes="atelier-drawer"
            ) as trace:
                look = Look(ui, drawer(ui))
    panes = tuple(Pane(ui, bar, parts, composer, side) for parts, side in ((left, "left"), (right, "right")))
    desk = Desk(ui, panes, composer, take)
    library.wire(panes[0], prompts)
    wire(blocks, panes, desk, look, trace, {"fold": fold, "new": new, "export": export, "take": take, "beside": beside})
    export.value = exports(ui)


def _pane(ui: Ui, side: str, bar: Sidebar | None = None) -> PaneParts:
    """One chat from top to bottom: settings, messages, actions, window."""
    model = None
    if bar is not None:
        card = ui.engine.catalog.card(ui.engine.settings.model)
        model = gr.Dropdown(model_choices(ui, card), value=card.id, label=ui.t("chat_two.model"), elem_id="model-right")
    line, boxes, extras = head.head(ui, side)
    earlier = gr.Button("", size="sm", visible=False)
    examples: list[Any] = [{"text": ui.t(key)} for key in EXAMPLES]
    history = gr.Chatbot(
        label=ui.t("section.chat"), placeholder=ui.t("chat.empty"), examples=examples if bar is None else None,
        buttons=["copy"], latex_delimiters=LATEX, sanitize_html=True, allow_tags=False, feedback_options=None,
        height="max(13rem, 100dvh - 27rem)", elem_id="history" if bar is None else "history-right", show_label=False,
    )  # fmt: skip
    buttons = act_bar(f"acts-{side}")
    with gr.Group(visible=False) as editor:
        text = gr.Textbox("", label=ui.t("chat_act.edit"), lines=3, max_lines=20, elem_id=f"editor-{side}")
        with gr.Row():
            for act in ("save_edit", "save_ask", "cancel"):
                extras[act] = gr.Button(ui.t(f"chat_act.{act}"), size="sm", elem_id=f"{act}-{side}")
    alert = act_bar("alert" if bar is None else "alert-right")
    progress, gauge = (
        gr.HTML(elem_id=name if bar is None else f"{name}-right", elem_classes="atelier-slot")
        for name in ("wait", "gauge")
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):  # one under the other on a phone
            policy, own = head.policy(ui, side)
        with (
            gr.Column(min_width=300),
            gr.Accordion(ui.t("chat_tokens.toggle"), open=False, elem_id=f"tokens-{side}") as tokens,
        ):
            named: dict[str, Any] = {"label": ui.t("chat_tokens.toggle"), "info": ui.t("chat_tokens.toggle_help")}
            own["token_view"] = gr.Checkbox(False, **named, elem_id=f"token-view-{side}")
            strip = scored_strip(elem_id=f"scored-{side}")
    address = gr.Textbox("", label=ui.t("section.chat"), elem_classes="atelier-hidden")
    watch = gr.Timer(LOOK_EVERY_S, active=False)
    return PaneParts(gr.State(Where()), line, boxes | own, extras, earlier, history, buttons, editor, text, alert,
                     progress, gauge, policy, tokens, strip, address, watch, model)  # fmt: skip


def _composer(ui: Ui, two: gr.Checkbox, listed: gr.HTML, name: gr.Textbox, search: gr.Textbox) -> Composer:
    """What is under both chats: who is meant, files, the input."""
    targets = [(ui.t(f"chat_two.{name}"), name) for name in TARGETS]
    target = gr.Radio(targets, value=TARGETS[0], label=ui.t("chat_two.target"), visible=False, elem_id="target")
    files = act_bar("files")
    with gr.Row(equal_height=True, elem_id="composer"):
        role = gr.Dropdown([(ui.t(f"chat_role.{role}"), role) for role in ROLES], value=ROLES[0], show_label=False,
                           label=ui.t("chat_role.label"), scale=1, min_width=110, container=False,
                           elem_id="role")  # fmt: skip
        box = gr.Textbox(label=ui.t("chat.input"), show_label=False, placeholder=ui.t("chat.input"), value="",
                         lines=1, max_lines=8, scale=8, elem_id="question", container=False,
                         interactive=False)  # fmt: skip  # until the page has opened what its address names
        attach = gr.UploadButton("📎", size="md", scale=0, min_width=52, file_count="multiple", file_types=DOCUMENTS,
                                 elem_id="attach")  # fmt: skip
        send = gr.Button(ui.t("gradio.send"), variant="primary", scale=1, min_width=110, elem_id="send")
        stop = gr.Button(ui.t("chat.stop"), variant="stop", scale=1, min_width=110, visible="hidden", elem_id="stop")
    kept, outbox, asked, called = (
        gr.Textbox("", label=ui.t("chat.input"), elem_classes="atelier-hidden") for _ in range(4)
    )
    return Composer(box, kept, send, stop, role, files, attach, target, two, listed, name, search,
                    gr.State(("left", "", "", "")), outbox, asked, called)  # fmt: skip
