"""Which format a file has, and what is in it. Knows the formats by their marks, never by the file's name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from engine.conversation import Conversation
from engine.errors import BadFile
from engine.transfer.chatgpt import import_chatgpt
from engine.transfer.lines import import_messages
from engine.transfer.markdown import import_markdown, is_markdown
from engine.transfer.open_webui import import_open_webui
from engine.transfer.own import MANY, ONE, import_own
from engine.transfer.reading import MAX_CONVERSATIONS, bad, json_of, text_of


def import_any(data: bytes, filename: str) -> tuple[Conversation, ...]:
    """The conversations of an export: ours (JSON, Markdown), Open WebUI's, ChatGPT's, OpenAI messages (JSONL or JSON).

    Raises BadFile with a reason for everything else; nothing is imported by halves.
    """
    text = text_of(data, filename)
    if is_markdown(text) and not text.lstrip().startswith(("{", "[")):
        return import_markdown(text, filename)
    try:
        told = json_of(text, filename)
    except BadFile:
        told = _lines(text, filename)
        if told is None:
            raise
    found = _several(told, filename)
    if not found:
        raise bad(filename, "there is no conversation in it")
    return found


def to_bytes(told: dict[str, Any]) -> bytes:
    """The file of an export, in UTF-8; halves of characters, which no file may hold, become question marks."""
    return json.dumps(told, ensure_ascii=False, indent=1).encode(errors="replace")


def _lines(text: str, filename: str) -> list[Any] | None:
    """The values of a file that has one on each line; None where it has not even one at its beginning."""
    lines = [line for line in text.split("\n") if line.strip()] if "\n" in text.strip() else []
    if len(lines) > MAX_CONVERSATIONS:
        raise bad(filename, f"more than {MAX_CONVERSATIONS} conversations")
    if not lines or not lines[0].lstrip().startswith("{"):
        return None
    return [json_of(line, f"{filename}, line {number}") for number, line in enumerate(lines, 1)]


def _several(told: Any, filename: str) -> tuple[Conversation, ...]:
    if isinstance(told, dict):
        return tuple(_one(told, filename))
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise bad(filename, "no format that we know")
    if len(told) > MAX_CONVERSATIONS:
        raise bad(filename, f"more than {MAX_CONVERSATIONS} conversations")
    if told and "role" in told[0]:
        return (import_messages(told, filename),)
    return tuple(conversation for one in told for conversation in _one(one, filename))


def _one(told: dict[str, Any], filename: str) -> Iterable[Conversation]:
    if told.get("format") in (ONE, MANY):
        return import_own(told, filename)
    if isinstance(told.get("mapping"), dict):
        return (import_chatgpt(told, filename),)
    if isinstance(told.get("chat"), dict):
        return (import_open_webui(told, filename),)
    if isinstance(told.get("messages"), list):
        return (import_messages(told["messages"], filename),)
    raise bad(filename, "no format that we know")
