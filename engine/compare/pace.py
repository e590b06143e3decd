"""How many requests one provider gets at once, and when it may be asked again after it said "too many".

Knows no request and no provider.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WAIT_MAX_S = 60.0  # however long Retry-After says
FIRST_WAIT_S = 1.0  # where it says nothing; doubled each time
CALM = 10  # answers in a row after which one more may be under way


class Pace:
    """At most `at_once` under way, half as many after each refusal, one more after ten answers. Thread safe."""

    def __init__(
        self, at_once: int, *, wait_max: float = WAIT_MAX_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.at_once = self._allowed = at_once
        self._wait_max = wait_max
        self._clock = clock
        self._under_way = 0
        self._not_before = 0.0
        self._refusals = self._answers = 0
        self._stopped = False
        self._changed = threading.Condition()
        self.waited = 0.0

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether it is one's turn, once it is; False after `stop`."""
        with self._changed:
            while not self._stopped:
                left = self._not_before - self._clock()
                if left <= 0 and self._under_way < self._allowed:
                    break
                self._changed.wait(left if left > 0 else None)
            mine = not self._stopped
            self._under_way += mine
        try:
            yield mine
        finally:
            with self._changed:
                self._under_way -= mine
                self._changed.notify_all()

    def refused(self, retry_after: float | None) -> float:
        """Seconds until the next request: as told, or longer each time where nothing was told, at most `wait_max`."""
        with self._changed:
            told = FIRST_WAIT_S * 2**self._refusals if retry_after is None else max(0.0, retry_after)
            wait = min(told, self._wait_max)
            before = max(self._not_before, self._clock())
            self._not_before = max(self._not_before, self._clock() + wait)
            self.waited += max(0.0, self._not_before - before)
            self._refusals, self._answers = min(self._refusals + 1, 16), 0
            self._allowed = max(1, self._allowed // 2)
            self._changed.notify_all()
            return wait

    def answered(self) -> None:
        """A request came through."""
        with self._changed:
            self._refusals, self._answers = 0, self._answers + 1
            if self._answers >= CALM and self._allowed < self.at_once:
                self._allowed, self._answers = self._allowed + 1, 0
                self._changed.notify_all()

    def stop(self) -> None:
        """Nobody waits any longer."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
