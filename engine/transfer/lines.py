"""OpenAI's messages, one conversation a line: what is sent, without branches. Knows no other format."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from engine.conversation import Attachment, Conversation, Node
from engine.transfer.reading import Foreign, absent, checked, conversation_of, picture
from engine.types import Role


class _Said(Foreign):
    model_config = ConfigDict(frozen=True, extra="allow")

    role: Role | Literal["developer", "function"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None


@cache
def _adapter() -> TypeAdapter[list[_Said]]:
    return TypeAdapter(list[_Said])


def to_openai_jsonl(conversations: Iterable[Conversation]) -> str:
    """A line `{"messages": […]}` for each: the branch where one stands, with its system prompt."""
    lines = ({"messages": [message.to_dict() for message in one.messages()]} for one in conversations)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def import_messages(told: Any, filename: str) -> Conversation:
    """The conversation of a list of messages; the first one becomes the system prompt if it is one. Raises BadFile."""
    said = checked(_adapter().validate_python, told, filename)
    system = _text(said[0]) if said and said[0].role in ("system", "developer") else ""
    turns = said[1:] if system else said
    nodes = [
        Node(str(place), str(place - 1) if place else None, _role(one), _text(one), 0.0, attachments=_pictures(one))
        for place, one in enumerate(turns)
    ]
    return conversation_of(nodes, filename, system=system)


def _role(said: _Said) -> Role:
    renamed: dict[str, Role] = {"developer": "system", "function": "tool"}
    return renamed.get(said.role) or said.role  # type: ignore[return-value]


def _text(said: _Said) -> str:
    parts = said.content if isinstance(said.content, list) else [{"text": said.content or ""}]
    pieces = [_part(part) for part in parts]
    pieces += [absent("call", json.dumps(call.get("function"), ensure_ascii=False)) for call in said.tool_calls or ()]
    return "\n\n".join(piece for piece in pieces if piece)


def _part(part: dict[str, Any]) -> str:
    if isinstance(part.get("text"), str):
        return str(part["text"])
    return "" if picture("", _address(part)) else absent(str(part.get("type") or "part"), _address(part) or "?")


def _pictures(said: _Said) -> tuple[Attachment, ...]:
    parts = said.content if isinstance(said.content, list) else []
    return tuple(found for part in parts if (found := picture("image", _address(part))) is not None)


def _address(part: dict[str, Any]) -> str:
    image = part.get("image_url")
    address = image.get("url") if isinstance(image, dict) else image
    return address if isinstance(address, str) else ""
