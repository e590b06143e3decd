"""One generation under way: a reader thread runs the backend, the consumer iterates events and may stop at any time.

Knows nothing of HTTP, templates or interfaces.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from engine.backends.base import Backend, Control, Report, Request
from engine.errors import EngineError, StreamCut
from engine.types import (
    Event,
    Finished,
    Heartbeat,
    Outcome,
    PromptProgress,
    ReasoningDelta,
    Result,
    Stats,
    TextDelta,
    ToolCall,
    Usage,
)

HEARTBEAT_S = 0.2

Recorder = Callable[[Request, Report | None, Result], str | None]


@dataclass
class _Answer:
    """What has come so far, and when (seconds of the monotonic clock)."""

    started: float
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    first: float | None = None
    last: float | None = None
    prompt_tokens: int | None = None

    def take(self, event: Event) -> None:
        """Keep what the event brings and when it came."""
        if isinstance(event, TextDelta):
            self.text.append(event.text)
            self.logprobs.extend(event.logprobs)
        elif isinstance(event, ReasoningDelta):
            self.reasoning.append(event.text)
        elif isinstance(event, ToolCall):
            self.tool_calls.append(event)
        else:
            if isinstance(event, PromptProgress):
                self.prompt_tokens = event.total
            return
        self.last = time.monotonic()
        self.first = self.first or self.last


class Generation:
    """An answer on its way: iterate it once for events, `stop()` it from any thread, read `.result` at the end.

    Iterating raises EngineError only before the first event (Heartbeats aside); later errors arrive as
    `Finished("failed", error=…)` with the partial text kept. A Heartbeat comes at least every 0.2 s while nothing else
    does.
    """

    def __init__(self, backend: Backend, request: Request, *, model: str, record: Recorder | None = None) -> None:
        self.model = model
        self.request = request
        self._backend = backend
        self._record = record
        self._control = Control()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._answer = _Answer(started=time.monotonic())
        self._done = threading.Event()
        self._result: Result | None = None
        self._consumed = False
        threading.Thread(target=self._read, name=f"generation-{model}", daemon=True).start()

    def stop(self) -> None:
        """Ask for the end; the stream then closes with `Finished("user_stopped")`. Safe from any thread, any number of
        times.
        """
        self._control.stop()

    @property
    def result(self) -> Result:
        """The whole answer; waits for the end if it has not come yet."""
        self._done.wait()
        assert self._result is not None
        return self._result

    def __iter__(self) -> Iterator[Event]:
        if self._consumed:
            raise RuntimeError("a Generation can be iterated once")
        self._consumed = True
        return self._consume()

    def _consume(self) -> Iterator[Event]:
        finished, begun = False, False
        try:
            while not finished:
                event = self._next()
                finished = isinstance(event, Finished)
                if isinstance(event, Finished) and event.error is not None and not begun:
                    raise event.error
                begun = begun or not isinstance(event, Heartbeat)  # else a slow refusal would depend on the load
                yield event
        finally:
            if not finished:  # the consumer went away: nobody reads any more, so the slot must not work on
                self.stop()

    def _next(self) -> Event:
        try:
            return self._events.get(timeout=HEARTBEAT_S)
        except queue.Empty:
            return Heartbeat()

    def _read(self) -> None:
        report: Report | None = None
        error: EngineError | None = None
        unexpected = True
        try:
            report = self._run_backend()
            unexpected = False
        except EngineError as failure:
            error, unexpected = failure, False
        finally:
            # A bug must not leave the consumer waiting; its traceback goes to the thread's excepthook.
            if unexpected:
                error = EngineError("internal error; see the log")
            self._finish(report, error)

    def _run_backend(self) -> Report | None:
        for event in self._backend.run(self.request, self._control):
            if isinstance(event, Report):
                return event
            self._answer.take(event)
            self._events.put(event)
            if self._control.stopped:
                return None
        if self._control.stopped:
            return None
        raise StreamCut(received=sum(map(len, self._answer.text)))

    def _finish(self, report: Report | None, error: EngineError | None) -> None:
        now = time.monotonic()
        if self._control.stopped and report is None:
            error = None  # what the closed connection raised is the consequence of our own stop
        told = report or (self._control.partial() if self._control.partial else None)
        usage = told.usage if told else Usage(prompt_tokens=self._answer.prompt_tokens)
        outcome = self._outcome(report, error, usage)
        result = Result(
            text="".join(self._answer.text),
            reasoning="".join(self._answer.reasoning),
            tool_calls=tuple(self._answer.tool_calls),
            logprobs=tuple(self._answer.logprobs),
            outcome=outcome,
            usage=usage,
            stats=self._stats(told, usage, now),
            model=(told and told.model) or self.model,
            error=error,
        )
        try:
            trace_id = self._record(self.request, told, result) if self._record else None
            self._result = replace(result, trace_id=trace_id)
        finally:
            self._result = self._result or result
            self._events.put(Finished(outcome, usage, result.stats, self._result.trace_id, error))
            self._done.set()

    def _outcome(self, report: Report | None, error: EngineError | None, usage: Usage) -> Outcome:
        if error is not None:
            return "failed"
        if report is None:
            return "user_stopped"
        if report.finish == "length":
            total, window = usage.total_tokens, self._window(report)
            return "window_full" if total is not None and window is not None and total >= window else "max_tokens"
        if report.finish == "tool_calls":
            return "tool_calls"
        return "stop_string" if report.stop_string else "stop"

    def _window(self, report: Report) -> int | None:
        windows = [size for size in (report.window, self.request.virtual_window) if size]
        return min(windows, default=None)

    def _stats(self, report: Report | None, usage: Usage, now: float) -> Stats:
        answer = self._answer
        first = None if answer.first is None else answer.first - answer.started
        told = report.stats if report and report.stats else Stats()
        span = (answer.last - answer.first) if answer.first is not None and answer.last is not None else None
        speed, total = told.tokens_per_second, told.total_time
        if told.source == "measured" and span:
            total = span
            count = usage.completion_tokens
            speed = (count - 1) / span if count and count > 1 else None
        return replace(
            told, tokens_per_second=speed, total_time=total, time_to_first_token=first, wall_time=now - answer.started
        )
