"""One turn of a chat in Gradio: from the text box to the last statistics, as updates of components.

What was said is a value in `gr.State`, one per browser tab. Knows no layout and no backend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import httpx

from apps import gradio_kit as kit
from apps.gradio_kit import Sidebar, Ui
from apps.ui import present
from engine.errors import EngineError, NotSupported
from engine.params import Params
from engine.snippets import portable, snippets
from engine.types import Message, Result, Role

KEY_VARIABLE = "ATELIER_API_KEY"  # the name under which shown code looks for a person's key


@dataclass(frozen=True)
class Entry:
    """One message as it is shown: an answer has its statistics, and a `note` when it did not end by itself."""

    role: Role
    text: str
    reasoning: str = ""
    note: str = ""
    line: str = ""
    stats: str = ""

    def shown(self, ui: Ui) -> list[dict[str, Any]]:
        """The messages of `gr.Chatbot`: reasoning and statistics fold, the model's text cannot load or run anything."""
        rows = [_folded(ui.t("chat.reasoning"), _fenced(self.reasoning))] if self.reasoning else []
        text = present.safe_markdown(self.text)
        if self.note:
            text = f"{text}\n\n⚠ *{self.note}*"
        rows.append({"role": self.role, "content": text})
        if self.line:
            rows.append(_folded(self.line, _fenced(self.stats, "json")))
        return rows


@dataclass(frozen=True)
class Asked:
    """What the last request was, to show its exact prompt and its code."""

    model: str
    messages: tuple[Message, ...]
    params: Params
    counted: int | None = None


@dataclass(frozen=True)
class Talk:
    """A conversation so far."""

    entries: tuple[Entry, ...] = ()
    asked: Asked | None = None

    def messages(self, system: str) -> tuple[Message, ...]:
        """What is sent: the system prompt, if there is one, then every message that has a text."""
        said = tuple(Message(entry.role, entry.text) for entry in self.entries if entry.text)
        return (Message("system", system), *said) if system.strip() else said

    def plus(self, *entries: Entry) -> Talk:
        """The conversation with more messages."""
        return replace(self, entries=self.entries + entries)

    def shown(self, ui: Ui) -> list[dict[str, Any]]:
        """The whole conversation for `gr.Chatbot`."""
        return [row for entry in self.entries for row in entry.shown(ui)]


@dataclass(frozen=True)
class Parts:
    """The components of a chat tab that a turn reads and writes."""

    talk: gr.State
    system: gr.Textbox
    history: gr.Chatbot
    alert: gr.HTML
    progress: gr.HTML
    gauge: gr.HTML
    box: gr.Textbox
    kept: gr.Textbox
    send: gr.Button
    stop: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """Everything that a turn may change."""
        return [value for name, value in vars(self).items() if name != "system"]


