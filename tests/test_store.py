"""The store opens, migrates, locks and fails as it says."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from engine import places
from engine.chats import Chats
from engine.errors import NotFound, StoreFailed
from engine.joblog import JobLog
from engine.keys import Keys
from engine.library import Library
from engine.migrations import MIGRATIONS
from engine.people import People
from engine.rag.collections import Collections
from engine.rag.values import Splitting
from engine.requestlog import RequestLog
from engine.settings import Settings
from engine.store import Store, _pragma
from engine.tables import jobs, metadata, people, schema_version, votes
from engine.trace import Traces
from engine.values import Values
from tests.databases import KINDS, fresh_store, fresh_url

DUMPS = Path(__file__).parent / "data" / "store"
ROOT = Path(__file__).parent.parent
NEWEST = len(MIGRATIONS) + 1


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_url(request.param, tmp_path) as address:
        yield address


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with fresh_store(request.param, tmp_path) as opened:
        yield opened


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.sqlite3'}"


def pragma(store: Store, name: str) -> object:
    with store.read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def shape(store: Store) -> dict[str, object]:
    """Columns, keys and indices of every table, in an order of their own."""
    look = inspect(store.engine)
    return {
        name: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(name)),
            sorted((f["referred_table"], f["options"].get("ondelete")) for f in look.get_foreign_keys(name)),
            sorted((i["name"] or "", tuple(i["column_names"])) for i in look.get_indexes(name)),
        )
        for name in look.get_table_names()
    }


def test_sqlite_settings(tmp_path: Path) -> None:
    store = Store(sqlite_url(tmp_path / "new" / "folder"))
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "synchronous") == 1  # NORMAL
    assert pragma(store, "busy_timeout") == 30_000
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    store = Store(sqlite_url(tmp_path / "home"))
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "home").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    store.close()


def test_every_row_has_an_owner_and_goes_with_them() -> None:
    for table in set(metadata.tables.values()) - {people, schema_version}:
        (key,) = table.c.owner.foreign_keys
        assert (key.column, key.ondelete, table.c.owner.nullable) == (people.c.id, "CASCADE", False), table.name


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_every_older_store_opens(version: int, tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "store.sqlite3")
    raw.executescript((DUMPS / f"v{version}.sql").read_text(encoding="utf-8"))
    raw.close()
    store, fresh = Store(sqlite_url(tmp_path)), Store(sqlite_url(tmp_path / "fresh"))
    assert shape(store) == shape(fresh)
    assert store.migrate() == NEWEST
    owner = next(person.id for person in People(store).all() if person.nickname == "Zoé")
    assert Values(store).get(owner, "language") == "fr"
    (job,) = JobLog(store).list(owner)
    assert (job.state, job.result) == ("done", {"size": 144})
    (line,) = Traces(store, LIMITS).list(owner)
    assert Traces(store, LIMITS).get(line.id, owner).prompt == "<|im_start|>été \ud800"
    if version >= 2:
        (chat,) = Chats(store).lines(owner, "ete")
        assert [node.content for node in Chats(store).get(owner, chat.id).path()] == ["Où ? \ud800", "À Nice."]
        assert Library(store).get(owner, "prompt", "résumé") == "Résume en une phrase : {{text}}"
    if version >= 3:
        collections = Collections(store, Settings(home=tmp_path))
        (collection,) = collections.list(owner)
        assert (collection.name, collection.splitting, collection.chunks) == ("été", Splitting(headings=False), 1)
        assert [file.name for file in collections.files(owner, collection.id)] == ["Où.md"]
        assert [version.files for version in collections.versions(owner, collection.id)] == [1]
        assert bool(collection.fingerprint) == (version > 3)
    keys = {key.name: key for key in Keys(store).list(owner)}
    assert all(key.requests_per_day is None for name, key in keys.items() if name != "open-webui")
    if version >= 5:
        assert keys["open-webui"].requests_per_day == 10 and keys["open-webui"].role == "student"
        assert [served.tokens for served in RequestLog(store).list(owner)] == [12]
    if version >= 6:
        with store.read() as connection:
            (vote,) = connection.execute(votes.select().where(votes.c.owner == owner)).mappings()
        assert (vote["winner"], vote["texts"]["question"]) == ("left", "Où ? \ud800")
    store.close()
    fresh.close()


class LIMITS:
    trace_mb = 1
    trace_days = 36500


def test_a_newer_store_is_refused(url: str) -> None:
    def step(connection: Connection) -> None: ...

    Store(url, migrations=(*MIGRATIONS, step)).close()
    with pytest.raises(StoreFailed) as failure:
        Store(url)
    assert failure.value.details["reason"] == "newer_schema"
    assert (failure.value.details["found"], failure.value.details["known"]) == (NEWEST + 1, NEWEST)


def test_a_step_runs_once_and_wholly_or_not_at_all(url: str) -> None:
    Store(url).close()

    def broken(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER PRIMARY KEY)"))
        connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(StoreFailed):
        Store(url, migrations=(*MIGRATIONS, broken))
    store = Store(url)
    assert "half" not in inspect(store.engine).get_table_names()
    store.close()

    def good(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE whole (id INTEGER PRIMARY KEY)"))

    for _ in range(2):
        store = Store(url, migrations=(*MIGRATIONS, good))
        assert "whole" in inspect(store.engine).get_table_names()
        store.close()


OPENER = """
import sys, time
from sqlalchemy import text
from engine.library import Library
from engine.migrations import MIGRATIONS
from engine.store import Store, _pragma

