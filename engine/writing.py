"""An answer under way: a thread reads it and keeps what has come, whoever is looking. Knows no conversation and no
interface.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.conversation import Node
from engine.errors import EngineError, StoreFailed
from engine.generation import HEARTBEAT_S, Generation
from engine.live import Live, follow
from engine.types import Event, ReasoningDelta, Result, TextDelta

log = logging.getLogger(__name__)

JOURNAL_EVERY_S = 0.4  # a crash may cost half a second of text
LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Begun:
    """A generation that runs, the record of what a window policy left out of its prompt, and that of the passages it is
    made from.
    """

    generation: Generation
    window: Mapping[str, Any] | None = None
    grounding: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Task:
    """What a Writing needs of its surroundings: `begin` may load a model and count, `journal` keeps text and reasoning,
    `finish` is told the end, and `wanted` says whether anybody still wants it.
    """

    begin: Callable[[Callable[[], bool]], Begun]
    journal: Callable[[str, str], None]
    finish: Callable[[Writing], None]
    wanted: Callable[[], bool]


class Writing:
    """An answer under way in a thread of its own. It outlives the run of a page that asked for it: any later run draws
    it from where it is. Once nobody wants it any more it is stopped.
    """

    def __init__(self, node: Node, task: Task) -> None:
        self.node = node  # as it was when it began; with text where an answer is continued
        self.started = time.monotonic()
        self.stopping = False
        self.error: EngineError | None = None
        self.result: Result | None = None
        self.pace: list[tuple[float, int]] = []  # seconds since the beginning, pieces of text that have come until then
        self._task = task
        self._begun: Begun | None = None
        self._news = threading.Condition()
        self._view, self._number = Live(text=node.content, reasoning=node.reasoning), 0
        self._done = False
        self._text, self._thought = [node.content], [node.reasoning]
        self._kept = self._looked = self.started
        self._unkept = False
        threading.Thread(target=self._read, name="writing", daemon=True).start()

    @property
    def node_id(self) -> str:
        """The message that is being written."""
        return self.node.id

    @property
    def grounding(self) -> Mapping[str, Any] | None:
        """The record of the passages that it is made from, as soon as they are found."""
        return self._begun.grounding if self._begun else self.node.grounding

    @property
    def view(self) -> Live:
        """How it looks now."""
        return self._view

    def views(self) -> Iterator[Live]:
        """The growing view as it is now, then at every change and at least every 0.2 s; ends with the answer."""
        seen, done = -1, False
        while not done:
            with self._news:
                self._news.wait_for(lambda: self._done or self._number != seen, HEARTBEAT_S)  # noqa: B023
                view, seen, done = self._view, self._number, self._done
            yield view

    def stop(self) -> None:
        """Ask for its end; what was written stays."""
        self.stopping = True
        if self._begun is not None:
            self._begun.generation.stop()

    def ended(self) -> None:
        """Wait for the end, whatever it is."""
        with self._news:
            self._news.wait_for(lambda: self._done)

    def wait(self) -> Node:
        """The message as it was written, once it has ended. Raises EngineError when nothing came of it."""
        self.ended()
        if self.error is not None and self.empty:
            raise self.error
        return self.written()

    @property
    def empty(self) -> bool:
        """Whether it ended by an error or a stop before anything was written: there is no answer then."""
        result = self.result
        if result is None:
            return True
        return result.outcome in ("failed", "user_stopped") and not (result.text or result.reasoning)

    def written(self) -> Node:
        """The message with what came, as far as it has."""
        result = self.result
        if result is None:
            return replace(self.node, content="".join(self._text), reasoning="".join(self._thought))
        return replace(
            self.node,
            content=self.node.content + result.text,
            reasoning=self.node.reasoning + result.reasoning,
            outcome=result.outcome,
            stats=result.stats.export(result.outcome, result.usage),
            usage=result.usage.to_dict(),
            trace_id=result.trace_id,
            error=result.error.to_dict() if result.error else None,
            window=self._begun.window if self._begun else None,
            grounding=self.grounding,
            tokens=(*self.node.tokens, *result.logprobs),
            state="interrupted" if result.outcome == "failed" else "done",
        )

    def _read(self) -> None:
        try:
            self._follow()
        except EngineError as error:
            self.error = error
        except BaseException:  # a defect: its traceback goes to the thread's hook, and the page must not wait for ever
            self.error = EngineError("internal error; see the log")
            raise
        finally:
            try:
                self._task.finish(self)
            finally:
                with self._news:
                    self._done = True
                    self._news.notify_all()

    def _follow(self) -> None:
        self._begun = self._task.begin(lambda: self.stopping)
        generation = self._begun.generation
        if self.stopping:
            generation.stop()
        for view in follow(self._kept_on_the_way(generation), view=self._view):
            with self._news:
                self._view, self._number = view, self._number + 1
                self._news.notify_all()
        self.result = generation.result
        self.error = self.result.error

    def _kept_on_the_way(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events as they are; what they bring is stored every 0.4 s."""
        for event in events:
            if isinstance(event, TextDelta | ReasoningDelta):
                (self._text if isinstance(event, TextDelta) else self._thought).append(event.text)
                self._unkept = True
                self.pace.append((time.monotonic() - self.started, len(self.pace) + 1))
            now = time.monotonic()
            if self._unkept and now - self._kept >= JOURNAL_EVERY_S:
                self._keep()
                self._kept, self._unkept = time.monotonic(), False
            if now - self._looked > LOOK_EVERY_S and not self.stopping:
                self._looked = now
                if not self._task.wanted():
                    self.stop()
            yield event

    def _keep(self) -> None:
        try:
            self._task.journal("".join(self._text), "".join(self._thought))
        except StoreFailed as error:  # the answer is worth more than its copy; the end will say it
            log.warning("an answer under way was not stored: %s (%s)", error.message, error.details.get("reason"))
