"""The blind pairs that are open in browsers, of each person a few. Knows no widget; who they are stays here.

Gradio sends a page what lies in its components; so a page keeps an id only, and the pair lies here under its owner.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

from engine.compare.arena import Vote
from engine.compare.blind import Blind, Look
from engine.engine import Engine
from engine.person import Person

PER_PERSON = 4
AT_ALL = 300
UNSEEN_S = 20.0  # a busy machine may take that long to ask for the next look


class Pair:
    """A pair, what was voted on it, and until when somebody is sure to look at it; after that it is stopped."""

    def __init__(self, engine: Engine, person: Person, question: str, tag: str) -> None:
        self._until = time.monotonic() + UNSEEN_S
        self.blind = Blind(engine, person, question, tag=tag, wanted=lambda: time.monotonic() < self._until)
        self.vote: Vote | None = None

    def looks(self) -> Iterator[Look]:
        """Its looks until the end; both answers are stopped with this iterator."""
        try:
            for look in self.blind.looks():
                self._until = time.monotonic() + UNSEEN_S
                yield look
        finally:
            self.blind.stop()


class Pairs:
    """Open pairs by owner and id; those used longest ago are stopped and let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], Pair] = OrderedDict()

    def keep(self, owner: str, pair: Pair) -> str:
        """Its id, under which only that owner finds it."""
        name = secrets.token_urlsafe(9)
        with self._lock:
            self._open[owner, name] = pair
            own = [key for key in self._open if key[0] == owner]
            gone = [self._open.pop(key) for key in {*own[:-PER_PERSON], *list(self._open)[:-AT_ALL]}]
        for one in gone:
            one.blind.stop()
        return name

    def find(self, owner: str, name: str) -> Pair | None:
        """The person's pair; another's id finds nothing."""
        with self._lock:
            return self._open.get((owner, name))
