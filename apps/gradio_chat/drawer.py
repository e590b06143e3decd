"""The panel under the chats as components: what the model has read, and the log of all requests. Knows no handler."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_components import token_strip
from apps.gradio_kit import Ui
from engine.snippets import FORMS

LOG_EVERY_S = 2.0


@dataclass(frozen=True)
class Log:
    """The components of the log; its clock runs while somebody looks."""

    tab: gr.Tab
    lines: gr.HTML
    whole: gr.HTML
    clock: gr.Timer
    seen: gr.State


@dataclass(frozen=True)
class Drawer:
    """The components of the panel."""

    said: gr.HTML
    messages: gr.Code
    prompt: gr.HTML
    strip: gr.HTML
    request: gr.Code
    response: gr.Code
    whole: gr.HTML
    form: gr.Radio
    code: gr.Code
    scripts: gr.HTML
    tabs: gr.Tabs
    others: tuple[gr.Tab, ...]
    log: Log

    @property
    def written(self) -> list[Any]:
        """Everything that a look fills."""
        texts = [self.messages, self.request, self.response, self.code]
        return [self.said, self.prompt, self.strip, self.whole, self.scripts, *texts]


def drawer(ui: Ui) -> Drawer:
    """Lay out the panel."""
    t = ui.t
    said = gr.HTML(elem_classes="atelier-slot")
    with gr.Tabs() as tabs:
        with gr.Tab(t("chat_trace.prompt"), id="trace") as first:
            with gr.Accordion(t("chat_trace.messages"), open=False):
                messages = _json(t("chat_trace.messages"))
            prompt = gr.HTML(elem_id="exact-prompt")
        with gr.Tab(t("chat_trace.tokens"), id="tokens") as second:
            _help(t("chat_trace.tokens_help"))
            pieces = token_strip(elem_id="prompt-tokens")
        with gr.Tab(t("chat_trace.request"), id="request") as third:
            _help(t("chat_trace.request_help"))
            request = _json(t("chat_trace.request"))
            whole = act_bar("whole-trace")
        with gr.Tab(t("chat_trace.response"), id="response") as fourth:
            _help(t("chat_trace.response_help"))
            response = _json(t("chat_trace.response"))
        with gr.Tab(t("chat_trace.code"), id="code") as fifth:
            _help(t("code.help"))
            names = [(t(f"code.{name}"), name) for name in FORMS]
            form = gr.Radio(names, value=names[0][1], label=t("chat_trace.code"), show_label=False, elem_id="code-form")
            code = gr.Code("", label=t("chat_trace.code"), interactive=False, lines=3, max_lines=24, elem_id="code")
            scripts = act_bar("scripts")
        log = _log(ui)
    others = (first, second, third, fourth, fifth)
    return Drawer(said, messages, prompt, pieces, request, response, whole, form, code, scripts, tabs, others, log)


def _log(ui: Ui) -> Log:
    with gr.Tab(ui.t("chat_log.title"), id="log") as tab:
        _help(ui.t("chat_log.help"))
        lines = act_bar("requests")
        whole = gr.HTML(elem_id="one-request", elem_classes="atelier-slot")
    return Log(tab, lines, whole, gr.Timer(LOG_EVERY_S, active=False), gr.State(False))


def _json(label: str) -> gr.Code:
    return gr.Code("", "json", label=label, interactive=False, lines=3, max_lines=24, wrap_lines=True)


def _help(text: str) -> None:
    gr.HTML(f"<p>{html.escape(text)}</p>")
