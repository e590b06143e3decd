"""Who is here. Knows no key, no cookie, no class code, no request and no page.

A person is a random id. The nickname is for reading only: never unique, never an identity.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update

from engine.errors import BadInput, NotFound
from engine.person import LOCAL as LOCAL
from engine.person import LOCAL_OWNER, NICKNAME_MAX, Person, PersonRole
from engine.store import Store
from engine.tables import people

TOUCH_S = 60.0


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


def _person(row: Any) -> Person:
    return Person(row["id"], row["nickname"], row["role"], _when(row["created"]), _when(row["last_seen"]))


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
