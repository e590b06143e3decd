"""What stands under every run: trace, code, run file, card, replay, surprise verse by verse, and the way into the chat.

Made when somebody looks. Knows no layout and no backend.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_chat.trace import COLOURED, own_address
from apps.gradio_components import token_strip, tokens_value
from apps.gradio_comptine.asked import PRE
from apps.gradio_comptine.parts import Held, Parts, Update, Values
from apps.gradio_kit import Ui
from apps.ui import present
from apps.ui.trace_panel import KEY_VARIABLE, TracePanel, panel
from engine.backends.base import Request
from engine.comptine.cell import Cell, CellResult
from engine.comptine.running import prepare
from engine.errors import BadFile, EngineError, NotFound
from engine.model import Model
from engine.snippets import FORMS

RUN_FILE_BYTES = 1_000_000


@dataclass(frozen=True)
class Under:
    """The components of the panel."""

    trace: gr.Accordion
    prompt: gr.HTML
    strip: gr.HTML
    request: gr.Code
    response: gr.Code
    code: gr.Accordion
    form: gr.Radio
    text: gr.Code
    save: gr.Button
    to_chat: gr.Button
    card: gr.Accordion
    told: gr.Code
    chat: gr.Textbox

    @property
    def looked(self) -> list[Any]:
        """What a look at the trace fills."""
        return [self.prompt, self.strip, self.request, self.response]


def under(ui: Ui) -> Under:
    """Lay out the panel, in the order of every answer: trace, code, save."""
    t = ui.t
    with gr.Accordion(t("comptine.trace"), open=False, elem_id="comptine-trace") as trace:
        prompt = gr.HTML(elem_classes="atelier-slot")
        with gr.Accordion(t("chat_trace.tokens"), open=False):
            strip = token_strip(elem_id="comptine-tokens")
        with gr.Row():
            request, response = (
                gr.Code("", "json", label=t(f"chat_trace.{name}"), interactive=False, lines=3, max_lines=16,
                        wrap_lines=True) for name in ("request", "response")
            )  # fmt: skip
    with gr.Accordion(t("comptine.code"), open=False, elem_id="comptine-code") as code:
        names = [(t(f"code.{name}"), name) for name in FORMS]
        form = gr.Radio(names, value=names[0][1], label=t("comptine.code"), show_label=False)
        text = gr.Code("", label=t("comptine.code"), interactive=False, lines=3, max_lines=24)
    with gr.Row():
        save = gr.Button(f"⤓ {t('comptine.save')}", size="sm", min_width=150, elem_id="comptine-save")
        to_chat = gr.Button(f"→ {t('comptine.to_chat')}", size="sm", min_width=150, elem_id="comptine-to-chat")
    with gr.Accordion(t("comptine.card"), open=False, elem_id="comptine-card") as card:
        told = gr.Code("", "json", label=t("comptine.card"), interactive=False, lines=3, max_lines=24)
    chat = gr.Textbox("", label=t("comptine.to_chat"), elem_classes="atelier-hidden")
    return Under(trace, prompt, strip, request, response, code, form, text, save, to_chat, card, told, chat)


class Looks:
    """What the panel's events do, for the page's last run."""

    def __init__(self, ui: Ui, parts: Parts, under: Under) -> None:
        self.ui, self.parts, self.under = ui, parts, under

    def trace(self, values: Values, request: gr.Request) -> Update:
        """The exact prompt, its tokens, the request and the response."""
        empty: Update = {self.under.prompt: "", self.under.strip: None, self.under.request: "", self.under.response: ""}
        result = self._result(values)
        if result is None:
            return empty
        try:
            shown = self._panel(result, request)
        except EngineError as error:
            return empty | {self.under.prompt: kit.error_html(error, self.ui)}
        return {
            self.under.prompt: self._prompt(shown),
            self.under.strip: tokens_value(shown.pieces, self.ui.words),
            self.under.request: shown.request_json,
            self.under.response: shown.response_json or "",
        }

    def code(self, values: Values, request: gr.Request) -> Any:
        """The same request in the form that is chosen."""
        result = self._result(values)
        if result is None:
            return ""
        try:
            codes = self._panel(result, request).codes
        except EngineError as error:
            return present.error_text(error, self.ui.words).sentence
        found = next((one for one in codes if one.name == values[self.under.form]), None)
        if found is None or found.text is None:
            return gr.Code(self.ui.t("code.none"), language=None)
        return gr.Code(found.text, language=COLOURED.get(found.language))

    def save(self, values: Values, request: gr.Request) -> str:
        """The run file, for the browser to save."""
        result = self._result(values)
        if result is None:
            return ""
        try:
            told = self._record(values, request)
        except EngineError as error:
            gr.Warning(present.error_text(error, self.ui.words).sentence)
            return ""
        text = json.dumps(told, indent=1, ensure_ascii=False)
        return f"[{outgoing(f'comptine-{result.cell.key}.json', 'application/json', text)}]"

    def card(self, values: Values, request: gr.Request) -> str:
        """What makes the run repeatable: model file, quantization, runtime, window, parameters, hashes."""
        from engine.comptine.runfile import run_card

        if self._result(values) is None:
            return ""
        try:
            return json.dumps(run_card(self._record(values, request)), indent=1, ensure_ascii=False)
        except EngineError as error:
            return present.error_text(error, self.ui.words).sentence

    def to_chat(self, values: Values, request: gr.Request) -> str:
        """The run as a conversation of that person: its id, where the page goes next."""
        from engine.comptine.talk import conversation_of

        result = self._result(values)
        if result is None:
            return ""
        made = self.ui.engine.chats.adopt(self.ui.person(request).id, conversation_of(result))
        return made.id

    def _record(self, values: Values, request: gr.Request) -> Mapping[str, Any]:
        """The run file of the last run. Raises EngineError."""
        from engine.comptine.runfile import record

        held: Held = values[self.parts.result]
        return held.record or record(self.ui.engine, self._model(held.result, request), held.result)

    def _prompt(self, shown: TracePanel) -> str:
        if shown.prompt is None:
            counted = self.ui.t("trace.counted", count=shown.counted) if shown.counted is not None else ""
            return f"<p>{html.escape(self.ui.t(f'trace.reason.{shown.reason}'))} {html.escape(counted)}</p>"
        parts = (f"<mark>{html.escape(text)}</mark>" if special else html.escape(text)
                 for text, special in shown.segments())  # fmt: skip
        return f"<pre tabindex='0' style='{PRE}'>{''.join(parts)}</pre>"

    def _panel(self, result: CellResult, request: gr.Request) -> TracePanel:
        model, owner = self._model(result, request), self.ui.person(request).id
        try:
            trace = self.ui.engine.traces.get(result.trace_id or "", owner)
        except NotFound:  # the log keeps the most recent ones; what was not sent has none
            trace = None
        key = KEY_VARIABLE if self.ui.options.guarded else None
        asked = asked_of(model, result.cell)
        return panel(model, asked, trace, address=own_address(self.ui, request), key_variable=key)

    def _model(self, result: CellResult, request: gr.Request) -> Model:
        return self.ui.model(result.model, self.ui.person(request))

    def _result(self, values: Values) -> CellResult | None:
        held: Held | None = values[self.parts.result]
        return held.result if held is not None else None


def asked_of(model: Model, cell: Cell) -> Request:
    """The request of a cell, as it would be sent now. Raises EngineError."""
    made = prepare(model, cell)
    if made.raw is not None:
        return model.request((), made.params(), raw=made.raw)
    return model.request(made.prompt.messages, made.params())


def read_run_file(path: str) -> Mapping[str, Any]:
    """The run file that was uploaded, which is then no longer kept. Raises BadFile."""
    file = Path(path)
    try:
        if file.stat().st_size > RUN_FILE_BYTES:
            raise BadFile(f"{file.name} is too long", path=file.name, reason="size")
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise BadFile(f"{file.name} is not JSON", path=file.name, reason="json") from error
    finally:
        file.unlink(missing_ok=True)
    if not isinstance(found, dict):
        raise BadFile(f"{file.name} is no run file", path=file.name, reason="format")
    return found
