"""Our own format, a tree: what is exported and imported again is the same. Knows no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from engine.conversation import Conversation
from engine.transfer.reading import MAX_MESSAGES, Key, bad, checked, valid
from engine.transfer.shapes import shown

ONE, MANY = "atelier-chat/1", "atelier-chats/1"


@cache
def _adapter() -> TypeAdapter[Conversation]:
    return TypeAdapter(Conversation)


@cache
def _key() -> TypeAdapter[str]:
    return TypeAdapter(Key)


def export_conversation(conversation: Conversation) -> dict[str, Any]:
    """The whole tree, ready for JSON: every branch, parameter, statistic and attachment; `revision` is the store's."""
    told: dict[str, Any] = _adapter().dump_python(conversation, mode="json")
    told["nodes"] = list(told["nodes"].values())
    del told["revision"]
    return {"format": ONE, **told}


def export_all(conversations: Iterable[Conversation]) -> dict[str, Any]:
    """Many of them in one file."""
    return {"format": MANY, "conversations": [export_conversation(conversation) for conversation in conversations]}


def import_own(told: Mapping[str, Any], filename: str) -> tuple[Conversation, ...]:
    """The conversations of such a file. Raises BadFile."""
    if told["format"] == ONE:
        return (_conversation(told, filename),)
    several = told.get("conversations")
    if not isinstance(several, list) or not all(isinstance(one, dict) for one in several):
        raise bad(filename, "conversations: a list is missing")
    return tuple(_conversation(one, filename) for one in several)


def _conversation(told: Mapping[str, Any], filename: str) -> Conversation:
    nodes = told.get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) and "id" in node for node in nodes):
        raise bad(filename, "nodes: a list of messages with ids is missing")
    if len(nodes) > MAX_MESSAGES:
        raise bad(filename, f"more than {MAX_MESSAGES} messages in a conversation")
    keys = [checked(_key().validate_python, node["id"], filename) for node in nodes]
    if len(set(keys)) < len(keys):
        raise bad(filename, "two messages have one id")
    fields = {name: value for name, value in told.items() if name not in ("format", "revision")}
    fields["nodes"] = dict(zip(keys, nodes, strict=True))
    made = checked(_adapter().validate_python, fields, filename)
    checked(shown().validate_python, fields, filename)
    # Nobody writes on here what was being written elsewhere
    rest = {key: replace(node, state="interrupted") for key, node in made.nodes.items() if node.state == "writing"}
    return valid(replace(made, nodes={**made.nodes, **rest}) if rest else made, filename)
