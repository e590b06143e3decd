"""The named endpoints that `gradio_client` calls: /chat, /models, /count_tokens, /render. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any, get_args

import gradio as gr

from apps.gradio_kit import Ui, guard
from apps.ui import present
from engine.backends.base import Request
from engine.errors import BadInput, EngineError
from engine.model import Model
from engine.params import Params
from engine.person import Person
from engine.types import Message, Result, Role


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = Endpoints(ui)
    for name in ("chat", "models", "count_tokens", "render"):
        gr.api(getattr(endpoints, name), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class Endpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def chat(
        self,
        message: str,
        history: list[dict[str, str]] | None = None,
        model: str = "",
        params: dict[str, Any] | None = None,
        system: str = "",
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:  # one update of the stream: text so far, then the whole result beside it
        try:
            opened, asked = self._asked(message, history, model, params, system, request)
            generation = opened.stream(asked.messages, asked.params, owner=asked.owner)
            with closing(present.follow(generation)) as views:
                for view in views:
                    yield view.text, {}
            yield self._final(generation.result)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def models(self, request: gr.Request | None = None) -> list[dict[str, Any]]:
        try:
            cards = self._ui.engine.models(self._person(request).role)
            return [{**card.to_dict(), "state": self._ui.engine.state(card).name} for card in cards]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def count_tokens(
        self,
        message: str,
        history: list[dict[str, str]] | None = None,
        model: str = "",
        system: str = "",
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        try:
            opened, asked = self._asked(message, history, model, None, system, request)
            return {"prompt_tokens": opened.count(asked), "window": opened.window(), "model": opened.card.id}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def render(
        self,
        message: str,
        history: list[dict[str, str]] | None = None,
        model: str = "",
        system: str = "",
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        try:
            opened, asked = self._asked(message, history, model, None, system, request)
            rendered = opened.render(asked)
            return {"prompt": rendered.prompt, "tokens": rendered.tokens, "pieces": rendered.pieces}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _asked(
        self,
        message: str,
        history: list[dict[str, str]] | None,
        model: str,
        params: Mapping[str, Any] | None,
        system: str,
        request: gr.Request | None,
    ) -> tuple[Model, Request]:
        person = self._person(request)
        before = [message_of(turn) for turn in history or ()]
        first = [Message("system", system)] if system.strip() else []
        opened = self._ui.model(model, person)
        return opened, opened.request([*first, *before, Message("user", message)], Params(params), owner=person.id)

    def _person(self, request: gr.Request | None) -> Person:
        if request is None:
            raise BadInput("no request")
        return self._ui.person(request)

    def _final(self, result: Result) -> tuple[str, dict[str, Any]]:
        if result.error and not result.text:
            raise result.error
        data = result.to_dict()
        if result.error:
            data["error"]["sentence"] = present.error_text(result.error, self._ui.words).sentence
        return result.text, data


def message_of(turn: Any) -> Message:
    role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, dict) else (None, None)
    if role not in get_args(Role) or not isinstance(content, str):
        raise BadInput("history is a list of {role, content}", name="history", value=str(turn)[:200])
    return Message(role, content)
