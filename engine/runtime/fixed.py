"""A llama.cpp server that somebody else started: no admission, no restart, its window as it tells it. Knows no
process.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from engine.backends.base import Control
from engine.errors import EngineError
from engine.runtime.client import LlamaServer
from engine.types import Loading


class FixedRuntime:
    """The runtime of one such server, for `backends.llamacpp`."""

    gate = None
    load = None

    def __init__(self, server: LlamaServer) -> None:
        self.server = server

    @cached_property
    def _props(self) -> dict[str, Any]:
        return dict(self.server.get("/props"))

    @property
    def window(self) -> int:
        """Tokens of one slot. Raises Unreachable."""
        return int(self._props["default_generation_settings"]["n_ctx"])

    @property
    def slots(self) -> int:
        """How many answers it writes at once. Raises Unreachable."""
        return int(self._props["total_slots"])

    def ready(self, control: Control | None = None) -> Iterator[Loading]:
        """Nothing: it runs or it does not, which the first call tells."""
        return iter(())

    def explain(self, error: EngineError) -> EngineError:
        """The error itself: nothing more is known about a process that is not ours."""
        return error
