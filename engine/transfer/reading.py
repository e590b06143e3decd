"""Reading a file that somebody else made: bounded before it is looked at, checked before it is believed.

Knows no format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import from_json

from engine.conversation import TICK, Attachment, ChatSettings, Conversation, Node, new_id, title_of
from engine.errors import BadFile

MAX_BYTES = 64 * 2**20
MAX_CONTAINERS = 1_000_000  # objects and lists: an empty one has two bytes in the file and sixty in memory
MAX_CONVERSATIONS = 20_000
MAX_MESSAGES = 20_000  # of one conversation
CONTENT = "content"

# Ids are kept, so that a second import is recognizable; PostgreSQL takes no zero bytes, and nobody needs spaces
Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
Seconds = Annotated[float, Field(ge=0, le=1e13, allow_inf_nan=False)]

# Programs that cut a text by its UTF-16 write half a character; a whole one, or another escape, is the first group
_HALVES = re.compile(
    r"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?![dD][89a-fA-F])|\\[^u])"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)

Checked = TypeVar("Checked")


class Foreign(BaseModel):
    """A part of another program's file: what we do not know is let be."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def bad(filename: str, reason: str) -> BadFile:
    """The error that says why the file cannot be imported."""
    return BadFile(f"{filename} cannot be imported: {reason}", path=filename, reason=reason)


def text_of(data: bytes, filename: str) -> str:
    """The text of the file. Raises BadFile where it is too large or no UTF-8."""
    if len(data) > MAX_BYTES:
        raise bad(filename, f"larger than {MAX_BYTES // 2**20} MB")
    if data.count(b"{") + data.count(b"[") > MAX_CONTAINERS:
        raise bad(filename, "too many parts")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad(filename, f"not UTF-8 at byte {error.start}") from error


def json_of(text: str, filename: str) -> Any:
    """The JSON value, with � for half a character. Raises BadFile where it is none, or nested deeper than anybody
    needs.
    """
    try:
        return from_json(text)
    except ValueError as error:
        mended = _HALVES.sub(lambda found: found[1] or r"\ufffd", text)
        if mended != text:
            return json_of(mended, filename)
        raise bad(filename, f"not JSON: {error}") from error


def checked(validate: Callable[[Any], Checked], value: Any, filename: str) -> Checked:
    """The value in its type. Raises BadFile that names the first field that is wrong."""
    try:
        return validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise bad(filename, f"{place}: {first['msg']}") from error


def conversation_of(
    nodes: Iterable[Node],
    filename: str,
    *,
    title: str = "",
    leaf: str | None = None,
    system: str = "",
    created: float = 0.0,
    updated: float = 0.0,
    pinned: bool = False,
) -> Conversation:
    """The conversation of these messages, each after its parent or not; siblings stay in the order given.

    Where `leaf` is none of them one stands at the end of the newest branch. Raises BadFile where they make no tree.
    """
    placed: dict[str, Node] = {}
    last: dict[str | None, float] = {}
    for node in nodes:
        if node.id in placed:
            raise bad(filename, f"two messages {node.id}")
        if len(placed) >= MAX_MESSAGES:
            raise bad(filename, f"more than {MAX_MESSAGES} messages in a conversation")
        time = max(node.created, last.get(node.parent, -TICK) + TICK)
        last[node.parent] = time
        placed[node.id] = replace(node, created=time)
    made = Conversation(
        new_id(), title, placed, None, ChatSettings(system=system), pinned, created=created, updated=updated
    )
    made = valid(made, filename)
    ends = made.children(None)
    standing = leaf if leaf in placed else (made.newest_below(ends[-1]) if ends else None)
    first = next((node.content for node in made.path(standing) if node.role == "user"), "") if standing else ""
    return replace(made, leaf=standing, title=title.strip() or title_of(first))


def valid(conversation: Conversation, filename: str) -> Conversation:
    """The same conversation. Raises BadFile where it is no tree."""
    from engine.errors import BadInput

    try:
        conversation.check()
    except BadInput as error:
        raise bad(filename, error.message) from error
    return conversation


def picture(name: str, address: str) -> Attachment | None:
    """An image that lies in the file itself; None for one that lies elsewhere."""
    return Attachment(name, "image", "", data_url=address) if address.startswith("data:image/") else None


def absent(kind: str, name: str) -> str:
    """How a message names what belongs to it and is not in the file."""
    return f"[{kind}: {' '.join(name.split())}]"
