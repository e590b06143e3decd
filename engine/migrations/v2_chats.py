"""Version 2: conversations and their messages, the library of presets and prompts, what a window policy dropped."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Double, ForeignKey, Index, Integer, MetaData, Table, Text, text

_metadata = MetaData()
Table("people", _metadata, Column("id", Text, primary_key=True))


def _owner(*, primary_key: bool = False) -> Column[str]:
    return Column("owner", Text, ForeignKey("people.id", ondelete="CASCADE"), primary_key=primary_key, nullable=False)


_NEW = [
    Table(
        "conversations",
        _metadata,
        Column("id", Text, primary_key=True),
        _owner(),
        Column("title", Text, nullable=False),
        Column("search", Text, nullable=False),
        Column("leaf", Text),
        Column("settings", Text, nullable=False),
        Column("draft", Text),
        Column("pinned", Integer, nullable=False),
        Column("created", Double, nullable=False),
        Column("updated", Double, nullable=False),
        Column("revision", Integer, nullable=False),
        Index("conversations_owner", "owner", "pinned", "updated"),
    ),
    Table(
        "nodes",
        _metadata,
        Column("conversation", Text, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
        Column("id", Text, primary_key=True),
        _owner(),
        Column("parent", Text),
        Column("role", Text, nullable=False),
        Column("content", Text, nullable=False),
        Column("reasoning", Text, nullable=False),
        Column("search", Text, nullable=False),
        Column("created", Double, nullable=False),
        Column("state", Text, nullable=False),
        Column("data", Text, nullable=False),
        Index("nodes_owner", "owner"),
        Index("nodes_state", "state"),
    ),
    Table(
        "library",
        _metadata,
        _owner(primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("name", Text, primary_key=True),
        Column("version", Integer, primary_key=True, autoincrement=False),
        Column("value", Text, nullable=False),
        Column("note", Text),
        Column("created", Double, nullable=False),
    ),
]


def chats(connection: Connection) -> None:
    """Three new tables, and a column of `traces`."""
    _metadata.create_all(connection, tables=_NEW, checkfirst=False)
    connection.execute(text('ALTER TABLE traces ADD COLUMN "window" TEXT'))  # a reserved word in PostgreSQL
