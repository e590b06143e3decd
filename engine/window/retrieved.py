"""Passages that were looked up for a question: a message of their own while the window is planned, a part of the
question when it is sent, for many templates refuse two messages of one person in a row. Knows no policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.backends.base import Request
from engine.params import Params
from engine.types import Capability, Message, Rendered
from engine.window.counting import Countable
from engine.window.values import Plan


@dataclass(frozen=True)
class Retrieved(Message):
    """Passages with what is to be done with them; the question follows."""


def placed(messages: Sequence[Message], passages: str) -> tuple[Message, ...]:
    """The messages with the passages before the last question; at the end where there is none."""
    questions = [index for index, message in enumerate(messages) if message.role == "user"]
    place = questions[-1] if questions else len(messages)
    return (*messages[:place], Retrieved("user", passages), *messages[place:])


def places(messages: Iterable[Message]) -> frozenset[int]:
    """Where passages are among the messages."""
    return frozenset(index for index, message in enumerate(messages) if isinstance(message, Retrieved))


def joined(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages as they are sent: passages inside the question that follows them."""
    sent: list[Message] = []
    for message in messages:
        before = sent[-1] if sent else None
        if isinstance(before, Retrieved):
            sent[-1] = _within(before, message) if message.role == "user" else _plain(before)
            if message.role == "user":
                continue
        sent.append(message)
    return tuple(_plain(message) if isinstance(message, Retrieved) else message for message in sent)


def sent(plan: Plan, found: frozenset[int]) -> Plan:
    """The plan in terms of the messages without those passages, which are parts of a question now."""
    if not found:
        return plan

    def place(index: int) -> int:
        return index - sum(1 for other in found if other < index)

    dropped = tuple(place(index) for index in plan.dropped if index not in found)
    cut = {place(index): ends for index, ends in plan.cut.items() if index not in found}
    return replace(plan, messages=joined(plan.messages), dropped=dropped, cut=cut)


class Joining:
    """A model that is asked for counts with passages in messages of their own, and counts what will be sent."""

    def __init__(self, model: Countable) -> None:
        self._model = model

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Those of the model."""
        return self._model.capabilities

    def request(self, messages: Iterable[Message], params: Params | None = None, **options: Any) -> Request:
        """The request as it will be sent."""
        return self._model.request(joined(messages), params, **options)

    def count(self, request: Request) -> int:
        """Prompt tokens of the request."""
        return self._model.count(request)

    def render(self, request: Request) -> Rendered:
        """The prompt of the request."""
        return self._model.render(request)

    def window(self) -> int | None:
        """The model's window, in tokens."""
        return self._model.window()


def _plain(message: Retrieved) -> Message:
    return Message(message.role, message.content, message.extra)


def _within(passages: Retrieved, question: Message) -> Message:
    content = "\n\n".join(text for text in (passages.content, question.content) if text)
    return replace(question, content=content, extra=_with_text(question, content))


def _with_text(question: Message, content: str) -> Mapping[str, Any]:
    """The question's extra fields; one with pictures has its text among the parts there."""
    parts = question.extra.get("content")
    if not isinstance(parts, list):
        return question.extra
    pictures = [part for part in parts if part.get("type") != "text"]
    return {**question.extra, "content": [{"type": "text", "text": content}, *pictures]}
