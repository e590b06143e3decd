"""What the model has read for one answer: exact prompt, tokens, request, response, and the code that asks again.

It is computed when somebody looks. Knows no layout of the tab and no backend.
"""

from __future__ import annotations

import html
import json
import time
from dataclasses import dataclass
from typing import Any

import gradio as gr
import httpx

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_components import token_strip, tokens_value
from apps.gradio_kit import Ui
from apps.ui import present
from engine.chat import Chat
from engine.engine import Model
from engine.errors import EngineError, NotFound, NotSupported
from engine.snippets import FORMS, portable, snippets
from engine.token_view import special_spans, strip
from engine.trace import Trace
from engine.types import Rendered

KEY_VARIABLE = "ATELIER_API_KEY"  # the name under which shown code looks for a person's key
LOGGED = 30
COLOURED: dict[str, Any] = {
    "javascript": "javascript",
    "python": "python",
    "bash": "shell",
}


@dataclass(frozen=True)
class Drawer:
    """The components of the panel."""

    said: gr.HTML
    prompt: gr.HTML
    strip: gr.HTML
    request: gr.Code
    response: gr.Code
    form: gr.Radio
    code: gr.Code
    tabs: gr.Tabs
    log: gr.HTML
    log_tab: gr.Tab

    @property
    def written(self) -> list[Any]:
        """Everything that a look fills."""
        return [self.said, self.prompt, self.strip, self.request, self.response, self.code]


def drawer(ui: Ui) -> Drawer:
    """Lay out the panel."""
    t = ui.t
    said = gr.HTML(elem_classes="atelier-slot")
    with gr.Tabs() as tabs:
        with gr.Tab(t("chat_trace.prompt"), id="trace"):
            prompt = gr.HTML(elem_id="exact-prompt")
        with gr.Tab(t("chat_trace.tokens"), id="tokens"):
            gr.HTML(f"<p>{html.escape(t('chat_trace.tokens_help'))}</p>")
            pieces = token_strip(elem_id="prompt-tokens")
        with gr.Tab(t("chat_trace.request"), id="request"):
            request = _json(t("chat_trace.request"), t("chat_trace.request_help"))
        with gr.Tab(t("chat_trace.response"), id="response"):
            response = _json(t("chat_trace.response"), t("chat_trace.response_help"))
        with gr.Tab(t("chat_trace.code"), id="code"):
            gr.HTML(f"<p>{html.escape(t('code.help'))}</p>")
            names = [(t(f"code.{name}"), name) for name in FORMS]
            form = gr.Radio(names, value=names[0][1], label=t("chat_trace.code"), show_label=False, elem_id="code-form")
            code = gr.Code("", label=t("chat_trace.code"), interactive=False, lines=3, max_lines=24, elem_id="code")
        with gr.Tab(t("chat_log.title"), id="log") as log_tab:
            gr.HTML(f"<p>{html.escape(t('chat_log.help'))}</p>")
            log = gr.HTML(elem_id="requests")
    return Drawer(said, prompt, pieces, request, response, form, code, tabs, log, log_tab)


def _json(label: str, explained: str) -> gr.Code:
    gr.HTML(f"<p>{html.escape(explained)}</p>")
    return gr.Code("", "json", label=label, interactive=False, lines=3, max_lines=24, wrap_lines=True)


