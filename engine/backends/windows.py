"""What servers told of their models' windows, remembered for half a minute, since pages ask often. Knows no server.

A server that does not answer is asked again ten seconds later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engine.errors import EngineError

TOLD_S = 30.0
SILENT_S = 10.0
ASK_S = 2.0  # that a server may take to tell
KEPT = 500


class Windows:
    """Windows in tokens by address and model; whoever asks gives a server `ask_s` seconds. Thread safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, ask_s: float = ASK_S) -> None:
        self.ask_s = ask_s
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], tuple[int | None, float]] = {}

    def of(self, address: str, model: str, ask: Callable[[], int | None], otherwise: int | None = None) -> int | None:
        """What `ask` says, or said a moment ago; `otherwise` where the server fails or does not know."""
        with self._lock:
            window, until = self._told.get((address, model), (None, 0.0))
            if self._clock() < until:
                return otherwise if window is None else window
        try:
            window, seconds = ask(), TOLD_S
        except EngineError:  # the request itself will say so, and better
            window, seconds = None, SILENT_S
        with self._lock:
            while len(self._told) >= KEPT:
                self._told.pop(next(iter(self._told)))
            self._told[address, model] = window, self._clock() + seconds
        return otherwise if window is None else window

    def forget(self, address: str) -> None:
        """Ask that server anew: a model of its was loaded or unloaded."""
        with self._lock:
            self._told = {key: told for key, told in self._told.items() if key[0] != address}
