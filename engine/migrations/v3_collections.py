"""Version 3: collections of documents, their files, the states that they can go back to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Double, ForeignKey, Index, Integer, MetaData, Table, Text

_metadata = MetaData()
Table("people", _metadata, Column("id", Text, primary_key=True))


def _owner() -> Column[str]:
    return Column("owner", Text, ForeignKey("people.id", ondelete="CASCADE"), nullable=False)


def _collection() -> Column[str]:
    return Column("collection", Text, ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)


_NEW = [
    Table(
        "collections",
        _metadata,
        Column("id", Text, primary_key=True),
        _owner(),
        Column("name", Text, nullable=False),
        Column("embedder", Text, nullable=False),
        Column("splitting", Text, nullable=False),
        Column("shared", Integer, nullable=False),
        Column("temporary", Integer, nullable=False),
        Column("created", Double, nullable=False),
        Index("collections_name", "owner", "name", unique=True),
        Index("collections_shared", "shared"),
    ),
    Table(
        "collection_files",
        _metadata,
        _collection(),
        Column("id", Text, primary_key=True),
        _owner(),
        Column("name", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("root", Text, nullable=False),
        Column("stamp", Text),
        Column("sha256", Text, nullable=False),
        Column("bytes", BigInteger, nullable=False),
        Column("state", Text, nullable=False),
        Column("pages", Integer),
        Column("characters", Integer),
        Column("chunks", Integer),
        Column("warnings", Text, nullable=False),
        Column("error", Text),
        Index("collection_files_owner", "owner"),
        Index("collection_files_state", "state"),
    ),
    Table(
        "collection_versions",
        _metadata,
        _collection(),
        Column("number", Integer, primary_key=True, autoincrement=False),
        _owner(),
        Column("created", Double, nullable=False),
        Column("files", Text, nullable=False),
        Index("collection_versions_owner", "owner"),
    ),
]


def collections(connection: Connection) -> None:
    """Three new tables."""
    _metadata.create_all(connection, tables=_NEW, checkfirst=False)
