"""A chat answer told in the words of another protocol: the chunks of its stream become that protocol's events.

Knows no protocol; apps.api.responses and apps.api.messages do.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from starlette.responses import Response

from apps.api import errors
from apps.api.answer import Answer, objects
from apps.api.local import Pass
from apps.api.remote import Told
from engine.errors import EngineError
from engine.types import Usage

Kind = Literal["reasoning", "text", "call"]


@dataclass(frozen=True)
class Piece:
    """What one chunk adds to one part of the answer; `index` tells calls apart."""

    kind: Kind
    text: str
    index: int = 0
    id: str = ""
    name: str = ""


def pieces(chunk: Mapping[str, Any]) -> Iterator[Piece]:
    """What a chat chunk adds, in the order in which it is read."""
    for choice in chunk.get("choices", ()):
        delta = choice.get("delta") or {}
        if thought := delta.get("reasoning_content"):
            yield Piece("reasoning", thought)
        if text := delta.get("content"):
            yield Piece("text", text)
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            told = function.get("arguments") or ""
            yield Piece("call", told, call.get("index") or 0, call.get("id") or "", function.get("name") or "")


class Shape(Protocol):
    """How a protocol tells an answer."""

    def take(self, chunk: Mapping[str, Any]) -> list[bytes]:
        """The events that a chat chunk becomes."""
        ...

    def end(self, answer: Answer) -> list[bytes]:
        """The last events."""
        ...

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The body of an answer that was not streamed."""
        ...

    def broken(self, error: EngineError) -> bytes:
        """The last event of a stream that fails after it has begun."""
        ...

    def refused(self, error: EngineError, request_id: str | None = None) -> Response:
        """The answer where there is none."""
        ...


class Writer:
    """Opens and closes the parts of an answer as pieces come: what both protocols of events have in common."""

    def __init__(self) -> None:
        self.begun = False
        self.place = -1  # of the part that is open, or was last
        self.part: list[Piece] = []

    def take(self, chunk: Mapping[str, Any]) -> list[bytes]:
        """The events that a chat chunk becomes."""
        told = self.begins(chunk)
        for piece in pieces(chunk):
            if not self.part or (self.part[0].kind, self.part[0].index) != (piece.kind, piece.index):
                told += [*self.close(), *self._open(piece)]
            self.part.append(piece)
            told += self.grown(piece) if piece.text else []
        return told

    def begins(self, chunk: Mapping[str, Any]) -> list[bytes]:
        """The first events, once, when the first chunk has come."""
        if self.begun or "choices" not in chunk:
            return []
        self.begun = True
        return self.beginning(chunk)

    def close(self) -> list[bytes]:
        """The events that end the open part, if there is one."""
        told = self.closed("".join(piece.text for piece in self.part)) if self.part else []
        self.part = []
        return told

    def _open(self, piece: Piece) -> list[bytes]:
        self.place += 1
        return self.opened(piece)

    def beginning(self, chunk: Mapping[str, Any]) -> list[bytes]:
        """The first events."""
        raise NotImplementedError

    def opened(self, piece: Piece) -> list[bytes]:
        """The events that begin a part."""
        raise NotImplementedError

    def grown(self, piece: Piece) -> list[bytes]:
        """The events that add to the open part."""
        raise NotImplementedError

    def closed(self, text: str) -> list[bytes]:
        """The events that end the open part, of that whole text."""
        raise NotImplementedError


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """One named event of a stream, its type in the data too."""
    told = json.dumps({"type": name, **data}, ensure_ascii=False).encode("utf-8", "replace")
    return b"event: " + name.encode() + b"\ndata: " + told + b"\n\n"


@dataclass
class Plain:
    """An answer on its way as OpenAI's chat and completion routes tell it."""

    inner: Pass | Told

    @property
    def asked(self) -> dict[str, Any]:
        """The body of the request inside."""
        return self.inner.asked

    @property
    def id(self) -> str:
        """The request's id."""
        return self.inner.id

    def stream(self, ping: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
        """The bytes of the event stream. Raises EngineError; closing stops the generation."""
        return self.inner.stream(ping)

    def whole(self) -> dict[str, Any]:
        """The body of an answer that was not streamed."""
        told = self.inner.answer()
        return told.chat() if "messages" in self.asked else told.completion()

    def usage(self) -> Usage:
        """Tokens so far."""
        return self.inner.usage()

    def broken(self, error: EngineError) -> bytes:
        """The last event of a stream that fails after it has begun."""
        return errors.event(error)

    def refused(self, error: EngineError) -> Response:
        """The answer where there is none."""
        return errors.response(error, self.id)


@dataclass
class Reshaped(Plain):
    """An answer on its way in the shape of another protocol."""

    shape: Shape

    async def stream(self, ping: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
        """The bytes of the event stream. Raises EngineError; closing stops the generation."""
        async with aclosing(self.inner.stream(ping)) as blocks:
            async for block in blocks:
                if told := b"".join(part for chunk in objects([block]) for part in self.shape.take(chunk)):
                    yield told
        yield b"".join(self.shape.end(self.inner.answer()))

    def whole(self) -> dict[str, Any]:
        """The body of an answer that was not streamed."""
        return self.shape.whole(self.inner.answer())

    def broken(self, error: EngineError) -> bytes:
        """The last event of a stream that fails after it has begun."""
        return self.shape.broken(error)

    def refused(self, error: EngineError) -> Response:
        """The answer where there is none."""
        return self.shape.refused(error, self.id)


def shape_of(error: EngineError) -> dict[str, Any]:
    """Message, code and param of an error, as OpenAI names them."""
    told = errors.shape(error)["error"]
    return {name: told[name] for name in ("message", "code", "param")}
