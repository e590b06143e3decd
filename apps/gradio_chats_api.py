"""The named endpoints on conversations that are stored: /conversations, /branch, /regenerate, /continue, /export,
/trace. Each sees what its caller owns, and nothing else. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr

from apps.gradio_chat import shelf
from apps.gradio_chat.opened import Open
from apps.gradio_kit import Ui, guard
from engine.chat import Chat, Choice
from engine.conversation import Conversation
from engine.errors import BadInput, EngineError, NotFound
from engine.params import Params
from engine.person import Person

NAMES = {
    "conversations": "conversations",
    "branch": "branch",
    "regenerate": "regenerate",
    "continue": "resume",
    "export": "export",
    "trace": "trace",
}
LISTED = 200


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = ChatEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class ChatEndpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def conversations(self, search: str = "", request: gr.Request | None = None) -> list[dict[str, Any]]:
        try:
            lines = self._ui.engine.chats.lines(self._person(request).id, search, limit=LISTED)
            return [asdict(line) for line in lines]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def branch(
        self,
        text: str,
        conversation: str = "",
        message: str = "",
        model: str = "",
        params: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:  # one update of the stream: text so far, then where and how beside it
        try:
            one, choice = self._open(conversation, request), self._choice(model, params, request)
            if message:
                one.chat.at(message)
            one.chat.say(text, choice)
            yield from self._answer(one)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def regenerate(
        self,
        conversation: str,
        message: str = "",
        model: str = "",
        params: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:  # as above
        yield from self._again(Chat.regenerate, conversation, message, model, params, request)

    def resume(
        self,
        conversation: str,
        message: str = "",
        model: str = "",
        params: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:  # as above
        yield from self._again(Chat.resume, conversation, message, model, params, request)

    def _again(
        self,
        act: Callable[[Chat, str, Choice], Any],
        conversation: str,
        message: str,
        model: str,
        params: dict[str, Any] | None,
        request: gr.Request | None,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            one, choice = self._stored(conversation, request), self._choice(model, params, request)
            act(one.chat, _message(one, message), choice)
            yield from self._answer(one)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def export(self, conversation: str = "", form: str = "json", request: gr.Request | None = None) -> str:
        try:
            if form not in shelf.FORMS:
                raise BadInput(f"form is one of {', '.join(shelf.FORMS)}", name="form", value=form[:50])
            person = self._person(request)
            everything = form == "all" or not conversation
            one = Conversation("") if everything else self._ui.engine.chats.get(person.id, conversation)
            return shelf.exported(self._ui, person, "all" if everything else form, one)[2]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def trace(self, trace: str, request: gr.Request | None = None) -> dict[str, Any]:
        try:
            found = self._ui.engine.traces.get(trace, self._person(request).id)
            told: dict[str, Any] = json.loads(json.dumps(found.to_dict(), default=str))
            return told
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _answer(self, one: Open) -> Iterator[tuple[str, dict[str, Any]]]:
        """The growing text, then the answer with what is known of it. Raises what ended it before its first word."""
        chat, writing = one.chat, one.chat.writing
        if writing is not None:
            for view in one.views(writing):
                if view.finished is None and view.text:
                    yield view.text, {}
            writing.ended()
        node = chat.conversation.nodes.get(writing.node_id) if writing is not None else None
        if node is None:
            raise chat.error or NotFound("there is no answer", what="message", key="")
        told = {"conversation": chat.conversation.id, "message": node.id, "model": node.model}
        result = {"outcome": node.outcome, "stats": node.stats, "usage": node.usage, "trace": node.trace_id}
        yield node.content, {**told, **result}

    def _open(self, conversation: str, request: gr.Request | None) -> Open:
        if conversation:
            return self._stored(conversation, request)
        return self._ui.opened.new(self._ui.engine, self._person(request).id)

    def _stored(self, conversation: str, request: gr.Request | None) -> Open:
        """The person's conversation. Raises NotFound for another's."""
        one = self._ui.opened.get(self._ui.engine, self._person(request).id, conversation)
        one.touch()
        return one

    def _choice(self, model: str, params: dict[str, Any] | None, request: gr.Request | None) -> Choice:
        opened = self._ui.model(model, self._person(request))
        return Choice(opened.card.id, Params(params), self._person(request).role)

    def _person(self, request: gr.Request | None) -> Person:
        if request is None:
            raise BadInput("no request")
        return self._ui.person(request)


def _message(one: Open, message: str) -> str:
    """That message, by default the one where the conversation stands."""
    return message or one.chat.conversation.leaf or ""
