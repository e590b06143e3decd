"""ChatGPT's `conversations.json`: a tree of messages whose content has many shapes. What is not text is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import Field, TypeAdapter

from engine.conversation import Conversation, Node
from engine.transfer.reading import Foreign, Key, Seconds, absent, bad, checked, conversation_of
from engine.types import ROLES, Role

_KINDS = {"image_asset_pointer": "image", "audio_asset_pointer": "audio", "video_container_asset_pointer": "video"}
# Of each kind of content that is not parts, what is text in it
_TEXTS = ("user_profile", "user_instructions", "model_set_context", "title", "url", "result", "text")


class _Author(Foreign):
    role: str
    name: str | None = None


class _Content(Foreign):
    content_type: str = "text"
    parts: list[str | dict[str, Any] | None] = Field(default_factory=list)
    language: str | None = None
    text: str | None = None
    thoughts: list[dict[str, Any]] = Field(default_factory=list)
    user_profile: str | None = None
    user_instructions: str | None = None
    model_set_context: str | None = None
    title: str | None = None
    url: str | None = None
    result: str | None = None
    content: str | None = None


class _Message(Foreign):
    author: _Author
    content: _Content
    create_time: Seconds | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class _Spot(Foreign):
    id: Key
    message: _Message | None = None
    parent: Key | None = None
    children: list[Key] = Field(default_factory=list)


class _Chat(Foreign):
    mapping: dict[str, _Spot]
    title: str | None = None
    create_time: Seconds | None = None
    update_time: Seconds | None = None
    current_node: str | None = None


@cache
def _adapter() -> TypeAdapter[_Chat]:
    return TypeAdapter(_Chat)


def import_chatgpt(told: Mapping[str, Any], filename: str) -> Conversation:
    """One conversation with all its branches. Empty messages, such as the root, are left out and what follows them
    hangs on what they hung on. Raises BadFile.
    """
    chat = checked(_adapter().validate_python, told, filename)
    spots = {spot.id: spot for spot in chat.mapping.values()}
    if len(spots) < len(chat.mapping):
        raise bad(filename, "two messages have one id")
    said = {key: node for key, spot in spots.items() if (node := _node(spot)) is not None}
    above = _Above(spots, said, filename)
    nodes = [Node(**{**vars(node), "parent": above(node.parent)}) for node in _ordered(said, spots)]
    leaf = above(chat.current_node) if chat.current_node in spots else None
    return conversation_of(
        nodes,
        filename,
        title=chat.title or "",
        leaf=leaf,
        created=chat.create_time or 0.0,
        updated=chat.update_time or 0.0,
    )


def _ordered(said: Mapping[str, Node], spots: Mapping[str, _Spot]) -> Iterator[Node]:
    """The messages with siblings in the order of `children`, those that nobody names as a child last."""
    places = {child: place for spot in spots.values() for place, child in enumerate(spot.children)}
    yield from sorted(said.values(), key=lambda node: places.get(node.id, len(places)))


class _Above:
    """The nearest message from a key upwards that says something; each silent one is passed once."""

    def __init__(self, spots: Mapping[str, _Spot], said: Mapping[str, Node], filename: str) -> None:
        self._spots, self._said, self._filename = spots, said, filename
        self._known: dict[str, str | None] = {}

    def __call__(self, key: str | None) -> str | None:
        passed: dict[str, None] = {}
        while key is not None and key not in self._said and key not in self._known:
            if key in passed:
                raise bad(self._filename, "messages follow each other in a circle")
            if key not in self._spots:
                raise bad(self._filename, f"message {key} is missing")
            passed[key] = None
            key = self._spots[key].parent
        found = key if key is None or key in self._said else self._known[key]
        self._known.update(dict.fromkeys(passed, found))
        return found


def _node(spot: _Spot) -> Node | None:
    message = spot.message
    if message is None:
        return None
    text, reasoning = _text(message), _reasoning(message.content)
    if not text and not reasoning:
        return None
    model = message.metadata.get("model_slug")
    return Node(spot.id, spot.parent, _role(message), text, message.create_time or 0.0, reasoning,
                model=model if isinstance(model, str) else None)  # fmt: skip


def _role(message: _Message) -> Role:
    if message.content.content_type in ("user_editable_context", "model_editable_context"):
        return "system"  # "custom instructions" and memory, which the model read before everything else
    return next((role for role in ROLES if role == message.author.role), "tool")


def _text(message: _Message) -> str:
    content = message.content
    pieces = [part if isinstance(part, str) else _part(part) for part in content.parts if part is not None]
    pieces += [value for name in _TEXTS if (value := getattr(content, name))]
    if content.content_type == "code" and content.text:
        language = content.language if content.language not in (None, "unknown") else ""
        pieces = [f"```{language}\n{content.text}\n```"]
    files = message.metadata.get("attachments")
    pieces += [absent("file", str(file.get("name") or file.get("id"))) for file in _objects(files)]
    if not pieces and content.content_type not in ("text", "thoughts", "reasoning_recap"):
        pieces = [absent("content", content.content_type)]
    return "\n\n".join(piece for piece in pieces if piece)


def _part(part: Mapping[str, Any]) -> str:
    """A part that is not text: a transcription is read, everything else is named."""
    if isinstance(part.get("text"), str):
        return str(part["text"])
    kind = str(part.get("content_type") or "part")
    return absent(_KINDS.get(kind, kind), str(part.get("asset_pointer") or part.get("name") or "?"))


def _reasoning(content: _Content) -> str:
    told = ((thought.get("summary"), thought.get("content")) for thought in content.thoughts)
    pieces = ["\n".join(str(text) for text in pair if text) for pair in told]
    recap = [content.content] if content.content_type == "reasoning_recap" and content.content else []
    return "\n\n".join([*pieces, *recap])


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
