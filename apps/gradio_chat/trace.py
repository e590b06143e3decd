"""What the model has read for one answer: exact prompt, tokens, request, response, and the code that asks again.

It is computed when somebody looks. Knows no layout of the tab and no backend.
"""

from __future__ import annotations

import html
import json
from typing import Any

import gradio as gr
import httpx

from apps import gradio_kit as kit
from apps.gradio_chat import acts
from apps.gradio_chat.drawer import Drawer
from apps.gradio_chat.face import outgoing
from apps.gradio_chat.opened import Open
from apps.gradio_components import tokens_value
from apps.gradio_kit import Ui
from apps.ui import present
from apps.ui.trace_panel import KEY_VARIABLE, TracePanel, panel
from engine.errors import EngineError, NotFound
from engine.trace import Trace

COLOURED: dict[str, Any] = {
    "javascript": "javascript",
    "python": "python",
    "bash": "shell",
}
Update = dict[Any, Any]


class Look:
    """What fills the panel, for the answer that a page points at."""

    def __init__(self, ui: Ui, parts: Drawer) -> None:
        self.ui, self.parts = ui, parts

    def fill(self, focus: Any, form: str, request: gr.Request) -> Update:
        """The panel for that answer, or a sentence where there is nothing to see."""
        empty: Update = dict.fromkeys(self.parts.written, "") | {self.parts.strip: None}
        try:
            found = self._answer(focus, request)
            if found is None:
                return empty | {self.parts.said: _paragraph(self.ui.t("chat_trace.none"))}
            return empty | self._filled(*self._panel(*found, request), form)
        except EngineError as error:
            return empty | {self.parts.said: kit.error_html(error, self.ui)}

    def code(self, focus: Any, form: str, request: gr.Request) -> Any:
        """The same request in another form."""
        try:
            found = self._answer(focus, request)
            return self._code(self._panel(*found, request)[0], form) if found else ""
        except EngineError as error:
            return present.error_text(error, self.ui.words).sentence

    def download(self, focus: Any, event: gr.EventData, request: gr.Request) -> str:
        """A script of the course sheet, or the whole trace, as a file for the browser."""
        told = acts.said(event)
        try:
            found = self._answer(focus, request)
            shown, trace = self._panel(*found, request) if found else (None, None)
        except EngineError:  # what cannot be made is not offered either
            return ""
        if shown is not None and told.get("act") == "script":
            for script in shown.scripts:
                if script.name == told.get("name"):
                    return outgoing(script.name, "text/x-shellscript", script.text)
        if trace is not None and told.get("act") == "trace":
            whole = json.dumps(trace.to_dict(), indent=2, ensure_ascii=False)
            return outgoing(f"trace-{trace.id}.json", "application/json", whole)
        return ""

    def _answer(self, focus: Any, request: gr.Request) -> tuple[Open, str] | None:
        """The conversation and the answer that a page points at: of a question, nothing."""
        _, chat_id, node_id, *_ = focus or ("", "", "")
        if not chat_id or not node_id:
            return None
        one = self.ui.opened.get(self.ui.engine, self.ui.person(request).id, chat_id)
        node = one.chat.conversation.node(node_id)
        return (one, node_id) if node.model is not None and node.state != "writing" else None

    def _panel(self, one: Open, node_id: str, request: gr.Request) -> tuple[TracePanel, Trace | None]:
        """The panel of the answer as it stands; made once, since it asks the model's server."""
        node, address = one.chat.conversation.node(node_id), own_address(self.ui, request)
        if one.looked is None or one.looked[0] is not node or one.looked[1] != address:
            model_id, asked = one.chat.request_of(node_id)
            person = self.ui.person(request)
            trace = self._trace(node.trace_id or "", person.id)
            key = KEY_VARIABLE if self.ui.options.guarded else None
            made = panel(self.ui.model(model_id, person), asked, trace, address=address, key_variable=key)
            one.looked = (node, address, made, trace)
        return one.looked[2:]

    def _trace(self, trace_id: str, owner: str) -> Trace | None:
        try:
            return self.ui.engine.traces.get(trace_id, owner)
        except NotFound:  # the log keeps the most recent ones
            return None

    def _filled(self, shown: TracePanel, trace: Trace | None, form: str) -> Update:
        parts, t = self.parts, self.ui.t
        messages = json.dumps([one.to_dict() for one in shown.messages], indent=2, ensure_ascii=False)
        scripts = [acts.button("script", f"⤓ {one.name}", t("code.sheet_help"), name=one.name) for one in shown.scripts]
        filled: Update = {
            parts.messages: messages,
            parts.prompt: self._observed(shown) + self._window(trace) + _marked(shown),
            parts.strip: tokens_value(shown.pieces, self.ui.words),
            parts.request: shown.request_json,
            parts.response: shown.response_json or "",
            parts.code: self._code(shown, form),
            parts.scripts: f"<p>{html.escape(t('code.sheet'))}</p>{''.join(scripts)}",
        }
        if trace is None:
            return filled | {parts.said: _paragraph(t("chat_trace.gone"))}
        return filled | {parts.whole: acts.button("trace", f"⤓ {t('chat_trace.download')}")}

    def _observed(self, shown: TracePanel) -> str:
        """How the prompt is known, or why it cannot be."""
        t = self.ui.t
        counted = t("trace.counted", count=shown.counted) if shown.counted is not None else ""
        if shown.prompt is None:
            return _paragraph(f"{t(f'trace.reason.{shown.reason}')} {counted}")
        told = t("chat.trace_help", count=len(shown.pieces)) if shown.pieces else counted
        origin = t("trace.from_lms") if shown.from_lms else t("chat_trace.rendered") if shown.special_spans else ""
        cut = t("trace.cut", names=", ".join(shown.cut)) if shown.cut else ""
        return _paragraph(" ".join(part for part in (told, origin, cut) if part))

    def _window(self, trace: Trace | None) -> str:
        """What the window's policy left out, as it was recorded."""
        window = (trace.window if trace else None) or {}
        if not any(window.get(name) for name in ("dropped", "cut", "summary")):
            return ""
        record = html.escape(json.dumps(window, indent=2, ensure_ascii=False))
        title = html.escape(self.ui.t("chat_trace.window"))
        return f"<details open><summary>{title}</summary><code>{record}</code></details>"

    def _code(self, shown: TracePanel, form: str) -> Any:
        found = next((one for one in shown.codes if one.name == form), None)
        if found is None or found.text is None:
            return gr.Code(self.ui.t("code.none"), language=None)
        return gr.Code(found.text, language=COLOURED.get(found.language))


def own_address(ui: Ui, request: gr.Request) -> str:
    """The base URL of this page's own server."""
    url = httpx.URL(str(request.url))
    return str(url.copy_with(path=f"{ui.options.root_path.rstrip('/')}/v1", query=None))


def _marked(shown: TracePanel) -> str:
    """The prompt as text with its special tokens marked; nothing where it is unknown."""
    if shown.prompt is None:
        return ""
    parts = (f"<mark>{html.escape(text)}</mark>" if special else html.escape(text)
             for text, special in shown.segments())  # fmt: skip
    return f"<pre tabindex='0'>{''.join(parts)}</pre>"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
