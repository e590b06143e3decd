"""API keys: named, several per person, with an end, a role and quotas per day. Knows no request and no page.

Of a key the store has a public part to find it by and the hash of the whole; the text is told once, to who made it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, func, select, update

from engine.errors import BadInput, NotFound, QuotaSpent
from engine.person import Person, PersonRole
from engine.store import Store
from engine.tables import api_keys, key_usage, people

KeyState = Literal["open", "expired", "revoked"]
NAME_MAX = 80
OPEN_MAX = 200  # of one person
USAGE_DAYS = 90
DAY_S = 86400.0
_SHOWN = ("id", "owner", "name", "role", "requests_per_day", "tokens_per_day")
_DATES = ("created", "expires", "revoked", "last_used")
_NOBODY = "0" * 64  # compared with where there is no such key, so that both cases do the same


@dataclass(frozen=True)
class ApiKey:
    """What may be shown of a key. `role` is what it opens at most (None: all that its owner may), the quotas count per
    day of UTC (None: none); `last_used` is exact to the request.
    """

    id: str
    owner: str
    name: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    role: PersonRole | None = None
    requests_per_day: int | None = None
    tokens_per_day: int | None = None
    last_used: datetime | None = None

    def state(self, now: datetime | None = None) -> KeyState:
        """Whether it still opens."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= (now or datetime.now(UTC)) else "open"


@dataclass(frozen=True)
class Spent:
    """What a key has used on one day."""

    requests: int = 0
    tokens: int = 0


