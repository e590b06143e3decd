"""Version 4: by what a collection's embedder is known again."""

from __future__ import annotations

from sqlalchemy import Connection, text


def identity(connection: Connection) -> None:
    """A column of `collections`; older ones learn it at their next indexing."""
    connection.execute(text("ALTER TABLE collections ADD COLUMN embedder_identity TEXT"))
