"""What every page, tab and route of this process shares: its options, its one engine, and who is asking.

Knows no framework: who is asking comes as a mapping of request headers.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from apps.options import Options
from engine.errors import AccessDenied
from engine.person import LOCAL, Person

if TYPE_CHECKING:
    from apps.classroom import Classroom
    from apps.extra_port import ExtraPort
    from engine.engine import Engine

PERSON_HEADER = "x-atelier-person"


Made = TypeVar("Made")


class Once(Generic[Made]):
    """A function that runs once in a process even when two threads ask first at the same moment, unlike
    `functools.cache`.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        functools.update_wrapper(self, make)
        self._make = functools.cache(make)
        self._lock = threading.RLock()

    def __call__(self) -> Made:
        with self._lock:
            return self._make()

    def cache_clear(self) -> None:
        """Forget the result; the next call makes another one."""
        self._make.cache_clear()


@Once
def options() -> Options:
    """The options of this process; `apps.server` has put its command line into the environment before."""
    return Options.from_env(os.environ)


@Once
def engine() -> Engine:
    """The one engine of this process, built at the first call; command lines and notebooks may attach to it."""
    from engine.engine import Engine

    return Engine(serve=True)


@Once
def extra_port() -> ExtraPort:
    """The second address of this process's server."""
    from apps.extra_port import ExtraPort

    return ExtraPort()


@Once
def classroom() -> Classroom:
    """The codes and cookies of the class that this process serves."""
    from apps.classroom import Classroom

    return Classroom(engine().settings.home / "class.json")


def person_of(headers: Mapping[str, str]) -> Person:
    """Who sent a request with these headers; the guard has dropped what a client claimed and put its own finding in.

    Raises AccessDenied where a code is needed and the guard saw none.
    """
    if not options().guarded:
        return LOCAL
    found = engine().people.get(headers.get(PERSON_HEADER) or "")
    if found is None:
        raise AccessDenied("no valid class cookie", role="student")
    return found


def require(person: Person, role: Literal["student", "teacher"] = "teacher") -> Person:
    """The person, if they have the role. Raises AccessDenied."""
    if role == "teacher" and person.role != "teacher":
        raise AccessDenied(f"only a {role} may do this", role=role)
    return person
