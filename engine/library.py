"""Named things that a person keeps (presets, prompts), with the versions they had. Knows no meaning of any."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update

from engine.errors import BadInput, NotFound
from engine.store import Store
from engine.tables import dumps, library

VALUE_MAX = 256 * 1024
NAME_MAX = 200
NAMES_MAX = 500
VERSIONS_MAX = 50


@dataclass(frozen=True)
class Version:
    """One state of a named thing; `number` grows, `created` in seconds since 1970, `note` is what its writer said."""

    number: int
    value: Any
    note: str | None
    created: float


class Library:
    """JSON values by owner, kind and name, each with its last 50 versions. Raises StoreFailed."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def names(self, owner: str, kind: str) -> tuple[str, ...]:
        """The names of this kind, in order."""
        query = select(library.c.name).where(library.c.owner == owner, library.c.kind == kind).distinct()
        with self._store.read() as connection:
            return tuple(sorted(connection.execute(query).scalars(), key=lambda name: (name.casefold(), name)))

    def get(self, owner: str, kind: str, name: str, default: Any = None) -> Any:
        """The present value, `default` where there is none."""
        with self._store.read() as connection:
            row = connection.execute(_versions(owner, kind, name, library.c.value).limit(1)).first()
        return row[0] if row else default

    def all(self, owner: str, kind: str) -> dict[str, Any]:
        """Every present value of this kind by name."""
        newest = func.max(library.c.version).over(partition_by=library.c.name).label("newest")
        mine = (library.c.owner == owner, library.c.kind == kind)
        rows = select(library.c.name, library.c.value, library.c.version, newest).where(*mine).subquery()
        query = select(rows.c.name, rows.c.value).where(rows.c.version == rows.c.newest).order_by(rows.c.name)
        with self._store.read() as connection:
            return {row.name: row.value for row in connection.execute(query)}

    def versions(self, owner: str, kind: str, name: str) -> tuple[Version, ...]:
        """The versions that are kept, newest first; empty where there is nothing of that name."""
        columns = (library.c.version, library.c.value, library.c.note, library.c.created)
        with self._store.read() as connection:
            return tuple(Version(*row) for row in connection.execute(_versions(owner, kind, name, *columns)))

    def put(self, owner: str, kind: str, name: str, value: Any, note: str | None = None) -> int:
        """The number of the new version; the one before where the value is the same.

        Raises BadInput above 256 KiB of JSON, 200 letters of name, 500 names of a kind.
        """
        _check_name(name)
        _check("value", len(dumps(value).encode()), VALUE_MAX)
        with self._store.write() as connection:
            last = connection.execute(_versions(owner, kind, name, library.c.version, library.c.value).limit(1)).first()
            if last is not None and dumps(last.value) == dumps(value):
                return int(last.version)
            if last is None:
                _check("names", _count(connection, owner, kind) + 1, NAMES_MAX)
            number = last.version + 1 if last else 1
            row = {"owner": owner, "kind": kind, "name": name, "version": number, "value": value}
            connection.execute(library.insert().values(**row, note=note, created=self._clock()))
            connection.execute(
                delete(library).where(*_key(owner, kind, name), library.c.version <= number - VERSIONS_MAX)
            )
        return int(number)

    def rename(self, owner: str, kind: str, name: str, new: str) -> None:
        """Give it, and all its versions, another name. Raises NotFound, BadInput where the new name is taken."""
        _check_name(new)
        with self._store.write() as connection:
            if new != name and connection.execute(_versions(owner, kind, new, library.c.version).limit(1)).first():
                raise BadInput(f"{kind} {new} exists already", what="name", reason="taken")
            changed = connection.execute(update(library).where(*_key(owner, kind, name)).values(name=new)).rowcount
        if not changed:
            raise NotFound(f"no {kind} {name}", what=kind, key=name)

    def drop(self, owner: str, kind: str, name: str) -> None:
        """Forget it with all its versions, if it is there."""
        with self._store.write() as connection:
            connection.execute(delete(library).where(*_key(owner, kind, name)))


def _key(owner: str, kind: str, name: str) -> tuple[Any, ...]:
    return library.c.owner == owner, library.c.kind == kind, library.c.name == name


def _versions(owner: str, kind: str, name: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(*_key(owner, kind, name)).order_by(library.c.version.desc())


def _count(connection: Connection, owner: str, kind: str) -> int:
    query = select(func.count(library.c.name.distinct())).where(library.c.owner == owner, library.c.kind == kind)
    return int(connection.execute(query).scalar_one())


def _check_name(name: str) -> None:
    if not name.strip():
        raise BadInput("a name is needed", what="name", reason="empty")
    _check("name", len(name), NAME_MAX)


def _check(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise BadInput(f"{what}: {size} is more than {limit}", what=what, size=size, limit=limit)
