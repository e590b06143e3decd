"""The tables of the store as they are now, for SQLite and PostgreSQL alike. Knows no connection and no rule.

Every row belongs to a person and goes when the person goes. Whoever changes a table adds a migration
(`engine/migrations`). Times are seconds since 1970.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

from engine.person import LOCAL_OWNER as LOCAL_OWNER

Serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only under the type INTEGER


class Words(TypeDecorator[str]):
    """Text from anywhere, a request's header or a file's name included, in what both databases can hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")


class Json(TypeDecorator[Any]):
    """A JSON value as text. PostgreSQL's own type refuses U+0000 and both drivers refuse lone surrogates: models write
    either.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def dumps(value: Any) -> str:
    """JSON text that every database stores; accents stay letters, lone surrogates become escapes."""
    text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _owner() -> Column[str]:
    return Column("owner", Words, ForeignKey("people.id", ondelete="CASCADE"), nullable=False)


metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

people = Table(
    "people",
    metadata,
    Column("id", Words, primary_key=True),
    Column("nickname", Words, nullable=False),
    Column("role", Words, nullable=False),
    Column("created", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Words, primary_key=True),  # the public part of the key, to find it by
    _owner(),
    Column("hash", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
    Column("role", Words),  # what it opens at most; None: whatever its owner may
    Column("requests_per_day", BigInteger),
    Column("tokens_per_day", BigInteger),
    Column("last_used", Double),
    Index("api_keys_owner", "owner"),
)

key_usage = Table(
    "key_usage",
    metadata,
    Column("key", Words, ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Words, primary_key=True),  # of UTC, as 2026-11-22
    _owner(),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Index("key_usage_owner", "owner"),
)

request_log = Table(
    "request_log",
    metadata,
    Column("seq", Serial, primary_key=True),
    _owner(),
    Column("key", Words),  # its public part; no foreign key: the log tells of ended ones too
    Column("time", Double, nullable=False),
    Column("route", Words, nullable=False),
    Column("model", Words),
    Column("status", Integer, nullable=False),
    Column("error", Words),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("duration", Double, nullable=False),
    Index("request_log_owner", "owner", "seq"),
    Index("request_log_key", "key", "seq"),
    sqlite_autoincrement=True,
)

values = Table(
    "values",
    metadata,
    Column("owner", Words, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Words, primary_key=True),
    Column("value", Json, nullable=False),
)

traces = Table(
    "traces",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    _owner(),
    Column("bytes", Integer, nullable=False),
    Column("backend", Words, nullable=False),
    Column("model", Words, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("error_code", Words),
    Column("started", Double, nullable=False),
    Column("duration", Double),
    Column("usage", Json, nullable=False),
    Column("stats", Json, nullable=False),
    Column("request", Json, nullable=False),
    Column("prompt", Json),
    Column("response", Json, nullable=False),
    Column("cut", Json, nullable=False),
    Column("window", Json),  # what a window policy kept and dropped
    Index("traces_owner", "owner", "seq", "bytes"),  # all that pruning reads
    Index("traces_started", "started"),
    sqlite_autoincrement=True,  # a number is never given twice, so `tail` misses nothing after a pruning
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Words, primary_key=True),
    _owner(),
    Column("title", Words, nullable=False),
    Column("search", Words, nullable=False),  # the title as it is searched: small letters without accents
    Column("leaf", Words),
    Column("settings", Json, nullable=False),
    Column("draft", Json),
    Column("pinned", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("conversations_owner", "owner", "pinned", "updated"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("conversation", Words, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Words, primary_key=True),
    _owner(),
    Column("parent", Words),  # no foreign key: rows of a subtree come and go in any order
    Column("role", Words, nullable=False),
    Column("content", Json, nullable=False),  # a model may write what no text column takes
    Column("reasoning", Json, nullable=False),
    Column("search", Words, nullable=False),
    Column("created", Double, nullable=False),
    Column("state", Words, nullable=False),
    Column("data", Json, nullable=False),
    Index("nodes_owner", "owner"),
    Index("nodes_state", "state"),
)

library = Table(
    "library",
    metadata,
    Column("owner", Words, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", Json, nullable=False),
    Column("note", Words),
    Column("created", Double, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Words, primary_key=True),
    _owner(),
    Column("task", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("args", Json, nullable=False),
    Column("state", Words, nullable=False),
    Column("done", Double),
    Column("total", Double),
    Column("result", Json),
    Column("error", Json),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("finished", Double),
    Index("jobs_owner", "owner", "created"),
    Index("jobs_state", "state", "created"),
)

collections = Table(
    "collections",
    metadata,
    Column("id", Words, primary_key=True),
    _owner(),
    Column("name", Words, nullable=False),
    Column("embedder", Words, nullable=False),
    Column("splitting", Json, nullable=False),
    Column("shared", Integer, nullable=False),
    Column("temporary", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("embedder_identity", Words),  # engine.rag.identity; None until something was indexed
    Index("collections_name", "owner", "name", unique=True),
    Index("collections_shared", "shared"),
)

collection_files = Table(
    "collection_files",
    metadata,
    Column("collection", Words, ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Words, primary_key=True),
    _owner(),
    Column("name", Words, nullable=False),
    Column("source", Words, nullable=False),
    Column("root", Words, nullable=False),  # the source that it is a part of; its own where it stands alone
    Column("stamp", Words),  # size and times of a file on the disk: the same, and it is not opened again
    Column("sha256", Words, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("state", Words, nullable=False),
    Column("pages", Integer),
    Column("characters", Integer),
    Column("chunks", Integer),
    Column("warnings", Json, nullable=False),
    Column("error", Json),
    Index("collection_files_owner", "owner"),
    Index("collection_files_state", "state"),
)

collection_versions = Table(
    "collection_versions",
    metadata,
    Column("collection", Words, ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _owner(),
    Column("created", Double, nullable=False),
    Column("files", Json, nullable=False),  # the rows of collection_files as they were
    Index("collection_versions_owner", "owner"),
)

votes = Table(
    "votes",
    metadata,
    Column("id", Words, primary_key=True),  # of the pair, which is voted on once
    _owner(),
    Column("created", Double, nullable=False),
    Column("voted", Double),
    Column("winner", Words),  # left, right, tie, both_bad; None until it is voted on
    Column("left_model", Words, nullable=False),
    Column("right_model", Words, nullable=False),
    Column("tag", Words, nullable=False),
    Column("problem", Words),  # why it does not count: an answer that names its model
    Column("texts", Json, nullable=False),  # the question and both answers: for their owner alone
    Index("votes_owner", "owner", "created"),
    Index("votes_voted", "voted"),
)
