"""Keys that people brought for this visit, for embedders behind an endpoint: in the memory of this process alone. Knows
no store, and writes none into a log or a file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engine.errors import BadInput
from engine.rag.embedders import REMOTE, host_of

VISIT_S = 12 * 3600.0  # after its last use
LENGTH_MAX = 500  # characters
PEOPLE_MAX = 1000


class VisitKeys:
    """Each person's keys by whom they are for: a key goes to the one endpoint that it was given for. Thread safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, tuple[str, float]]] = {}

    def put(self, owner: str, embedder: str, key: str) -> None:
        """Remember it for all models of that embedder's endpoint; "" forgets it. Raises BadInput, NotFound."""
        key, host = key.strip(), host_of(embedder)
        if not key.isascii() or not key.isprintable() or len(key) > LENGTH_MAX:
            raise BadInput("this is no key", what="key")
        with self._lock:
            mine = self._keys.pop(owner, {})
            mine.pop(host, None)
            if key:
                mine[host] = key, self._clock()
            if mine:
                self._keys[owner] = mine  # the last to come is the last to go
            while len(self._keys) > PEOPLE_MAX:
                self._keys.pop(next(iter(self._keys)))

    def of(self, owner: str, embedder: str) -> str | None:
        """The person's key for that embedder; None where there is none, or it was not used for twelve hours."""
        if not embedder.startswith(REMOTE):
            return None
        host = host_of(embedder)
        with self._lock:
            key, used = self._keys.get(owner, {}).get(host, (None, 0.0))
            if key is None:
                return None
            if self._clock() - used > VISIT_S:
                del self._keys[owner][host]
                return None
            self._keys[owner][host] = key, self._clock()
            return key

    def has(self, owner: str, embedder: str) -> bool:
        """Whether there is one: all that an interface has to know."""
        return self.of(owner, embedder) is not None

    def forget(self, owner: str) -> None:
        """The visit is over."""
        with self._lock:
            self._keys.pop(owner, None)