class Turn:
    """The handlers of a chat tab; all of them are generators of updates or give one update."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: Parts) -> None:
        self.ui, self.bar, self.parts = ui, bar, parts

    @property
    def inputs(self) -> set[Any]:
        """What a turn reads."""
        return {self.parts.talk, self.parts.system, self.parts.box, *self.bar.inputs}

    def send(self, values: dict[Any, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Answer what stands in the text box."""
        yield from self._answer(values[self.parts.box], values, request)

    def example(self, values: dict[Any, Any], chosen: gr.SelectData, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Answer the example that was clicked."""
        yield from self._answer(chosen.value["text"], values, request)

    def halt(self, request: gr.Request) -> dict[Any, Any]:
        """Stop the answer under way; its last words come through the turn itself."""
        self.ui.running.stop((self.ui.person(request).id, request.session_hash or ""))
        return {self.parts.progress: kit.progress_html(present.Progress(self.ui.t("progress.stopping")))}

    def clear(self) -> dict[Any, Any]:
        """Forget the conversation."""
        return {self.parts.talk: Talk(), self.parts.history: [], self.parts.alert: "", self.parts.gauge: ""}

    def broken(self) -> dict[Any, Any]:
        """What is shown after a defect of our own, whose traceback is in the log."""
        return self._rest() | {self.parts.alert: kit.error_html(present.neutral_error(self.ui.words), self.ui)}

    def opened(self, request: gr.Request) -> dict[Any, Any]:
        """What a link puts into the text box. It never sends."""
        return {self.parts.box: request.query_params.get("prompt") or gr.skip()}  # somebody may be typing already

    def _answer(self, text: str, values: Mapping[Any, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
        before: Talk = values[self.parts.talk]
        if not text.strip():
            yield {self.parts.kept: ""}
            return
        talk = before.plus(Entry("user", text))
        yield self._begin(talk)
        try:
            model_id, params = self.bar.chosen(values)
            person = self.ui.person(request)
            model = self.ui.model(model_id, person)
            asked = Asked(model_id, talk.messages(values[self.parts.system]), params.seeded())
            generation = model.stream(asked.messages, asked.params, owner=person.id)
            for view in kit.stream(self.ui, generation, (person.id, request.session_hash or "")):
                if view.finished is None:
                    yield self._coming(talk, view)
            yield self._end(before, talk, asked, generation.result, model.window())
        except EngineError as error:
            yield self._failed(before, text, error)

    def _begin(self, talk: Talk) -> dict[Any, Any]:
        sent = kit.progress_html(present.progress_text(None, self.ui.words))
        return {
            self.parts.history: talk.shown(self.ui),
            self.parts.box: "",
            self.parts.kept: "",
            self.parts.alert: "",
            self.parts.progress: sent,
            self.parts.send: gr.Button(visible="hidden"),
            self.parts.stop: gr.Button(visible=True),
        }

    def _coming(self, talk: Talk, view: present.Live) -> dict[Any, Any]:
        if not (view.text or view.reasoning):
            return {self.parts.progress: kit.progress_html(present.progress_text(view.waiting, self.ui.words))}
        coming = talk.plus(Entry("assistant", view.text, view.reasoning))
        return {self.parts.history: coming.shown(self.ui), self.parts.progress: ""}

    def _end(self, before: Talk, talk: Talk, asked: Asked, result: Result, window: int | None) -> dict[Any, Any]:
        if result.error and not result.text:
            return self._failed(before, talk.entries[-1].text, result.error)
        talk = replace(talk.plus(self._entry(result)), asked=replace(asked, counted=result.usage.prompt_tokens))
        return self._rest() | {
            self.parts.talk: talk,
            self.parts.history: talk.shown(self.ui),
            self.parts.alert: kit.error_html(result.error, self.ui) if result.error else "",
            self.parts.gauge: self._gauge(result, asked.params, window),
        }

    def _failed(self, before: Talk, text: str, error: EngineError) -> dict[Any, Any]:
        return self._rest() | {
            self.parts.history: before.shown(self.ui),
            self.parts.kept: text,
            self.parts.alert: kit.error_html(error, self.ui),
        }

    def _rest(self) -> dict[Any, Any]:
        return {
            self.parts.progress: "",
            self.parts.send: gr.Button(visible=True),
            self.parts.stop: gr.Button(visible="hidden"),
        }

    def _entry(self, result: Result) -> Entry:
        note = {"failed": "chat.interrupted", "user_stopped": "chat.stopped"}.get(result.outcome)
        return Entry(
            "assistant",
            result.text,
            result.reasoning,
            self.ui.t(note) if note else "" if result.text else self.ui.t("chat.no_text"),
            present.stats_line(result.outcome, result.usage, result.stats, self.ui.words),
            present.stats_json(result.stats.export(result.outcome, result.usage)),
        )

    def _gauge(self, result: Result, params: Params, window: int | None) -> Any:
        used, answer = result.usage.prompt_tokens, result.usage.completion_tokens
        if window is None or used is None or answer is None:
            return gr.skip()  # what is not known is not drawn as 0
        return present.gauge_html(present.gauge(used, answer, params["max_tokens"], window, self.ui.words))

    def trace(self, talk: Talk, request: gr.Request) -> tuple[str, str]:
        """The exact prompt of the last request, and one line about it."""
        if talk.asked is None:
            return "", ""
        model = self.ui.model(talk.asked.model, self.ui.person(request))
        try:
            rendered = model.render(model.request(talk.asked.messages, talk.asked.params))
        except NotSupported:
            return "", self._not_observable(talk.asked)
        except EngineError as error:
            return "", kit.error_html(error, self.ui)
        return rendered.prompt, self.ui.t("chat.trace_help", count=len(rendered.tokens))

    def code(self, talk: Talk, request: gr.Request) -> tuple[str, str, str]:
        """The last request as curl, Python and LangChain, to the address of this page's own server."""
        if talk.asked is None:
            return "", "", ""
        model = self.ui.model(talk.asked.model, self.ui.person(request))
        body = model.body(model.request(talk.asked.messages, talk.asked.params))
        endpoint = model.card.endpoint
        address = endpoint.base_url if endpoint else self._own_address(request)
        own_key = KEY_VARIABLE if self.ui.options.guarded else None
        key = (endpoint.provider.key_env if endpoint else None) or own_key
        forms = snippets(portable(body, endpoint.model if endpoint else model.card.id), address, key)
        return forms.curl, forms.python, forms.langchain or self.ui.t("unit.unknown")

    def _own_address(self, request: gr.Request) -> str:
        url = httpx.URL(str(request.url))
        return str(url.copy_with(path=f"{self.ui.options.root_path.rstrip('/')}/v1", query=None))

    def _not_observable(self, asked: Asked) -> str:
        counted = self.ui.t("chat.trace_counted", count=asked.counted) if asked.counted is not None else ""
        return f"{self.ui.t('chat.trace_unavailable')} {counted}"


def _folded(title: str, content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "metadata": {"title": title, "status": "done"}}


def _fenced(text: str, language: str = "text") -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in _ticks(text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _ticks(text: str) -> Iterator[str]:
    run = ""
    for sign in f"{text} ":
        if sign == "`":
            run += sign
        elif run:
            yield run
            run = ""
