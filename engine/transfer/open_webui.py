"""Open WebUI's export of chats: a tree of messages under `chat.history`. Files that are not in it are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import Field, TypeAdapter

from engine.conversation import Conversation, Node
from engine.transfer.reading import Foreign, Key, Seconds, absent, bad, checked, conversation_of, picture
from engine.types import Role

MILLISECONDS = 1e11  # times above it are not in seconds


class _File(Foreign):
    type: str = "file"
    name: str | None = None
    url: str | None = None
    id: str | None = None


class _Said(Foreign):
    role: Role
    content: str | list[dict[str, Any]] | None = ""
    id: Key | None = None
    parentId: Key | None = None
    childrenIds: list[Key] = Field(default_factory=list)
    model: str | None = None
    timestamp: Seconds | None = None
    files: list[_File] = Field(default_factory=list)
    error: Any = None


class _History(Foreign):
    messages: dict[Key, _Said] = Field(default_factory=dict)
    currentId: str | None = None


class _Inner(Foreign):
    title: str | None = None
    history: _History | None = None
    messages: list[_Said] = Field(default_factory=list)
    params: dict[str, Any] = Field(default_factory=dict)
    system: str | None = None


class _Chat(Foreign):
    chat: _Inner
    title: str | None = None
    pinned: bool | None = False
    created_at: Seconds | None = None
    updated_at: Seconds | None = None


@cache
def _adapter() -> TypeAdapter[_Chat]:
    return TypeAdapter(_Chat)


def import_open_webui(told: Mapping[str, Any], filename: str) -> Conversation:
    """One chat with all its branches. Raises BadFile."""
    whole = checked(_adapter().validate_python, told, filename)
    chat = whole.chat
    system = chat.params.get("system") or chat.system
    history = chat.history if chat.history is not None and chat.history.messages else _in_turn(chat.messages)
    places = {child: place for said in history.messages.values() for place, child in enumerate(said.childrenIds)}
    nodes = [_node(key, said, filename) for key, said in history.messages.items()]
    return conversation_of(
        sorted(nodes, key=lambda node: places.get(node.id, len(places))),
        filename,
        title=whole.title or chat.title or "",
        leaf=history.currentId,
        system=system if isinstance(system, str) else "",
        created=_seconds(whole.created_at),
        updated=_seconds(whole.updated_at),
        pinned=bool(whole.pinned),
    )


def _in_turn(messages: list[_Said]) -> _History:
    """The tree of a chat that is only a list, as old versions wrote it."""
    keys = [str(place) for place in range(len(messages))]
    linked = {
        key: said.model_copy(update={"parentId": keys[place - 1] if place else None})
        for place, (key, said) in enumerate(zip(keys, messages, strict=True))
    }
    return _History(messages=linked, currentId=keys[-1] if keys else None)


def _node(key: str, said: _Said, filename: str) -> Node:
    if said.parentId == key:
        raise bad(filename, f"message {key} follows itself")
    pieces = [said.content] if isinstance(said.content, str) else [_part(part) for part in said.content or ()]
    images = [found for file in said.files if (found := picture(file.name or "image", file.url or "")) is not None]
    pieces += [absent(file.type, file.name or file.id or "?") for file in said.files if not picture("", file.url or "")]
    if said.error:
        pieces.append(absent("error", str(said.error.get("content") if isinstance(said.error, dict) else said.error)))
    text = "\n\n".join(piece for piece in pieces if piece)
    node = Node(key, said.parentId, said.role, text, _seconds(said.timestamp), model=said.model)
    return replace(node, attachments=tuple(images))


def _part(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else absent(str(part.get("type") or "part"), "?")


def _seconds(time: float | None) -> float:
    return 0.0 if time is None else time / 1000 if time > MILLISECONDS else time
