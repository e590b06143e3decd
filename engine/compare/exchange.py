"""Votes leaving and entering the arena: who may have which. Knows no interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.compare import fastchat
from engine.errors import AccessDenied

if TYPE_CHECKING:
    from engine.compare.arena import Arena
    from engine.person import Person


def exported(arena: Arena, person: Person, *, texts: bool = False) -> Iterator[str]:
    """JSON lines in FastChat's shape: of a student the own votes, of the teacher everybody's. Questions and answers
    are their owner's alone: `texts` is a file of the own votes.
    """
    mine = texts or person.role != "teacher"
    kept = [vote for vote in arena.all() if not mine or vote.owner == person.id]
    return fastchat.lines(kept, texts=texts)


def imported(arena: Arena, person: Person, data: bytes, name: str) -> dict[str, int]:
    """How many votes were `read` in a file and how many were `new`; for the teacher, since all see the board. Raises
    AccessDenied, BadFile.
    """
    if person.role != "teacher":
        raise AccessDenied("to bring votes is the teacher's", role="teacher")
    votes = fastchat.read(data, name)
    return {"read": len(votes), "new": arena.add(person.id, votes)}
