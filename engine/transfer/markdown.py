"""A conversation as Markdown for people, with marks by which it can be read again. Knows no other format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from engine.conversation import Conversation, Node
from engine.transfer.reading import MAX_CONVERSATIONS, bad, conversation_of
from engine.types import ROLES, Role

MARK = "<!-- message: {kind} -->"
PROMPT, BEGINNING = "system prompt", "conversation"
_MARK = re.compile(rf"^<!-- message: ({'|'.join((*ROLES, PROMPT, BEGINNING))}) -->\r?$", re.MULTILINE)
_LIKE_A_MARK = re.compile(r"^(\\*<!-- message: )", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(\\*<!-- message: )", re.MULTILINE)


def to_markdown(conversations: Iterable[Conversation], names: Mapping[Role, str] | None = None) -> str:
    """The branch where one stands, of each; `names` are the headings of the roles, by default the roles themselves."""
    return "".join(_one(conversation, names or {}) for conversation in conversations)


def is_markdown(text: str) -> bool:
    """Whether the text has our marks."""
    return _MARK.search(text) is not None


def import_markdown(text: str, filename: str) -> tuple[Conversation, ...]:
    """The conversations of such a text. Raises BadFile."""
    told = text.replace("\r\n", "\n") if re.search(r"^<!-- message: .* -->\r$", text, re.MULTILINE) else text
    starts = [match.start() for match in _MARK.finditer(told) if match[1] == BEGINNING] or [0]
    if len(starts) > MAX_CONVERSATIONS:
        raise bad(filename, f"more than {MAX_CONVERSATIONS} conversations")
    return tuple(_read(told[start:end], filename) for start, end in pairwise([*starts, len(told) + 1]))


def _one(conversation: Conversation, names: Mapping[Role, str]) -> str:
    title = " ".join(conversation.title.split()) or "…"
    system = conversation.settings.system
    parts = [_part(PROMPT, names.get("system", "system"), system)] if system else []
    parts += [_part(node.role, names.get(node.role, node.role), _said(node)) for node in conversation.path()]
    return f"{MARK.format(kind=BEGINNING)}\n# {title}\n\n" + "".join(parts)


def _said(node: Node) -> str:
    files = [f"[{file.kind}: {' '.join(file.name.split())}]" for file in node.attachments]
    return "\n\n".join([*files, node.content] if node.content else files)


def _part(kind: str, name: str, text: str) -> str:
    shown = _LIKE_A_MARK.sub(r"\\\1", text)
    return f"{MARK.format(kind=kind)}\n## {name}\n\n{shown}\n\n"


def _read(told: str, filename: str) -> Conversation:
    found = list(_MARK.finditer(told))
    ends = [match.start() for match in found[1:]] + [len(told)]
    said = [(match[1], _content(told[match.end() : end])) for match, end in zip(found, ends, strict=True)]
    system = next((text for kind, text in said if kind == PROMPT), "")
    roles = {role: role for role in ROLES}
    turns = [(roles[kind], text) for kind, text in said if kind in roles]
    nodes = [
        Node(str(place), str(place - 1) if place else None, role, text, 0.0) for place, (role, text) in enumerate(turns)
    ]
    title = told.partition("\n")[2].partition("\n")[0].removeprefix("# ") if said[0][0] == BEGINNING else ""
    return conversation_of(nodes, filename, title="" if title == "…" else title, system=system)


def _content(text: str) -> str:
    """What stands below the heading, without the empty lines around it that we wrote."""
    body = text.split("\n\n", 1)[-1] if text.startswith("\n## ") else text
    return _ESCAPED.sub(
        r"\1", body.removesuffix("\n").removesuffix("\n") if body.endswith("\n\n") else body.rstrip("\n")
    )
