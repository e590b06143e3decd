"""Who is here: persons and the API key of each. Knows no cookie, no class code, no request and no page.

A person is a random id. The nickname is for reading only: never unique, never an identity.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from engine.errors import BadInput, NotFound
from engine.person import LOCAL as LOCAL
from engine.person import LOCAL_OWNER, NICKNAME_MAX, Person, PersonRole
from engine.store import Store
from engine.tables import api_keys, people

TOUCH_S = 60.0


@dataclass(frozen=True)
class ApiKey:
    """What may be shown of a key; the key itself is known to its owner alone."""

    id: str
    name: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


def clean_nickname(text: str) -> str:
    """The nickname without blanks around it. Raises BadInput unless it is 1 to 40 printable characters."""
    name = text.strip()
    if not 1 <= len(name) <= NICKNAME_MAX or not name.isprintable():
        raise BadInput("a nickname has 1 to 40 printable characters", what="nickname", low=1, high=NICKNAME_MAX)
    return name


class People:
    """The persons in the store; `gone` is told when some were deleted. Raises StoreFailed."""

    def __init__(
        self, store: Store, *, clock: Callable[[], float] = time.time, gone: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._gone = gone
        self._clock = clock
        self._touched: dict[str, float] = {}

    def join(self, nickname: str, role: PersonRole) -> Person:
        """A new person with a random id of 128 bits, whatever the nickname. Raises BadInput."""
        now = self._clock()
        row = {"id": secrets.token_urlsafe(16), "nickname": clean_nickname(nickname), "role": role}
        with self._store.write() as connection:
            connection.execute(people.insert().values(**row, created=now, last_seen=now))
        return _person({**row, "created": now, "last_seen": now})

    def get(self, person_id: str) -> Person | None:
        """The person with this id, None where there is none (any more)."""
        with self._store.read() as connection:
            row = connection.execute(select(people).where(people.c.id == person_id)).mappings().first()
        return _person(row) if row else None

    def all(self) -> tuple[Person, ...]:
        """Everybody of the class in the order of joining; the person without log-in is not one of them."""
        query = select(people).where(people.c.id != LOCAL_OWNER).order_by(people.c.created)
        with self._store.read() as connection:
            return tuple(_person(row) for row in connection.execute(query).mappings())

    def rename(self, person_id: str, nickname: str) -> Person:
        """The person under another nickname. Raises BadInput, NotFound."""
        name = clean_nickname(nickname)
        with self._store.write() as connection:
            connection.execute(update(people).where(people.c.id == person_id).values(nickname=name))
        found = self.get(person_id)
        if found is None:
            raise NotFound(f"no person {person_id}", what="person", key=person_id)
        return found

    def touch(self, person_id: str) -> None:
        """Note that the person is here; written once a minute at most, so that every request may call it."""
        now = self._clock()
        if now - self._touched.get(person_id, 0.0) < TOUCH_S:
            return
        self._touched[person_id] = now
        with self._store.write() as connection:
            connection.execute(update(people).where(people.c.id == person_id).values(last_seen=now))

    def wipe_class(self) -> int:
        """How many students were deleted, with every row that they own anywhere, down to the bytes on the disk."""
        with self._store.write() as connection:
            count = connection.execute(delete(people).where(people.c.role == "student")).rowcount
        self._store.compact()
        self._touched.clear()
        self._gone()
        return count

    def key_for(self, person: Person, name: str = "", lifetime: timedelta | None = None) -> str:
        """A new API key `ak-…`, to be shown once; the person's earlier key ends. Raises NotFound."""
        if self.get(person.id) is None:
            raise NotFound(f"no person {person.id}", what="person", key=person.id)
        key_id, now = secrets.token_hex(6), self._clock()
        raw = f"ak-{key_id}-{secrets.token_urlsafe(32)}"
        row = {"id": key_id, "owner": person.id, "hash": _digest(raw), "name": name, "created": now}
        expires = now + lifetime.total_seconds() if lifetime else None
        with self._store.write() as connection:
            connection.execute(_end_keys(person.id, now))
            connection.execute(api_keys.insert().values(**row, expires=expires))
        return raw

    def by_key(self, raw: str) -> Person | None:
        """Whose key this is; None for one that is unknown, ended or expired."""
        parts = raw.split("-", 2)
        query = select(api_keys.c.hash, api_keys.c.expires, people).join(people, people.c.id == api_keys.c.owner)
        query = query.where(api_keys.c.id == (parts[1] if len(parts) == 3 else ""), api_keys.c.revoked.is_(None))
        with self._store.read() as connection:
            row = connection.execute(query).mappings().first()
        known = row["hash"] if row else ""
        if not hmac.compare_digest(_digest(raw), known) or row is None:
            return None
        return None if row["expires"] is not None and row["expires"] <= self._clock() else _person(row)

    def keys(self, person: Person) -> tuple[ApiKey, ...]:
        """The person's keys, newest first, the ended ones too; no key text."""
        query = select(api_keys).where(api_keys.c.owner == person.id).order_by(api_keys.c.created.desc())
        with self._store.read() as connection:
            return tuple(_api_key(row) for row in connection.execute(query).mappings())

    def revoke(self, person: Person) -> bool:
        """Whether a key was there to end."""
        with self._store.write() as connection:
            return connection.execute(_end_keys(person.id, self._clock())).rowcount > 0


def _end_keys(owner: str, now: float) -> Any:
    return update(api_keys).where(api_keys.c.owner == owner, api_keys.c.revoked.is_(None)).values(revoked=now)


def _digest(raw: str) -> str:
    # 256 random bits need no salt and no slow hash
    return hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()


def _person(row: Any) -> Person:
    return Person(row["id"], row["nickname"], row["role"], _when(row["created"]), _when(row["last_seen"]))


def _api_key(row: Any) -> ApiKey:
    expires, revoked = (_when(row[name]) if row[name] is not None else None for name in ("expires", "revoked"))
    return ApiKey(row["id"], row["name"], _when(row["created"]), expires, revoked)


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
