"""Fresh databases for tests: SQLite always, PostgreSQL where TEST_DATABASE_URL names a server to write to."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from engine.store import Store

SERVER = os.environ.get("TEST_DATABASE_URL")
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.skipif(not SERVER, reason="TEST_DATABASE_URL names no PostgreSQL")),
]


@contextmanager
def fresh_url(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database, gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.sqlite3'}"
        return
    name = f"test_{secrets.token_hex(6)}"
    server = create_engine(SERVER or "", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        url = make_url(SERVER or "").update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        server.dispose()


@contextmanager
def fresh_store(kind: str, folder: Path) -> Iterator[Store]:
    """An open store in an empty database."""
    with fresh_url(kind, folder) as url:
        store = Store(url)
        try:
            yield store
        finally:
            store.close()
