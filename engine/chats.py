"""The store of conversations, each for its owner alone. Knows no model and no interface.

Several may save one conversation at the same time (two tabs): messages of both are kept, of one message the last
writing, and what is stored is always a tree.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, or_, select, update

from engine.conversation import Attachment, ChatSettings, Conversation, Node, new_id
from engine.errors import NotFound
from engine.store import Store
from engine.tables import conversations, nodes

TITLE_MAX = 200
SEARCH_MAX = 200  # letters of what is looked for: each word is a question to the store
SEARCHED = 20_000  # letters of a message that are found
_COLUMNS = ("id", "parent", "role", "content", "created", "reasoning", "state")


@dataclass(frozen=True)
class ChatLine:
    """One conversation in a list; `updated` in seconds since 1970, `messages` in all its branches."""

    id: str
    title: str
    updated: float
    pinned: bool
    messages: int


class Chats:
    """Conversations by owner. Everything raises StoreFailed, and NotFound for another's conversation as for none."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def lines(self, owner: str, search: str = "", limit: int = 200) -> tuple[ChatLine, ...]:
        """The person's conversations that contain every word, whatever its accents; pinned first, then the newest."""
        count = select(func.count()).where(nodes.c.conversation == conversations.c.id).scalar_subquery()
        query = select(
            *(conversations.c[name] for name in ("id", "title", "updated", "pinned")), count.label("messages")
        )
        query = query.where(conversations.c.owner == owner, *map(_contains, fold(search[:SEARCH_MAX]).split()))
        query = query.order_by(conversations.c.pinned.desc(), conversations.c.updated.desc(), conversations.c.id)
        with self._store.read() as connection:
            rows = connection.execute(query.limit(limit)).mappings().all()
        return tuple(ChatLine(**{**row, "pinned": bool(row["pinned"])}) for row in rows)

    def create(self, owner: str, settings: ChatSettings | None = None, *, title: str = "") -> Conversation:
        """A new conversation without messages, stored."""
        return self.save(owner, Conversation(new_id(), title, settings=settings or ChatSettings()))

    def get(self, owner: str, conversation_id: str) -> Conversation:
        """The whole conversation."""
        with self._store.read() as connection:
            return _load(connection, _head(connection, owner, conversation_id))

    def revision(self, owner: str, conversation_id: str) -> int:
        """What was stored last, to see cheaply whether another tab changed it."""
        with self._store.read() as connection:
            return int(_head(connection, owner, conversation_id)["revision"])

    def save(self, owner: str, conversation: Conversation, base: Conversation | None = None) -> Conversation:
        """What is stored now: the conversation, with what others stored since `base`, which is what was read or saved
        last.

        Only what differs from `base` is written; without it nothing is deleted. A conversation that was deleted
        meanwhile raises NotFound.
        """
        with self._store.write() as connection:
            if conversation.revision == 0:
                return self._insert(connection, owner, conversation)
            head = _head(connection, owner, conversation.id, lock=True)
            current = base
            if base is None or head["revision"] != base.revision:
                current = _load(connection, head)
            assert current is not None
            merged = merge(conversation, base, current)
            return self._write(connection, owner, current, merged)

    def journal(self, owner: str, conversation_id: str, node_id: str, text: str, reasoning: str = "") -> None:
        """Keep what has come of an answer so far; nothing where the message is no longer there."""
        key = (nodes.c.conversation == conversation_id, nodes.c.id == node_id, nodes.c.owner == owner)
        with self._store.write() as connection:
            connection.execute(
                update(nodes).where(*key, nodes.c.state == "writing").values(content=text, reasoning=reasoning)
            )  # fmt: skip

    def rename(self, owner: str, conversation_id: str, title: str) -> None:
        """Give it another title, of 200 letters at most."""
        title = " ".join(title.split())[:TITLE_MAX]
        self._change(owner, conversation_id, title=title, search=fold(title))

    def pin(self, owner: str, conversation_id: str, pinned: bool = True) -> None:
        """Keep it on top of the list, or no longer."""
        self._change(owner, conversation_id, pinned=int(pinned))

    def delete(self, owner: str, conversation_id: str) -> None:
        """Forget it with all its messages."""
        with self._store.write() as connection:
            _head(connection, owner, conversation_id)
            connection.execute(delete(conversations).where(conversations.c.id == conversation_id))

    def adopt(self, owner: str, conversation: Conversation) -> Conversation:
        """A conversation from elsewhere, stored under a new id. Raises BadInput where it is no tree."""
        conversation.check()
        now = self._clock()
        created, updated = conversation.created or now, conversation.updated or now
        own = replace(conversation, id=new_id(), revision=0, created=created, updated=updated)
        return self.save(owner, replace(own, title=own.title[:TITLE_MAX]))

    def draft(self, owner: str, conversation_id: str) -> str | None:
        """What was typed and could not be sent."""
        with self._store.read() as connection:
            text: str | None = _head(connection, owner, conversation_id)["draft"]
            return text

    def keep_draft(self, owner: str, conversation_id: str, text: str | None) -> None:
        """Keep what was typed and could not be sent; None forgets it."""
        key = (conversations.c.id == conversation_id, conversations.c.owner == owner)
        with self._store.write() as connection:
            connection.execute(update(conversations).where(*key).values(draft=text))

    def recover(self) -> int:
        """How many answers were being written when the application ended: they are marked, or taken out when empty."""
        with self._store.write() as connection:
            rows = connection.execute(select(nodes).where(nodes.c.state == "writing")).mappings().all()
            for row in rows:
                _recover(connection, _node(row), row["conversation"])
        return len(rows)

    def _change(self, owner: str, conversation_id: str, **changes: Any) -> None:
        with self._store.write() as connection:
            _head(connection, owner, conversation_id, lock=True)
            revision = conversations.c.revision + 1
            one = update(conversations).where(conversations.c.id == conversation_id)
            connection.execute(one.values(**changes, revision=revision))

    def _insert(self, connection: Connection, owner: str, conversation: Conversation) -> Conversation:
        now = self._clock()
        created, updated = conversation.created or now, conversation.updated or now
        new = replace(conversation, created=created, updated=updated, revision=1)
        connection.execute(conversations.insert().values(**_head_row(new), id=new.id, owner=owner, created=created))
        if new.nodes:
            connection.execute(nodes.insert(), [_row(owner, new.id, node) for node in new.nodes.values()])
        return new

    def _write(self, connection: Connection, owner: str, current: Conversation, merged: Conversation) -> Conversation:
        changed = [node for key, node in merged.nodes.items() if current.nodes.get(key) != node]
        gone = current.nodes.keys() - merged.nodes.keys()
        if not changed and not gone and replace(merged, revision=current.revision) == current:
            return current
        updated = self._clock() if changed or gone else current.updated
        new = replace(merged, revision=current.revision + 1, updated=updated)
        connection.execute(update(conversations).where(conversations.c.id == new.id).values(**_head_row(new)))
        for key in gone:
            connection.execute(delete(nodes).where(nodes.c.conversation == new.id, nodes.c.id == key))
        for node in changed:
            self._store.upsert(connection, nodes, _row(owner, new.id, node))
        return new


