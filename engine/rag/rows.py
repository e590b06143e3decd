"""The rows of a collection's files and of its versions. Knows no folder, no chunk and no right."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePath
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, select, update

from engine.errors import NotFound
from engine.store import Store
from engine.tables import collection_files, collection_versions, collections

FileState = Literal["waiting", "done", "failed"]
VERSIONS_MAX = 10
_UNREAD: dict[str, Any] = {
    "state": "waiting", "pages": None, "characters": None, "chunks": None, "warnings": [], "error": None
}  # fmt: skip


@dataclass(frozen=True)
class CollectionFile:
    """What was read of one file; `error` is an EngineError's dict where it could not be."""

    id: str
    name: str
    source: str  # "path:…", "url:…", "upload:…", "text:…", "zip:…!…": who adds the same source again replaces the file
    root: str
    stamp: str | None
    sha256: str
    bytes: int
    state: FileState
    pages: int | None = None
    characters: int | None = None
    chunks: int | None = None
    warnings: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = field(default=None)


@dataclass(frozen=True)
class CollectionVersion:
    """One state that a collection had after an indexing and can go back to; `created` in seconds since 1970."""

    number: int
    created: float
    files: int
    chunks: int


def for_readers(file: CollectionFile) -> CollectionFile:
    """The same as whoever does not own it may see it: where it lies on the owner's machine is not told, its name is."""
    if not file.root.startswith("path:"):
        return file
    place = file.root.removeprefix("path:")
    error = _without(place, file.error) if file.error is not None else None
    return replace(file, root=f"path:{PurePath(place).name}", source=f"path:{file.name}", error=error)


def _without(place: str, error: Mapping[str, Any]) -> dict[str, Any]:
    """The error's dict with the last part of that path in place of the whole."""

    def short(value: Any) -> Any:
        return value.replace(place, PurePath(place).name) if isinstance(value, str) else value

    details = {name: short(value) for name, value in error.get("details", {}).items()}
    return {**error, "message": short(error.get("message", "")), "details": details}


def file_id(source: str) -> str:
    """The id of the file that comes from there, the same in every collection."""
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:24]


