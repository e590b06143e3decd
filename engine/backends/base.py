"""What a backend must offer: one verb that streams, a few that look. Knows no thread, no queue and no interface."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.params import Params
from engine.types import Capability, Event, Message, Rendered, Stats, Usage


@dataclass(frozen=True)
class Request:
    """One generation as asked: `raw` is a prompt that bypasses the template, `extra` goes into the body as it is.

    `owner` is the random id of a person, never a name; `virtual_window` is a smaller window in tokens that the engine
    enforces; `window` is the record of what was left out to fit (engine.window), for the trace.
    """

    messages: tuple[Message, ...]
    params: Params
    owner: str = "local"
    raw: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    virtual_window: int | None = None
    interactive: bool = True
    window: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Report:
    """What a backend knows at the end: `finish` in OpenAI's words, counts and times that the server told, bodies for
    the trace.
    """

    finish: str
    usage: Usage = field(default_factory=Usage)
    stats: Stats | None = None
    window: int | None = None
    model: str | None = None
    stop_string: str | None = None
    prompt: str | None = None
    response: Mapping[str, Any] = field(default_factory=dict)


class Control:
    """The stop switch of one generation: `stop()` from any thread, `stopped` to ask, `on_stop` to be told (at once if
    too late).

    `partial` is the backend's to set: what it knows so far, asked for once where the answer ends without a Report.
    """

    def __init__(self) -> None:
        self.partial: Callable[[], Report] | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def stopped(self) -> bool:
        """Whether somebody called `stop()`."""
        return self._stopped.is_set()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once on `stop()`; it closes the connection that the reader is blocked on."""
        with self._lock:
            if not self._stopped.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def stop(self) -> None:
        """Ask the generation to end; returns at once."""
        with self._lock:
            if self._stopped.is_set():
                return
            self._stopped.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def wait(self, seconds: float) -> bool:
        """True as soon as it is stopped, False after `seconds`."""
        return self._stopped.wait(seconds)


class Backend(Protocol):
    """One way to reach a model. Methods raise EngineError only; foreign exceptions are mapped inside, around stream
    loops too.
    """

    name: str
    capabilities: frozenset[Capability]

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Events as they come (no Heartbeat, no Finished), then exactly one Report. Ends early, without Report, once
        stopped.
        """
        ...

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body that `run` would send; no secret in it."""
        ...

    def render(self, request: Request) -> Rendered:
        """The exact prompt and its tokens, without inference. Raises NotSupported where `exact_prompt` is missing."""
        ...

    def count(self, request: Request) -> int:
        """Prompt tokens of the request, without inference. Raises NotSupported where `exact_count` is missing."""
        ...

    def window(self) -> int | None:
        """Tokens that prompt and answer share, as the server tells it; None where it does not."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