def step(connection):
    connection.execute(text("CREATE TABLE steps (n INTEGER)"))
    time.sleep(0.3)  # long enough for the other process to come in between
    connection.execute(text("INSERT INTO steps VALUES (1)"))

print("ready", flush=True)
sys.stdin.readline()
Store(sys.argv[1], migrations=(*MIGRATIONS, step)).close()
"""


@pytest.mark.parametrize("existing", [False, True], ids=["new", "old"])
def test_processes_that_open_together_migrate_once(url: str, existing: bool) -> None:
    if existing:
        Store(url).close()
    command = [sys.executable, "-W", "error", "-c", OPENER, url]
    openers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout and opener.stdout.readline() == b"ready\n"
    told = [opener.communicate(b"go\n", timeout=240) for opener in openers]
    assert [opener.returncode for opener in openers] == [0, 0, 0], told
    store = Store(url, migrations=(*MIGRATIONS, lambda connection: None))
    with store.read() as connection:
        assert connection.execute(schema_version.select()).scalars().all() == [NEWEST + 1]
        if existing:
            assert connection.execute(text("SELECT n FROM steps")).scalars().all() == [1]
    store.close()


def test_eight_threads_write(store: Store) -> None:
    log, together = JobLog(store), threading.Barrier(8)

    def work(number: int) -> None:
        together.wait()
        for count in range(25):
            log.add("local", "task", {"n": number}, f"{number}.{count}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    titles = [job.title for job in log.list("local")]
    assert sorted(titles) == sorted(f"{n}.{c}" for n in range(8) for c in range(25))


def test_only_one_of_many_ends_a_job(store: Store) -> None:
    log = JobLog(store)
    job = log.add("local", "task", {})
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _: log.change(job.id, ("queued",), state="cancelled"), range(16)))
    assert sum(won) == 1


def test_a_job_keeps_its_values_and_its_owner(store: Store) -> None:
    log, anne = JobLog(store), People(store).join("Anne", "student")
    job = log.add(anne.id, "engine.models.quantize:quantize", {"to": "Q8_0", "odd": "\ud800\0é"}, "Q8_0")
    assert log.change(job.id, done=1.5, total=3, state="running")
    found = log.get(job.id, anne.id)
    assert (found.args["odd"], found.done, found.total, found.state) == ("\ud800\0é", 1.5, 3.0, "running")
    with pytest.raises(NotFound):
        log.get(job.id, "local")
    assert log.list("local") == () and len(log.list(states=("running",))) == 1


def test_a_row_of_nobody_is_refused(store: Store) -> None:
    with pytest.raises(StoreFailed) as failure:
        JobLog(store).add("nobody", "task", {})
    assert failure.value.details["reason"] == "unknown_owner"


def test_what_a_transaction_did_is_kept_together(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as connection:
        connection.execute(people.delete())
        raise ZeroDivisionError
    assert People(store).get("local") is not None


def failure_of(open_store: object) -> dict[str, object]:
    with pytest.raises(StoreFailed) as failure:
        open_store()  # type: ignore[operator]
    assert failure.value.code == "store_failed"
    return failure.value.details


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_bytes(b"not a database, but long enough to be looked at " * 50)
    details = failure_of(lambda: Store(sqlite_url(tmp_path)))
    assert details["reason"] == "corrupt"
    assert str(tmp_path) in str(details["where"])


def test_a_damaged_database(tmp_path: Path) -> None:
    store = Store(sqlite_url(tmp_path))
    log = JobLog(store)
    for _ in range(50):
        log.add("local", "task", {"text": "x" * 4000})
    store.compact()
    store.close()
    path = tmp_path / "store.sqlite3"
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(whole)

    def read() -> None:
        with closing(Store(sqlite_url(tmp_path))) as opened:
            JobLog(opened).list()

    assert failure_of(read)["reason"] == "corrupt"


def test_a_full_disk(tmp_path: Path) -> None:
    store = Store(sqlite_url(tmp_path))
    log = JobLog(store)

    def fill() -> None:
        with store.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")  # as many as there are: SQLite's own way to be full
        for _ in range(100):
            log.add("local", "task", {"text": "x" * 10_000})

    assert failure_of(fill)["reason"] == "disk_full"
    store.close()


def test_a_place_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:  # root, who runs the tests in CI, is refused nothing
        patch.setattr(os, "open", refuse)
        details = failure_of(lambda: Store(sqlite_url(tmp_path)))
    assert details["reason"] == "permission_denied"


def test_a_store_that_may_only_be_read(tmp_path: Path) -> None:
    store = Store(sqlite_url(tmp_path))

    def write() -> None:
        with store.read() as connection:
            connection.exec_driver_sql("PRAGMA query_only=1")
            connection.execute(people.delete())

    assert failure_of(write)["reason"] == "permission_denied"
    store.close()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert failure_of(lambda: Store(sqlite_url(tmp_path / "file")))["reason"] == "failed"


def test_an_address_that_is_none_or_needs_a_driver() -> None:
    assert failure_of(lambda: Store("no address"))["reason"] == "driver_missing"
    assert failure_of(lambda: Store("nosuch://host/x"))["reason"] == "driver_missing"


def test_a_password_is_never_told() -> None:
    details = failure_of(lambda: Store("nosuch://me:geheimnis@host/x"))
    assert "geheimnis" not in str(details) and "***" in str(details["where"])


def test_what_was_written_is_in_no_error(store: Store) -> None:
    with pytest.raises(StoreFailed) as failure, store.write() as connection:
        row = {"id": "local", "owner": "nobody", "task": "my private text", "title": "", "args": {}, "state": "x"}
        connection.execute(jobs.insert().values(**row, created=0))
    cause = failure.value.__cause__
    assert "my private text" not in f"{failure.value} {failure.value.details} {cause}"


MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:5 - autofs systemd-1 rw
31 30 0:41 / /home rw,nosuid shared:6 master:1 - {kind} server:/home rw
32 22 8:2 / /home/local rw - xfs /dev/sdb1 rw
33 22 0:42 / /mnt/two\\040words rw - {kind} server:/x rw
"""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("nfs4", True),
        ("nfs", True),
        ("cifs", True),
        ("smb3", True),
        ("fuse.sshfs", True),
        ("fuse.rclone", True),
        ("lustre", True),
        ("ext4", False),
        ("fuseblk", False),
        ("fuse.encfs", False),
        ("overlay", False),
    ],
)
def test_network_file_systems(kind: str, expected: bool, tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTS.format(kind=kind))
    found = {
        folder: places.network_file_system(Path(folder), mountinfo)
        for folder in ("/home/anne/.atelier-llm", "/home/local/anne", "/mnt/two words/x", "/homeless", "/")
    }
    assert list(found.values()) == [kind if expected else None, None, kind if expected else None, None, None]