class FileRows:
    """Files and versions by collection. Raises StoreFailed."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def list(self, collection: str, state: FileState | None = None) -> tuple[CollectionFile, ...]:
        """The files by name, in that state only where one is given."""
        query = select(collection_files).where(collection_files.c.collection == collection)
        if state is not None:
            query = query.where(collection_files.c.state == state)
        with self._store.read() as connection:
            found = [_file(row) for row in connection.execute(query).mappings()]
        return tuple(sorted(found, key=lambda file: (file.name, file.id)))

    def get(self, collection: str, key: str) -> CollectionFile:
        """One file. Raises NotFound."""
        query = select(collection_files).where(*_one(collection, key))
        with self._store.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"no file {key}", what="file", key=key)
        return _file(row)

    def put(self, collection: str, *, source: str, sha256: str, again: bool = False, **values: Any) -> bool:
        """Whether the file is to be read: it is new, its contents are not those that were read last, or `again`.

        Raises NotFound for a collection that is gone.
        """
        key = file_id(source)
        with self._store.write() as connection:
            known = connection.execute(select(collection_files).where(*_one(collection, key))).mappings().first()
            same = known is not None and known["sha256"] == sha256 and known["state"] != "waiting" and not again
            row = {"source": source, "sha256": sha256, **values} | ({} if same else _UNREAD)
            if known is not None:
                connection.execute(update(collection_files).where(*_one(collection, key)).values(**row))
            else:
                owner = _owner(connection, collection)
                connection.execute(collection_files.insert().values(collection=collection, id=key, owner=owner, **row))
        return not same

    def change(self, collection: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Write some columns of some files, together."""
        with self._store.write() as connection:
            for key, values in changes.items():
                connection.execute(update(collection_files).where(*_one(collection, key)).values(**values))

    def remove(self, collection: str, keys: Sequence[str]) -> None:
        """Forget these files."""
        with self._store.write() as connection:
            for key in keys:
                connection.execute(delete(collection_files).where(*_one(collection, key)))

    def bytes(self, collection: str) -> int:
        """Size of all originals together."""
        query = select(func.coalesce(func.sum(collection_files.c.bytes), 0))
        with self._store.read() as connection:
            return int(connection.execute(query.where(collection_files.c.collection == collection)).scalar_one())

    def versions(self, collection: str) -> tuple[CollectionVersion, ...]:
        """The versions that are kept, newest first."""
        with self._store.read() as connection:
            rows = connection.execute(_versions(collection)).mappings().all()
        return tuple(_version(row) for row in rows)

    def keep_version(self, collection: str) -> tuple[int, tuple[int, ...]]:
        """The number of the present state, which is kept from now on, and the numbers that are kept no longer."""
        query = select(collection_files).where(collection_files.c.collection == collection)
        with self._store.write() as connection:
            numbers = [row["number"] for row in connection.execute(_versions(collection)).mappings()]
            number = max(numbers, default=0) + 1
            rows = [dict(row) for row in connection.execute(query).mappings()]
            row = {"collection": collection, "number": number, "owner": _owner(connection, collection)}
            connection.execute(collection_versions.insert().values(**row, created=self._clock(), files=rows))
            old = tuple(numbers[VERSIONS_MAX - 1 :])
            connection.execute(delete(collection_versions).where(
                collection_versions.c.collection == collection, collection_versions.c.number.in_(old)
            ))  # fmt: skip
        return number, old

    def begin_rollback(self, collection: str, number: int) -> None:
        """Put the files of that version in place of the present ones, those that differ as waiting: should the chunks
        not follow, the next indexing makes them. Raises NotFound.
        """
        with self._store.write() as connection:
            rows = connection.execute(_versions(collection, number)).mappings().first()
            if rows is None:
                raise NotFound(f"no version {number}", what="version", key=number)
            present = select(collection_files).where(collection_files.c.collection == collection)
            same = {(row["id"], row["sha256"], row["state"]) for row in connection.execute(present).mappings()}
            connection.execute(delete(collection_files).where(collection_files.c.collection == collection))
            for row in rows["files"]:
                changed = {} if (row["id"], row["sha256"], row["state"]) in same else {"state": "waiting"}
                connection.execute(collection_files.insert().values(**row | changed))

    def end_rollback(self, collection: str, number: int) -> None:
        """The states of that version: its chunks are there."""
        with self._store.write() as connection:
            rows = connection.execute(_versions(collection, number)).mappings().first()
            for row in rows["files"] if rows is not None else ():
                statement = update(collection_files).where(*_one(collection, row["id"]))
                connection.execute(statement.values(state=row["state"]))

    def contents(self, collection: str) -> frozenset[str]:
        """The SHA-256 of all that a present file or a version needs."""
        with self._store.read() as connection:
            query = select(collection_files.c.sha256).where(collection_files.c.collection == collection)
            found = set(connection.execute(query).scalars())
            for row in connection.execute(_versions(collection)).mappings():
                found |= {file["sha256"] for file in row["files"]}
        return frozenset(found)


def _one(collection: str, key: str) -> tuple[Any, ...]:
    return collection_files.c.collection == collection, collection_files.c.id == key


def _versions(collection: str, number: int | None = None) -> Any:
    query = select(collection_versions).where(collection_versions.c.collection == collection)
    if number is not None:
        query = query.where(collection_versions.c.number == number)
    return query.order_by(collection_versions.c.number.desc())


def _owner(connection: Connection, collection: str) -> str:
    found = connection.execute(select(collections.c.owner).where(collections.c.id == collection)).scalar()
    if found is None:
        raise NotFound(f"no collection {collection}", what="collection", key=collection)
    return str(found)


def _file(row: Mapping[Any, Any]) -> CollectionFile:
    values = {one.name: row[one.name] for one in fields(CollectionFile)}
    return CollectionFile(**values | {"warnings": tuple(row["warnings"])})


def _version(row: Mapping[Any, Any]) -> CollectionVersion:
    chunks = sum(file["chunks"] or 0 for file in row["files"])
    return CollectionVersion(row["number"], row["created"], len(row["files"]), chunks)