def merge(mine: Conversation, base: Conversation | None, current: Conversation) -> Conversation:
    """`current` with what changed between `base` and `mine`; without base, with all of mine and nothing deleted.

    A message that was written under one that others deleted brings it back: nothing that was written is lost.
    """
    if base is not None and current.revision == base.revision:
        return mine
    known = base.nodes if base else current.nodes
    changes: dict[str, Node | None] = {key: node for key, node in mine.nodes.items() if known.get(key) != node}
    for key in list(changes):
        for above in mine.path(key):
            if above.id not in current.nodes:
                changes.setdefault(above.id, above)
    if base is not None:
        changes.update({key: None for key in base.nodes if key not in mine.nodes})
    merged = current.patched(changes, mine.leaf)
    if base is None:
        return replace(merged, title=mine.title, settings=mine.settings, pinned=mine.pinned)
    own = {
        name: getattr(mine, name)
        for name in ("title", "settings", "pinned")
        if getattr(mine, name) != getattr(base, name)
    }
    return replace(merged, **own)


def fold(text: str) -> str:
    """The text as it is searched: small letters without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _contains(word: str) -> Any:
    inside = select(nodes.c.id).where(
        nodes.c.conversation == conversations.c.id, nodes.c.search.contains(word, autoescape=True)
    )
    return or_(conversations.c.search.contains(word, autoescape=True), inside.exists())


def _head(connection: Connection, owner: str, conversation_id: str, *, lock: bool = False) -> Mapping[str, Any]:
    query: Select[Any] = select(conversations).where(
        conversations.c.id == conversation_id, conversations.c.owner == owner
    )
    # SQLite has one writer anyway; elsewhere two would read the same revision
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise NotFound(f"no conversation {conversation_id}", what="conversation", key=conversation_id)
    return dict(row)


def _load(connection: Connection, head: Mapping[str, Any]) -> Conversation:
    query = select(nodes).where(nodes.c.conversation == head["id"]).order_by(nodes.c.created, nodes.c.id)
    found = map(_node, connection.execute(query).mappings())
    plain = {name: head[name] for name in ("id", "title", "leaf", "created", "updated", "revision")}
    return Conversation(
        **plain,
        nodes={node.id: node for node in found},
        settings=ChatSettings(**_known(ChatSettings, head["settings"])),
        pinned=bool(head["pinned"]),
    )


def _head_row(conversation: Conversation) -> dict[str, Any]:
    given = asdict(conversation.settings)
    return {
        "title": conversation.title,
        "search": fold(conversation.title),
        "leaf": conversation.leaf,
        "settings": {name: value for name, value in given.items() if value != getattr(ChatSettings, name)},
        "pinned": int(conversation.pinned),
        "updated": conversation.updated,
        "revision": conversation.revision,
    }


def _row(owner: str, conversation_id: str, node: Node) -> dict[str, Any]:
    columns = {name: getattr(node, name) for name in _COLUMNS}
    rest = {field.name: getattr(node, field.name) for field in fields(node) if field.name not in _COLUMNS}
    rest["attachments"] = [asdict(file) for file in node.attachments]
    data = {name: value for name, value in rest.items() if value not in (None, (), [], {})}
    search = fold(node.content[:SEARCHED])
    return {**columns, "owner": owner, "conversation": conversation_id, "search": search, "data": data}


def _node(row: RowMapping) -> Node:
    data = dict(row["data"])
    data["attachments"] = tuple(_file(file) for file in data.get("attachments", ()))
    data["tokens"] = tuple(data.get("tokens", ()))
    return Node(**_known(Node, {**data, **{name: row[name] for name in _COLUMNS}}))


def _file(data: Mapping[str, Any]) -> Attachment:
    return Attachment(**_known(Attachment, {**data, "warnings": tuple(data.get("warnings", ()))}))


def _known(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the class has; what a newer program stored besides is passed over."""
    known = kind.__dataclass_fields__  # dataclasses.fields makes a new tuple at each call: as long as all the rest
    return {name: value for name, value in data.items() if name in known}


def _recover(connection: Connection, node: Node, conversation_id: str) -> None:
    key = (nodes.c.conversation == conversation_id, nodes.c.id == node.id)
    one = update(conversations).where(conversations.c.id == conversation_id)
    followed = select(nodes.c.id).where(nodes.c.conversation == conversation_id, nodes.c.parent == node.id)
    if node.content or node.reasoning or connection.execute(followed).first():
        data = _row("", conversation_id, replace(node, outcome="failed"))["data"]
        connection.execute(update(nodes).where(*key).values(state="interrupted", data=data))
    else:
        connection.execute(delete(nodes).where(*key))
        connection.execute(one.where(conversations.c.leaf == node.id).values(leaf=node.parent))
    connection.execute(one.values(revision=conversations.c.revision + 1))
