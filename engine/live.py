"""An answer as it grows: events gathered into few views, for whoever draws them. Knows no interface."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from engine.types import Event, Finished, Loading, PromptProgress, Queued, ReasoningDelta, TextDelta

UPDATES_PER_SECOND = 10  # the eye sees it flow, and each one takes the cores from the model for some milliseconds
# A page draws the whole text again at every update: above 4 kB less often, so that the model keeps the CPU.
CHARACTERS_PER_SECOND = 80_000


def coalesce(generation: Iterable[Event], per_second: float = UPDATES_PER_SECOND) -> Iterator[tuple[Event, ...]]:
    """Batches of events, at most `per_second` of them and fewer when the text is long; neighbouring texts are joined.

    The first event and the last are never held back.
    """
    batch: list[Event] = []
    drawn, length = float("-inf"), 0
    for event in generation:
        length += len(event.text) if isinstance(event, TextDelta | ReasoningDelta) else 0
        _append(batch, event)
        now = time.monotonic()
        if isinstance(event, Finished) or now - drawn >= max(1 / per_second, length / CHARACTERS_PER_SECOND):
            yield tuple(batch)
            batch, drawn = [], now
    if batch:
        yield tuple(batch)


def _append(batch: list[Event], event: Event) -> None:
    last = batch[-1] if batch else None
    if isinstance(event, TextDelta) and isinstance(last, TextDelta):
        batch[-1] = TextDelta(last.text + event.text, last.logprobs + event.logprobs)
    elif isinstance(event, ReasoningDelta) and isinstance(last, ReasoningDelta):
        batch[-1] = ReasoningDelta(last.text + event.text)
    else:
        batch.append(event)


@dataclass(frozen=True)
class Live:
    """What is on screen while an answer comes: `waiting` is the last thing said before the first text."""

    text: str = ""
    reasoning: str = ""
    waiting: Event | None = None
    finished: Finished | None = None

    def after(self, batch: Iterable[Event]) -> Live:
        """The view after some more events."""
        view = self
        for event in batch:
            view = view._after(event)
        return view

    def _after(self, event: Event) -> Live:
        if isinstance(event, TextDelta):
            return replace(self, text=self.text + event.text, waiting=None)
        if isinstance(event, ReasoningDelta):
            return replace(self, reasoning=self.reasoning + event.text, waiting=None)
        if isinstance(event, Queued | Loading | PromptProgress):
            return replace(self, waiting=event)
        if isinstance(event, Finished):
            return replace(self, finished=event, waiting=None)
        return self


def follow(
    generation: Iterable[Event], per_second: float = UPDATES_PER_SECOND, view: Live | None = None
) -> Iterator[Live]:
    """The growing view of an answer, from `view` on, at most `per_second` times a second."""
    view = view or Live()
    for batch in coalesce(generation, per_second):
        view = view.after(batch)
        yield view
