"""What was measured, kept by person: named by time and title, newest first. Knows no measurement.

They lie in the library beside presets and prompts; its limits hold (256 KiB each, 500 of a kind: the oldest go).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from engine.errors import BadParameter, NotFound
from engine.library import NAME_MAX, NAMES_MAX

if TYPE_CHECKING:
    from engine.library import Library

Kind = Literal["perplexity", "divergence", "speed", "evaluation", "quantizations"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Kept:
    """One result: `name` is unique among its kind, `created` is UTC as ISO 8601, `title` what its maker called it."""

    kind: Kind
    name: str
    created: str
    title: str


class Results:
    """The results of one person. Raises StoreFailed."""

    def __init__(self, library: Library, owner: str, *, clock: Callable[[], float] = time.time) -> None:
        self._library = library
        self._owner = owner
        self._clock = clock

    def keep(self, kind: Kind, title: str, result: Mapping[str, Any], *, at: float | None = None) -> Kept:
        """The result, kept with its card in it; once, where time (`at`, else now) and title are the same.

        Raises BadInput above 256 KiB of JSON.
        """
        now = stamp(self._clock() if at is None else at)
        made = _kept(kind, f"{now} {' '.join(title.split())}"[:NAME_MAX])
        for old in self.list(kind)[NAMES_MAX - 1 :]:
            if old.name != made.name:
                self.drop(kind, old.name)
        self._library.put(self._owner, _key(kind), made.name, dict(result))
        return made

    def list(self, *kinds: Kind) -> tuple[Kept, ...]:
        """What is kept of these kinds, or of all, newest first; without the values, which are read one by one."""
        found = [_kept(kind, name) for kind in kinds or KINDS for name in self._library.names(self._owner, _key(kind))]
        return tuple(sorted(found, key=lambda one: one.created, reverse=True))

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        """One result. Raises NotFound."""
        found = self._library.get(self._owner, _key(kind), name)
        if found is None:
            raise NotFound(f"no {kind} {name}", what=kind, key=name)
        return dict(found)

    def drop(self, kind: Kind, name: str) -> None:
        """Forget it, if it is there."""
        self._library.drop(self._owner, _key(kind), name)


def stamp(seconds: float) -> str:
    """What `created` says of something kept at that time, in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _kept(kind: Kind, name: str) -> Kept:
    created, _, title = name.partition(" ")
    return Kept(kind, name, created, title)


def _key(kind: Kind) -> str:
    if kind not in KINDS:
        raise BadParameter(f"kind={kind!r}", name="kind", value=kind, choices=list(KINDS), low=None, high=None)
    return f"quality/{kind}"
