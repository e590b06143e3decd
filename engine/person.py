"""A person as a value, for those who only ask who it is. Knows no store, which takes a second to import."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

PersonRole = Literal["student", "teacher"]
NICKNAME_MAX = 40
LOCAL_OWNER = "local"
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Person:
    """Somebody: `id` owns what they store, `nickname` is what others read."""

    id: str
    nickname: str
    role: PersonRole
    created: datetime = EPOCH
    last_seen: datetime = EPOCH


LOCAL = Person(LOCAL_OWNER, "", "teacher")  # the one person on this machine, without log-in