def test_a_store_on_a_network_warns_and_avoids_wal(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 22 0:41 / {tmp_path} rw - nfs4 server:/home rw\n")
    store = Store(sqlite_url(tmp_path), mountinfo=mountinfo)
    assert store.place_warning() == "network_file_system"
    assert pragma(store, "journal_mode") == "delete"
    store.close()
    with closing(Store(sqlite_url(tmp_path / "x"), mountinfo=tmp_path / "none")) as elsewhere:
        assert elsewhere.place_warning() is None


def test_importing_the_package_costs_no_database() -> None:
    code = "import sys, engine, engine.types, engine.settings; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


class Unsteady:
    """A connection whose first pragmas fail with an error of that code."""

    def __init__(self, code: int, times: int) -> None:
        self.code, self.times, self.said = code, times, list[str]()

    def execute(self, statement: str) -> Any:
        self.said.append(statement)
        if len(self.said) <= self.times:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.code
            raise error
        return SimpleNamespace(close=lambda: None)


def test_an_opening_that_meets_another_process_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.OPEN_PAUSE_S", 0)
    raw: Any = Unsteady(sqlite3.SQLITE_IOERR_SHMMAP, 2)
    _pragma(raw, "journal_mode=WAL")
    assert raw.said == ["PRAGMA journal_mode=WAL"] * 3


@pytest.mark.parametrize(("code", "times"), [(sqlite3.SQLITE_IOERR, 99), (sqlite3.SQLITE_NOTADB, 1)])
def test_what_goes_on_failing_is_raised(monkeypatch: pytest.MonkeyPatch, code: int, times: int) -> None:
    monkeypatch.setattr("engine.store.OPEN_PAUSE_S", 0)
    raw: Any = Unsteady(code, times)
    with pytest.raises(sqlite3.OperationalError):
        _pragma(raw, "journal_mode=WAL")


def test_a_second_store_of_this_process_takes_no_lock_from_the_first(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    first = Store(f"sqlite:///{path}")
    with first.read() as connection:
        connection.execute(people.select())
    Store(f"sqlite:///{path}").close()
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM people').fetchall(); c.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    log = Path(f"{path}-wal")
    assert log.exists()  # another process that ends is not the last one: it must not clear the log away under us
    first.close()
    assert not log.exists()
