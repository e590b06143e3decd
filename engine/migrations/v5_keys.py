"""Version 5: what API keys may and have used per day, and the log of served requests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

_metadata = MetaData()
Table("people", _metadata, Column("id", Text, primary_key=True))
Table("api_keys", _metadata, Column("id", Text, primary_key=True))


def _owner() -> Column[str]:
    return Column("owner", Text, ForeignKey("people.id", ondelete="CASCADE"), nullable=False)


_NEW = [
    Table(
        "key_usage",
        _metadata,
        Column("key", Text, ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
        Column("day", Text, primary_key=True),
        _owner(),
        Column("requests", BigInteger, nullable=False),
        Column("tokens", BigInteger, nullable=False),
        Index("key_usage_owner", "owner"),
    ),
    Table(
        "request_log",
        _metadata,
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        _owner(),
        Column("key", Text),
        Column("time", Double, nullable=False),
        Column("route", Text, nullable=False),
        Column("model", Text),
        Column("status", Integer, nullable=False),
        Column("error", Text),
        Column("prompt_tokens", BigInteger),
        Column("completion_tokens", BigInteger),
        Column("duration", Double, nullable=False),
        Index("request_log_owner", "owner", "seq"),
        Index("request_log_key", "key", "seq"),
        sqlite_autoincrement=True,
    ),
]
_COLUMNS: dict[str, TypeEngine[Any]] = {
    "role": Text(),
    "requests_per_day": BigInteger(),
    "tokens_per_day": BigInteger(),
    "last_used": Double(),
}


def keys(connection: Connection) -> None:
    """Two new tables, and four columns of `api_keys`; older keys have no quota and their owner's powers."""
    _metadata.create_all(connection, tables=_NEW, checkfirst=False)
    for name, kind in _COLUMNS.items():
        connection.execute(text(f"ALTER TABLE api_keys ADD COLUMN {name} {kind.compile(connection.dialect)}"))
