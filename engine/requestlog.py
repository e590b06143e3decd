"""Who asked the served API for what, and what came of it: numbers and names of ours, never a text of a request or an
answer. Knows no request.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sqlalchemy import delete, func, select

from engine.errors import StoreFailed
from engine.store import Store
from engine.tables import request_log

Level = Literal["info", "warning", "error"]
LEVELS: dict[Level, int] = {"info": 0, "warning": 400, "error": 500}  # the lowest status of each
KEPT = 20_000
PRUNE_EVERY = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """One request: `route` is one of ours ("other" for none), `model` an id of the catalogue, `error` a code, `key` the
    id of an API key; `time` in seconds since 1970, `duration` in seconds. `seq` grows with time.
    """

    owner: str
    route: str
    status: int
    duration: float
    key: str | None = None
    model: str | None = None
    error: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    time: float = field(default_factory=time.time)
    seq: int = 0

    @property
    def level(self) -> Level:
        """How bad it is: from status 400 a warning, from 500 an error."""
        return next(level for level in ("error", "warning", "info") if self.status >= LEVELS[level])

    @property
    def tokens(self) -> int:
        """Of prompt and answer together, as far as they are known."""
        return (self.prompt_tokens or 0) + (self.completion_tokens or 0)


class RequestLog:
    """The newest 20,000 requests, a little more between two prunings."""

    def __init__(self, store: Store, *, kept: int = KEPT, prune_every: int = PRUNE_EVERY) -> None:
        self._store = store
        self._kept = kept
        self._prune_every = prune_every
        self._lock = threading.Lock()
        self._added = 0

    def add(self, served: Served) -> None:
        """Keep it. A store that fails costs no answer; the program's log says so."""
        row = {name: value for name, value in asdict(served).items() if name != "seq"}
        try:
            with self._store.write() as connection:
                connection.execute(request_log.insert().values(**row))
            if self._prunes():
                self.prune()
        except StoreFailed as error:
            log.warning("a request was not logged: %s (%s)", error.message, error.details.get("reason"))

    def list(
        self,
        owner: str | None = None,
        *,
        key: str | None = None,
        level: Level = "info",
        after: int = 0,
        limit: int = 200,
    ) -> tuple[Served, ...]:
        """The last `limit` ones behind number `after`, oldest first: of a person (None: everybody), of a key, of this
        level and worse. Raises StoreFailed.
        """
        query = select(request_log).where(request_log.c.seq > after, request_log.c.status >= LEVELS[level])
        for column, value in ((request_log.c.owner, owner), (request_log.c.key, key)):
            query = query if value is None else query.where(column == value)
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(request_log.c.seq.desc()).limit(limit)).mappings()
            return tuple(Served(**row) for row in list(rows)[::-1])

    def prune(self) -> int:
        """How many of the oldest went. Raises StoreFailed."""
        with self._store.write() as connection:
            newest = connection.execute(select(func.max(request_log.c.seq))).scalar() or 0
            old = delete(request_log).where(request_log.c.seq <= newest - self._kept)
            return int(connection.execute(old).rowcount)

    def _prunes(self) -> bool:
        with self._lock:
            self._added += 1
            return self._added % self._prune_every == 0


def totals(rows: tuple[Served, ...], by: Callable[[Served], Any]) -> dict[Any, tuple[int, int]]:
    """Requests and tokens of these rows, grouped by what `by` says of each, in the order of first appearance."""
    sums: dict[Any, tuple[int, int]] = {}
    for row in rows:
        requests, tokens = sums.get(by(row), (0, 0))
        sums[by(row)] = requests + 1, tokens + row.tokens
    return sums