class Keys:
    """The keys in the store. Raises StoreFailed."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def create(
        self,
        person: Person,
        name: str = "",
        *,
        lifetime: timedelta | None = None,
        role: PersonRole | None = None,
        requests_per_day: int | None = None,
        tokens_per_day: int | None = None,
    ) -> tuple[ApiKey, str]:
        """The new key and its text `ak-…`, which nobody can tell again. It acts for that person, and with `role`
        "student" without a teacher's powers and private collections.

        Raises NotFound, BadInput: a name above 80 letters, a quota or lifetime below 1, more than 200 keys that open.
        """
        key_id, now = secrets.token_hex(6), self._clock()
        raw = f"ak-{key_id}-{secrets.token_urlsafe(32)}"
        quotas = {"requests_per_day": requests_per_day, "tokens_per_day": tokens_per_day}
        _check_quotas({**quotas, "lifetime": None if lifetime is None else lifetime.total_seconds()})
        row = {"id": key_id, "owner": person.id, "name": _clean(name), "created": now, "role": role, **quotas}
        row["expires"] = None if lifetime is None else now + lifetime.total_seconds()
        with self._store.write() as connection:
            if connection.execute(select(people.c.id).where(people.c.id == person.id)).first() is None:
                raise NotFound(f"no person {person.id}", what="person", key=person.id)
            query = select(func.count()).where(api_keys.c.owner == person.id, *_opens(now))
            if connection.execute(query).scalar_one() >= OPEN_MAX:
                raise BadInput(f"{OPEN_MAX} keys are open already; end one first", what="keys", limit=OPEN_MAX)
            connection.execute(delete(key_usage).where(key_usage.c.day < _day(now - USAGE_DAYS * DAY_S)))
            connection.execute(api_keys.insert().values(**row, hash=_digest(raw)))
        return _api_key({**row, "revoked": None, "last_used": None}), raw

    def list(self, owner: str | None = None) -> tuple[ApiKey, ...]:
        """The person's keys, everybody's without one, newest first, the ended ones too; no key text."""
        query = select(api_keys).order_by(api_keys.c.created.desc(), api_keys.c.id)
        if owner is not None:
            query = query.where(api_keys.c.owner == owner)
        with self._store.read() as connection:
            return tuple(_api_key(row) for row in connection.execute(query).mappings())

    def revoke(self, key_id: str, owner: str | None = None) -> bool:
        """Whether that key was open until now; with `owner` only if it is theirs. It opens nothing any more."""
        ended = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked.is_(None))
        if owner is not None:
            ended = ended.where(api_keys.c.owner == owner)
        with self._store.write() as connection:
            return connection.execute(ended.values(revoked=self._clock())).rowcount > 0

    def check(self, raw: str) -> tuple[Person, ApiKey] | None:
        """Whose key this is, with the powers that it gives; None for one that is unknown, ended or expired. Takes the
        same time wherever the text differs.
        """
        parts = raw.split("-", 2)
        wanted = parts[1] if len(parts) == 3 else ""
        owner = (people.c.nickname, people.c.role.label("owner_role"), people.c.created.label("joined"))
        query = select(api_keys, *owner, people.c.last_seen).join(people, people.c.id == api_keys.c.owner)
        with self._store.read() as connection:
            row = connection.execute(query.where(api_keys.c.id == wanted)).mappings().first()
        same = hmac.compare_digest(_digest(raw), row["hash"] if row else _NOBODY)
        if not same or row is None:
            return None
        key = _api_key(row)
        return (_person(row, key), key) if key.state(_when(self._clock())) == "open" else None

    def charge(self, key: ApiKey) -> None:
        """Count one request of today. Raises QuotaSpent, and counts nothing, where a quota is used up.

        Tokens are known afterwards only: the request that goes beyond their quota is answered, the next one is not.
        """
        now = self._clock()
        with self._store.write() as connection:
            # written before it is read, so that no other process can come in between
            spent = self._add(connection, key, now, requests=1)
            _check("requests", key.requests_per_day, spent.requests - 1, now)
            _check("tokens", key.tokens_per_day, spent.tokens, now)
            connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(last_used=now))

    def add(self, key: ApiKey, tokens: int) -> None:
        """Count tokens of today, prompt and answer together."""
        if tokens > 0:
            with self._store.write() as connection:
                self._add(connection, key, self._clock(), tokens=tokens)

    def spent(self) -> Mapping[str, Spent]:
        """What each key has used today, by its id."""
        query = select(key_usage).where(key_usage.c.day == _day(self._clock()))
        with self._store.read() as connection:
            rows = connection.execute(query).mappings()
            return {row["key"]: Spent(row["requests"], row["tokens"]) for row in rows}

    def _add(self, connection: Any, key: ApiKey, now: float, *, requests: int = 0, tokens: int = 0) -> Spent:
        today = key_usage.c.key == key.id, key_usage.c.day == _day(now)
        more = {"requests": key_usage.c.requests + requests, "tokens": key_usage.c.tokens + tokens}
        if not connection.execute(update(key_usage).where(*today).values(**more)).rowcount:
            row = {"key": key.id, "day": _day(now), "owner": key.owner}
            self._store.upsert(connection, key_usage, {**row, "requests": requests, "tokens": tokens})
        row = connection.execute(select(key_usage).where(*today)).mappings().one()
        return Spent(row["requests"], row["tokens"])


def _opens(now: float) -> list[Any]:
    return [api_keys.c.revoked.is_(None), api_keys.c.expires.is_(None) | (api_keys.c.expires > now)]


def _check(quota: str, limit: int | None, spent: int, now: float) -> None:
    if limit is not None and spent >= limit:
        wait = int(DAY_S - now % DAY_S) + 1
        message = f"this key may use {limit} {quota} per day, and has used {spent}"
        raise QuotaSpent(message, quota=quota, limit=limit, spent=spent, retry_after=wait)


def _check_quotas(given: Mapping[str, float | None]) -> None:
    for name, value in given.items():
        if value is not None and not 1 <= value < 2**62:
            raise BadInput(f"{name}: {value} is not a number from 1 on", what=name, size=value)


def _clean(name: str) -> str:
    text = name.strip()
    if len(text) > NAME_MAX or not text.isprintable():
        raise BadInput(f"a key's name has at most {NAME_MAX} printable characters", what="name", limit=NAME_MAX)
    return text


def _digest(raw: str) -> str:
    # 256 random bits need no salt and no slow hash
    return hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()


def _person(row: Any, key: ApiKey) -> Person:
    person = Person(row["owner"], row["nickname"], row["owner_role"], _when(row["joined"]), _when(row["last_seen"]))
    return person.as_student() if key.role == "student" else person


def _api_key(row: Any) -> ApiKey:
    told: dict[str, Any] = {name: row[name] for name in _SHOWN}
    return ApiKey(**told | {name: _when(row[name]) for name in _DATES if row[name] is not None})


def _day(seconds: float) -> str:
    return _when(seconds).strftime("%Y-%m-%d")


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
