"""The one database of the suite: opening, migrating, reading and writing it. Knows no rule about its rows.

SQLite (WAL) beside the data, or PostgreSQL by address. Whatever fails in here is a StoreFailed with a `reason`:
disk_full, permission_denied, corrupt, busy, unreachable, newer_schema, driver_missing, unknown_owner, conflict, failed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import IntegrityError as Integrity

from engine import places
from engine.errors import StoreFailed
from engine.migrations import MIGRATIONS, Step
from engine.tables import LOCAL_OWNER, metadata, people, schema_version

BUSY_S = 30.0
OPEN_TRIES, OPEN_PAUSE_S = 5, 0.05
_MIGRATION_LOCK = 0x61746C6C6D  # any number that no other program on the same PostgreSQL takes
_REASONS = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_READONLY: "permission_denied",
    sqlite3.SQLITE_PERM: "permission_denied",
    sqlite3.SQLITE_CANTOPEN: "permission_denied",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_CONSTRAINT: "conflict",
}
_SQLSTATES = {"53100": "disk_full", "42501": "permission_denied", "23503": "unknown_owner", "23505": "conflict"}


class Store:
    """An open store at the present schema version; safe from any thread. Raises StoreFailed.

    `read()` and `write()` give a connection inside one transaction; they do not nest, and nothing slow belongs inside.
    """

    def __init__(
        self, url: str, *, migrations: Sequence[Step] = MIGRATIONS, mountinfo: Path = places.MOUNTINFO
    ) -> None:
        self._migrations = tuple(migrations)
        self._mountinfo = mountinfo
        self._writing = threading.Lock()
        with self._mapped((SQLAlchemyError, OSError)):
            self.url: URL = make_url(url)
            self._prepare_file()
            self.engine: Engine = self._engine()
            with ExitStack() as on_failure:
                on_failure.callback(self.close)
                self.migrate()
                on_failure.pop_all()

    @property
    def path(self) -> Path | None:
        """The SQLite file; None with a server or in memory."""
        name = self.url.database
        is_file = self.url.get_backend_name() == "sqlite" and name and name != ":memory:"
        return Path(name).absolute() if is_file and name else None

    def place_warning(self) -> str | None:
        """Code `network_file_system` where the file lies on one, else None; the cure is `ATELIER_HOME` on a local
        disk.
        """
        path = self.path
        return "network_file_system" if path and places.network_file_system(path.parent, self._mountinfo) else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the store. Raises StoreFailed."""
        with self._mapped(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection whose changes are kept together at the end, or not at all. Raises StoreFailed."""
        with self._mapped(), self._turn(), self.engine.connect() as plain:
            connection = plain.execution_options(begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    def upsert(self, connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
        """Insert the row, or replace the one that has its primary key."""
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        keys = [column.name for column in table.primary_key]
        rest = {name: value for name, value in row.items() if name not in keys}
        connection.execute(insert(table).values(**row).on_conflict_do_update(index_elements=keys, set_=rest))

    def migrate(self) -> int:
        """The schema version after creating or upgrading what is there; one process at a time. Raises StoreFailed."""
        newest = len(self._migrations) + 1
        with self.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            found = _version(connection)
            if found > newest:
                message = f"the store has schema {found}, this program knows {newest}: use the newer program"
                raise StoreFailed(message, reason="newer_schema", found=found, known=newest)
            if found == 0:
                _create(connection)
            for step in self._migrations[max(found - 1, 0) :] if found else ():
                step(connection)
            if found != newest:
                connection.execute(schema_version.delete())
                connection.execute(schema_version.insert().values(version=newest))
        return newest

    def compact(self) -> None:
        """Rewrite the file, so that nothing of deleted rows is left on the disk. Raises StoreFailed."""
        if self.engine.dialect.name != "sqlite":
            return
        with self._mapped(), self._turn(), self.engine.connect() as plain:
            connection = plain.execution_options(begin="")  # it refuses to run inside a transaction
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Writers of this process in turn: SQLite lets one write and has the others poll, which is slow and unfair."""
        if not self._writing.acquire(timeout=BUSY_S):
            raise StoreFailed("another write takes too long", reason="busy")
        try:
            yield
        finally:
            self._writing.release()

    def _prepare_file(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite would make it readable to everybody. One that is there is not opened: closing it would take SQLite's
        # locks from another store of this process (https://sqlite.org/howtocorrupt.html, 2.2)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _engine(self) -> Engine:
        # hide_parameters: an exception or a log line must not carry what people wrote
        engine = create_engine(self.url, hide_parameters=True, pool_pre_ping=self.path is None)
        if engine.dialect.name == "sqlite":
            journal = "DELETE" if self.place_warning() else "WAL"  # WAL shares memory, which no network carries
            event.listen(engine, "connect", lambda raw, _record: _set_up(raw, journal))
            event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def _mapped(self, kinds: tuple[type[Exception], ...] = (SQLAlchemyError,)) -> Iterator[None]:
        try:
            yield
        except kinds as error:
            raise StoreFailed(_told(error), reason=_reason(error), where=self._where()) from error

    def _where(self) -> str:
        url: URL | None = getattr(self, "url", None)
        return url.render_as_string(hide_password=True) if url is not None else ""


def _version(connection: Connection) -> int:
    """The schema version in the database, 0 in an empty one."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return int(connection.execute(schema_version.select()).scalar_one())


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    row = {"id": LOCAL_OWNER, "nickname": "", "role": "teacher", "created": 0.0, "last_seen": 0.0}
    connection.execute(people.insert().values(**row))


def _set_up(raw: sqlite3.Connection, journal: str) -> None:
    raw.isolation_level = None  # transactions begin where SQLAlchemy says so, DDL included
    for pragma in (f"busy_timeout={int(BUSY_S * 1000)}", f"journal_mode={journal}", "synchronous=NORMAL"):
        _pragma(raw, pragma)
    _pragma(raw, "foreign_keys=ON")


def _pragma(raw: sqlite3.Connection, pragma: str) -> None:
    """Set it. An opening that meets another process at the log's beginning or end fails with an I/O error, once."""
    for left in reversed(range(OPEN_TRIES)):
        try:
            raw.execute(f"PRAGMA {pragma}").close()
            return
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_IOERR or not left:
                raise
            time.sleep(OPEN_PAUSE_S)


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once, without waiting, when another wrote between
    statement = connection.get_execution_options().get("begin", "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


def _told(error: Exception) -> str:
    """The driver's own sentence: neither the statement nor its values."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return (str(origin).splitlines() or [""])[0]


def _reason(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "permission_denied"
    if isinstance(error, OSError):
        return "disk_full" if error.errno in (28, 122) else "failed"  # ENOSPC, EDQUOT
    if isinstance(error, NoSuchModuleError | ArgumentError):
        return "driver_missing"
    if not isinstance(error, DBAPIError):
        return "failed"
    if isinstance(error, Integrity) and "foreign key" in str(error.orig).lower():
        return "unknown_owner"
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _REASONS.get(code & 0xFF, "failed")  # the low byte is the family of an extended code
    state = getattr(error.orig, "sqlstate", None)
    return _SQLSTATES.get(state or "", "failed") if state else "unreachable"
