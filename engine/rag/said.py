"""A fixed text in place of a model's answer, with the events of any other: for when no model may be asked.

Knows no document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.backends.base import Control, Report, Request
from engine.errors import NotSupported
from engine.generation import Generation
from engine.params import Params
from engine.types import Capability, Event, Rendered, TextDelta


class Said:
    """A backend that says its text and nothing else; there is no prompt, and nothing is counted."""

    name = "said"
    capabilities: frozenset[Capability] = frozenset({"cancel"})

    def __init__(self, text: str) -> None:
        self._text = text

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """The text at once."""
        if self._text:
            yield TextDelta(self._text)
        yield Report("stop")

    def body(self, request: Request) -> dict[str, Any]:
        """Nothing is sent."""
        return {}

    def render(self, request: Request) -> Rendered:
        """There is no prompt. Raises NotSupported."""
        raise NotSupported("no model was asked", capability="exact_prompt", backend=self.name)

    def count(self, request: Request) -> int:
        """There is no prompt. Raises NotSupported."""
        raise NotSupported("no model was asked", capability="exact_count", backend=self.name)

    def window(self) -> int | None:
        """None: nothing is read."""
        return None

    def close(self) -> None:
        """Nothing to give back."""


def say(text: str, owner: str, model: str) -> Generation:
    """The text as a Generation; it leaves no trace, since nothing was asked."""
    return Generation(Said(text), Request((), Params(seed=0), owner), model=model)
