"""One run of a cell in a thread of its own, so that the page stays usable and looks at it as often as it likes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from engine.comptine.cell import CellResult
from engine.comptine.running import CellRun, Strip
from engine.comptine.strictly import StrictRun
from engine.errors import EngineError
from engine.types import Event


class Running:
    """A run under way or at its end: `strip` is the answer so far, `waiting` what comes before it.

    At the end `result` or `error` is there; neither means a defect of ours, whose traceback is in the log. `wanted`
    says whether anybody still looks.
    """

    def __init__(self, run: CellRun | StrictRun, wanted: Callable[[], bool]) -> None:
        self.cell, self.model = run.cell, run.model
        self.strip: Strip | None = None
        self.waiting: Event | None = None
        self.result: CellResult | None = None
        self.error: EngineError | None = None
        self.started = time.monotonic()
        self.stopping = False
        self._wanted = wanted
        self._run = run
        self._thread = threading.Thread(target=self._follow, name="comptine-run", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""
        return not self._thread.is_alive()

    @property
    def record(self) -> Mapping[str, Any] | None:
        """The run file that a strict run has written itself, with the card of its own worker."""
        return self._run.record if isinstance(self._run, StrictRun) else None

    def stop(self) -> None:
        """End it; what was said so far is kept."""
        self.stopping = True
        self._run.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it ended within `timeout` seconds."""
        self._thread.join(timeout)
        return self.done

    def _follow(self) -> None:
        try:
            for news in self._run:
                if isinstance(news, Strip):
                    self.strip = news
                elif isinstance(news, CellResult):
                    self.result = news
                else:
                    self.waiting = news
                if not self._wanted():
                    self._run.stop()
        except EngineError as error:
            self.error = error
