"""Keys that people brought for this visit, for models and embedders behind an endpoint: in the memory of this process
alone. Knows no store, and writes none into a log or a file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engine.errors import BadInput, NotFound
from engine.rag.embedders import REMOTE, host_of

VISIT_S = 12 * 3600.0  # after its last use
LENGTH_MAX = 500  # characters
PEOPLE_MAX = 1000


class VisitKeys:
    """Each person's keys by whom they are for: a key goes to the one endpoint that it was given for. Thread safe.

    A name is that of a model ("mistral/small") or of an embedder ("openai:mistral:mistral-embed"): both are of the
    endpoint "mistral", and one key serves them. `where` tells the addresses of an endpoint, by the id of its row: once
    they are others, whichever process was told so, the key is for nobody.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, where: Callable[[str], object] = lambda _: None
    ) -> None:
        self._clock = clock
        self._where = where
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, tuple[str, float, object]]] = {}

    def put(self, owner: str, name: str, key: str) -> None:
        """Remember it for all models of that name's endpoint; "" forgets it. Raises BadInput, NotFound."""
        key, host = key.strip(), endpoint_of(name)
        if not key.isascii() or not key.isprintable() or len(key) > LENGTH_MAX:
            raise BadInput("this is no key", what="key")
        there = self._where(host)
        with self._lock:
            mine = self._keys.pop(owner, {})
            mine.pop(host, None)
            if key:
                mine[host] = key, self._clock(), there
            if mine:
                self._keys[owner] = mine  # the last to come is the last to go
            while len(self._keys) > PEOPLE_MAX:
                self._keys.pop(next(iter(self._keys)))

    def of(self, owner: str, name: str) -> str | None:
        """The person's key for that model or embedder; None where there is none, or unused for twelve hours."""
        if not name.startswith(REMOTE) and "/" not in name:
            return None
        host = endpoint_of(name)
        if host not in self._keys.get(owner, {}):
            return None
        there = self._where(host)
        with self._lock:
            key, used, given_for = self._keys.get(owner, {}).get(host, (None, 0.0, None))
            if key is None:
                return None
            if self._clock() - used > VISIT_S or there != given_for:
                del self._keys[owner][host]
                return None
            self._keys[owner][host] = key, self._clock(), there
            return key

    def has(self, owner: str, name: str) -> bool:
        """Whether there is one: all that an interface has to know."""
        return self.of(owner, name) is not None

    def forget(self, owner: str) -> None:
        """The visit is over."""
        with self._lock:
            self._keys.pop(owner, None)

    def forget_endpoint(self, row: str) -> None:
        """That endpoint is another one now: nobody gave a key for it."""
        with self._lock:
            for mine in self._keys.values():
                mine.pop(row, None)


def endpoint_of(name: str) -> str:
    """The endpoint of a model or an embedder: the id of its row, or the address that was typed. Raises NotFound."""
    if name.startswith(REMOTE):
        return host_of(name)
    row, slash, model = name.partition("/")
    if not (row and slash and model):
        raise NotFound(f"{name!r} is behind no endpoint", what="endpoint", key=name)
    return row
