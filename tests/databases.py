"""Fresh databases for tests: SQLite always; PostgreSQL on the server that TEST_DATABASE_URL names, else on one of
Debian's that is started here once per process where it is installed.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from engine.store import Store

NAMED = os.environ.get("TEST_DATABASE_URL")
PROGRAMS = max(
    Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name.zfill(4), default=None
)  # of the newest version
START_S = 120.0

# Nothing is to last, nobody else is to connect, and many test processes share one small machine.
QUICK = ["fsync=off", "full_page_writes=off", "listen_addresses=", "shared_buffers=16MB", "max_connections=60"]


def _missing() -> str | None:
    """Why there is no PostgreSQL to test with; None where there is one."""
    if NAMED:
        return None
    if importlib.util.find_spec("psycopg") is None:
        return "no driver of PostgreSQL: pip install 'psycopg[binary]'"
    return None if PROGRAMS else "no PostgreSQL on this machine: apt-get install postgresql"


MISSING = _missing()
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.skipif(MISSING is not None, reason=str(MISSING))),
]


@functools.cache
def server_url() -> str:
    """The address of a PostgreSQL where schemas may be made."""
    if NAMED:
        return NAMED
    assert PROGRAMS is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 letters
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    options: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.geteuid() == 0:  # it refuses to be started by root
        shutil.chown(folder, "postgres")
        options["user"] = "postgres"
    data = str(folder / "data")
    made = [PROGRAMS / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(made, check=True, timeout=START_S, **options)
    settings = [word for setting in QUICK for word in ("-c", setting)]
    server = subprocess.Popen([PROGRAMS / "postgres", "-D", data, "-k", str(folder), *settings], **options)
    atexit.register(_stop, server)
    url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    _wait(server, [str(PROGRAMS / "pg_isready"), "-q", "-h", str(folder)])
    return url


def _wait(server: subprocess.Popen[bytes], ready: list[str]) -> None:
    end = time.monotonic() + START_S
    while subprocess.run(ready, check=False).returncode:
        assert server.poll() is None and time.monotonic() < end, "PostgreSQL did not start"
        time.sleep(0.1)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # ends connections, where SIGTERM would wait for them
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextmanager
def fresh_url(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database, gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.sqlite3'}"
        return
    name = f"test_{secrets.token_hex(6)}"
    server = create_engine(server_url(), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        url = make_url(server_url()).update_query_dict({"options": f"-csearch_path={name}"})
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
