"""How often somebody may ask: one leaky bucket for each name, in the memory of this process. Knows no request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

NAMES_MAX = 10_000
MINUTE_S = 60.0


class Rates:
    """At most `per_minute` requests of a name at once, and as many again in each minute. Thread safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._full: dict[str, float] = {}  # when the bucket of a name is empty again

    def take(self, name: str, per_minute: int) -> float:
        """Seconds until the next request of that name is allowed; 0: this one is, and is counted."""
        if per_minute <= 0:
            return 0.0
        now, one = self._clock(), MINUTE_S / per_minute
        with self._lock:
            until = max(self._full.get(name, now), now) + one
            if until - now > MINUTE_S + 1e-6:
                return until - now - MINUTE_S
            self._full[name] = until
            if len(self._full) > NAMES_MAX:
                self._full = {who: when for who, when in self._full.items() if when > now}
            return 0.0