class Look:
    """What fills the panel, for the answer that a page points at."""

    def __init__(self, ui: Ui, parts: Drawer) -> None:
        self.ui, self.parts = ui, parts

    def fill(self, focus: Any, form: str, request: gr.Request) -> dict[Any, Any]:
        """The panel for that answer, or a sentence where there is nothing to see."""
        empty = dict.fromkeys(self.parts.written, "") | {self.parts.strip: None}
        try:
            found = self._answer(focus, request)
            if found is None:
                return empty | {self.parts.said: self._said("chat_trace.none")}
            return empty | self._filled(*found, form, request)
        except EngineError as error:
            return empty | {self.parts.said: kit.error_html(error, self.ui)}

    def code(self, focus: Any, form: str, request: gr.Request) -> Any:
        """The same request in another form."""
        try:
            found = self._answer(focus, request)
            return self._code(*found, form, request) if found else ""
        except EngineError as error:
            return present.error_text(error, self.ui.words).sentence

    def log(self, request: gr.Request) -> str:
        """The person's last requests, the newest first."""
        ui, person = self.ui, self.ui.person(request)
        lines = ui.engine.traces.list(person.id, LOGGED)
        if not lines:
            return f"<p>{html.escape(ui.t('chat_log.none'))}</p>"
        rows = []
        for line in lines:
            at, took = time.strftime("%H:%M:%S", time.localtime(line.started)), ui.words.seconds(line.duration)
            rows.append(" · ".join((at, line.model, ui.t(f"outcome.{line.outcome}"), took)))
        return f"<ol>{''.join(f'<li>{html.escape(row)}</li>' for row in rows)}</ol>"

    def download(self, focus: Any, request: gr.Request) -> str:
        """The whole trace as a file for the browser."""
        found = self._answer(focus, request)
        trace = self._trace(*found, request) if found else None
        told = json.dumps(trace.to_dict(), indent=2, ensure_ascii=False, default=str) if trace else ""
        return outgoing("trace.json", "application/json", told) if told else ""

    def _answer(self, focus: Any, request: gr.Request) -> tuple[Chat, str] | None:
        """The chat and the answer that a page points at: of a question, nothing."""
        _, chat_id, node_id, _ = focus or ("", "", "", "")
        if not chat_id or not node_id:
            return None
        chat = self.ui.opened.get(self.ui.engine, self.ui.person(request).id, chat_id).chat
        node = chat.conversation.node(node_id)
        return (chat, node_id) if node.model is not None else None

    def _filled(self, chat: Chat, node_id: str, form: str, request: gr.Request) -> dict[Any, Any]:
        parts, trace = self.parts, self._trace(chat, node_id, request)
        filled = {parts.code: self._code(chat, node_id, form, request)}
        filled |= self._prompt(chat, node_id, request)
        if trace is None:
            return filled | {parts.said: self._said("chat_trace.gone")}
        for part, value in ((parts.request, trace.request), (parts.response, trace.response)):
            filled[part] = json.dumps(value, indent=2, ensure_ascii=False)
        return filled

    def _prompt(self, chat: Chat, node_id: str, request: gr.Request) -> dict[Any, Any]:
        model_id, asked = chat.request_of(node_id)
        try:
            rendered = self._model(model_id, request).render(asked)
        except NotSupported:
            counted = (chat.conversation.node(node_id).usage or {}).get("prompt_tokens")
            told = self.ui.t("chat.trace_counted", count=counted) if counted is not None else ""
            return {self.parts.prompt: f"<p>{html.escape(self.ui.t('chat.trace_unavailable'))} {html.escape(told)}</p>"}
        said = self.ui.t("chat.trace_help", count=len(rendered.tokens))
        shown = f"<p>{html.escape(said)}</p><pre tabindex='0'>{_marked(rendered)}</pre>"
        return {self.parts.prompt: shown, self.parts.strip: tokens_value(strip(rendered), self.ui.words)}

    def _code(self, chat: Chat, node_id: str, form: str, request: gr.Request) -> Any:
        model_id, asked = chat.request_of(node_id)
        model = self._model(model_id, request)
        endpoint = model.card.endpoint
        address = endpoint.base_url if endpoint else own_address(self.ui, request)
        own_key = KEY_VARIABLE if self.ui.options.guarded else None
        key = (endpoint.provider.key_env if endpoint else None) or own_key
        body = portable(model.body(asked), endpoint.model if endpoint else model.card.id)
        found = next((one for one in snippets(body, address, key).forms() if one.name == form), None)
        if found is None or found.text is None:
            return gr.Code(self.ui.t("code.none"), language=None)
        return gr.Code(found.text, language=COLOURED.get(found.language))

    def _trace(self, chat: Chat, node_id: str, request: gr.Request) -> Trace | None:
        try:
            node = chat.conversation.node(node_id)
            return self.ui.engine.traces.get(node.trace_id or "", self.ui.person(request).id)
        except NotFound:
            return None

    def _model(self, model_id: str, request: gr.Request) -> Model:
        return self.ui.model(model_id, self.ui.person(request))

    def _said(self, key: str) -> str:
        return f"<p>{html.escape(self.ui.t(key))}</p>"


def own_address(ui: Ui, request: gr.Request) -> str:
    """The base URL of this page's own server."""
    url = httpx.URL(str(request.url))
    return str(url.copy_with(path=f"{ui.options.root_path.rstrip('/')}/v1", query=None))


def _marked(rendered: Rendered) -> str:
    """The prompt as text with its special tokens marked."""
    parts, at = [], 0
    for start, end in special_spans(rendered):
        parts += [html.escape(rendered.prompt[at:start]), f"<mark>{html.escape(rendered.prompt[start:end])}</mark>"]
        at = end
    return "".join([*parts, html.escape(rendered.prompt[at:])])
