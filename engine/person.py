"""A person as a value, for those who only ask who it is. Knows no store, which takes a second to import."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

PersonRole = Literal["student", "teacher"]
NICKNAME_MAX = 40
LOCAL_OWNER = "local"
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Person:
    """Somebody: `id` owns what they store, `nickname` is what others read. `lent`: another acts in their name with less
    than their powers, and reads nothing of theirs that is not shared.
    """

    id: str
    nickname: str
    role: PersonRole
    created: datetime = EPOCH
    last_seen: datetime = EPOCH
    lent: bool = False

    @property
    def reads(self) -> str:
        """In whose name collections are looked up: nobody's, who has the shared ones alone, for who acts on loan."""
        return "" if self.lent else self.id

    @property
    def spends(self) -> str | None:
        """Whose keys of the visit pay for what is asked: nobody's (None), for who acts on loan."""
        return None if self.lent else self.id

    def as_student(self) -> Person:
        """The same with a student's powers; a teacher's name is on loan then."""
        return replace(self, role="student", lent=self.lent or self.role == "teacher")


LOCAL = Person(LOCAL_OWNER, "", "teacher")  # the one person on this machine, without log-in
