"""The door of one runtime: requests with their tokens come in, get a slot with their prefix in place, and leave. Knows
no
route and no message.

The rules are in `admission`; here are the lock, the worker threads and the calls that read, save and restore prompts.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.backends.base import Control
from engine.errors import EngineError, RuntimeDied
from engine.runtime.admission import Admission, Asked, Start
from engine.runtime.client import LlamaServer
from engine.runtime.prefixes import PrefixStore
from engine.settings import Settings
from engine.types import PromptProgress, Queued

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waiting:
    """One waiting request as the teacher sees it: whose, how long (seconds), how many prompt tokens."""

    owner: str
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Inside:
    """One request in a slot as the teacher sees it: whose, seconds since it came, its prompt's tokens, and whether they
    are still being read.
    """

    slot: int
    owner: str
    seconds: float
    tokens: int
    reading: bool


@dataclass(frozen=True)
class GateState:
    """How busy a runtime is: slots in use, requests in them and waiting, the prompt being read (tokens done, all)."""

    slots: int
    running: int
    waiting: tuple[Waiting, ...]
    reading: tuple[int, int] | None
    prefixes: int
    prefix_bytes: int
    inside: tuple[Inside, ...] = ()


class Ticket:
    """One request's place: `ready` gives the slot's number once its prompt may be sent; leaving gives the slot back.

    `cached` prompt tokens need no evaluation then. As a context manager it leaves by itself.
    """

    def __init__(self, gate: Gate, asked: Asked) -> None:
        self.ready: Future[int] = Future()
        self.asked = asked
        self.cached = 0
        self.entered = time.monotonic()
        self.progress: PromptProgress | None = None
        self.control = Control()
        self.preparing = False
        self.left = False
        self.generated: int | None = None
        self._gate = gate

    def position(self) -> Queued | PromptProgress | None:
        """What the wait looks like now: a place in the queue, or the reading of this prompt or of the same one."""
        return self._gate.position(self)

    def leave(self, generated: int | None = None) -> None:
        """Give the place or the slot back: `generated` tokens follow the prompt in it, None when its content is
        unknown. Any number of times, from any
        thread.
        """
        self._gate.leave(self, generated)

    def __enter__(self) -> Ticket:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class Gate:
    """Admission in front of one runtime with `slots` slots; thread safe. `slot_dir` is where the server saves states,
    if anywhere.
    """

    def __init__(
        self, server: LlamaServer, slots: int, window: int, settings: Settings, slot_dir: Path | None = None
    ) -> None:
        share = slot_dir is not None and settings.prefix_mb > 0 and not settings.strict_reproducibility
        self.window = window
        self._server = server
        self._prefixes = PrefixStore(slot_dir, settings.prefix_mb * 2**20) if share and slot_dir else None
        # strict runs keep nothing between requests: a prompt read ahead of its own would be read twice
        long_prompt = window if settings.strict_reproducibility else settings.long_prompt
        self._admission = Admission(slots, long_prompt, settings.per_person, settings.queue, prefixes=self._prefixes)
        self._tickets: dict[Asked, Ticket] = {}
        self._lock = threading.RLock()
        self._closed = False
        # one thread reads the one long prompt, the others restore states for requests that need no reading
        self._workers = ThreadPoolExecutor(4, thread_name_prefix="gate")

    def enter(self, tokens: Sequence[int], *, owner: str = "local", interactive: bool = True) -> Ticket:
        """A ticket for a prompt of these tokens; wait for its `ready`. Raises TooManyRequests: the queue is full."""
        ticket = Ticket(self, Asked(tuple(tokens), owner, interactive))
        with self._lock:
            if self._closed:
                raise RuntimeDied("the model was unloaded", model=None, exit_code=None)
            self._admission.enter(ticket.asked)
            self._tickets[ticket.asked] = ticket
        self._schedule()
        return ticket

    def leave(self, ticket: Ticket, generated: int | None = None) -> None:
        """What `Ticket.leave` does."""
        with self._lock:
            if ticket.left:
                return
            ticket.left, ticket.generated = True, generated
            if ticket.preparing:
                # others may wait for the very prefix that is being read: then it is read to its end
                if not self._is_awaited(ticket):
                    ticket.control.stop()
                return
        self._release(ticket)

    def position(self, ticket: Ticket) -> Queued | PromptProgress | None:
        """What `Ticket.position` gives."""
        with self._lock:
            if ticket.preparing:
                return ticket.progress
            place = self._admission.place(ticket.asked)
            if not place:
                return None
            reader = self._admission.reader()
            if reader and self._admission.shares(ticket.asked) and reader in self._tickets:
                return self._tickets[reader].progress or Queued(place)
            return Queued(place)

    def fill(self, tokens: Sequence[int]) -> None:
        """Put the same few tokens into every slot, read once, before anybody enters; nothing without saved states."""
        if not tokens or self._prefixes is None:
            return
        name = self._prefixes.name()
        try:
            self._server.post(
                "/completion", {"prompt": list(tokens), "id_slot": 0, "n_predict": 0, "cache_prompt": True}
            )
            self._server.post("/slots/0?action=save", {"filename": name})
            for slot in range(1, self._admission.slots):
                self._server.post(f"/slots/{slot}?action=restore", {"filename": name})
        except EngineError as error:
            log.warning("slots not filled: %s", error.code)  # the first questions read a few tokens more
            return
        finally:
            (self._prefixes.folder / name).unlink(missing_ok=True)
        for held in self._admission.table:
            held.tokens = tuple(tokens)

    def snapshot(self) -> GateState:
        """How busy the runtime is, at this moment."""
        now = time.monotonic()
        with self._lock:
            waiting = [self._tickets[asked] for asked in self._admission.order()]
            reader = self._admission.reader()
            progress = self._tickets[reader].progress if reader in self._tickets else None
            inside = [
                (slot.id, self._tickets[slot.asked])
                for slot in self._admission.table
                if slot.asked is not None and slot.asked in self._tickets
            ]
            return GateState(
                slots=self._admission.slots,
                running=sum(slot.asked is not None for slot in self._admission.table),
                waiting=tuple(Waiting(t.asked.owner, now - t.entered, len(t.asked.tokens)) for t in waiting),
                reading=(progress.processed, progress.total) if progress else None,
                prefixes=self._prefixes.count if self._prefixes else 0,
                prefix_bytes=self._prefixes.size if self._prefixes else 0,
                inside=tuple(
                    Inside(number, t.asked.owner, now - t.entered, len(t.asked.tokens), t.preparing)
                    for number, t in inside
                ),
            )

    def close(self, error: EngineError | None = None) -> None:
        """Refuse new requests and end the waiting ones with `error`, by default RuntimeDied."""
        failure = error or RuntimeDied("the model was unloaded", model=None, exit_code=None)
        with self._lock:
            self._closed = True
            tickets = list(self._tickets.values())
        for ticket in tickets:
            ticket.control.stop()
            _fail(ticket.ready, failure)
        self._workers.shutdown(wait=False, cancel_futures=True)
        if self._prefixes:
            self._prefixes.clear()

    def _is_awaited(self, ticket: Ticket) -> bool:
        if ticket.asked is not self._admission.reader():
            return False
        return any(self._admission.shares(asked) for asked in self._admission.waiting)

    def _release(self, ticket: Ticket) -> None:
        with self._lock:
            if self._tickets.pop(ticket.asked, None):
                self._admission.leave(ticket.asked, ticket.generated)
        self._schedule()

    def _schedule(self) -> None:
        with self._lock:
            if self._closed:
                return
            starts = [(self._tickets[start.asked], start) for start in self._admission.start()]
            for ticket, start in starts:
                ticket.cached = start.cached
                ticket.preparing = start.restore is not None or start.asked.reading
                if ticket.preparing:
                    self._workers.submit(self._prepare, ticket, start)
        for ticket, start in starts:
            if not ticket.preparing:
                _succeed(ticket.ready, start.slot)

    def _prepare(self, ticket: Ticket, start: Start) -> None:
        error: EngineError | None = None
        try:
            restored = self._restore(start) if start.restore else True
            if start.asked.reading or not restored:
                self._read(ticket, start)
        except EngineError as failure:
            error = failure
        finally:
            self._prepared(ticket, start, error)

    def _prepared(self, ticket: Ticket, start: Start, error: EngineError | None) -> None:
        with self._lock:
            ticket.preparing = False
            self._admission.has_read(start.asked)
            if error:
                self._admission.empty(start.slot)
            abandoned = ticket.left
        if error:
            _fail(ticket.ready, error)
        else:
            _succeed(ticket.ready, start.slot)
        if abandoned:
            self._release(ticket)
        else:
            self._schedule()

    def _restore(self, start: Start) -> bool:
        """Whether the saved state is in the slot now; a state that the server refuses is dropped, and its tokens are
        read instead.
        """
        assert start.restore and self._prefixes
        try:
            self._server.post(f"/slots/{start.slot}?action=restore", {"filename": start.restore.filename})
        except EngineError as error:
            log.warning("saved prefix not restored: %s", error.code)
            self._prefixes.forget(start.restore)
            return False
        self._prefixes.use(start.restore)
        return True

    def _read(self, ticket: Ticket, start: Start) -> None:
        """Evaluate the prompt into the slot, then save its state for whoever begins with the same tokens."""
        body: dict[str, Any] = {
            "prompt": list(start.asked.tokens),
            "id_slot": start.slot,
            "n_predict": 0,
            "cache_prompt": True,
            "stream": True,
            "return_progress": True,
        }
        ticket.progress = PromptProgress(start.cached, len(start.asked.tokens), start.cached)
        with contextlib.closing(self._server.stream("/completion", body, ticket.control)) as chunks:
            for progress in _progress(chunks):
                ticket.progress = progress
        if self._prefixes and not ticket.control.stopped:
            self._save(self._prefixes, start)
        with self._lock:
            ticket.cached = len(start.asked.tokens) - 1  # llama.cpp evaluates the last token again for its logits

    def _save(self, prefixes: PrefixStore, start: Start) -> None:
        name = prefixes.name()
        try:
            answer = self._server.post(f"/slots/{start.slot}?action=save", {"filename": name})
        except EngineError as error:
            log.warning("prefix not saved: %s", error.code)  # the request itself goes on; others read it again
            return
        prefixes.add(start.asked.tokens, name, int(answer["n_written"]))


def _progress(chunks: Iterator[dict[str, Any]]) -> Iterator[PromptProgress]:
    for chunk in chunks:
        if told := chunk.get("prompt_progress"):
            yield PromptProgress(told["processed"], told["total"], told["cache"])


def _succeed(future: Future[int], slot: int) -> None:
    with contextlib.suppress(InvalidStateError):  # set already: the request has been cancelled or failed meanwhile
        future.set_result(slot)


def _fail(future: Future[int], error: EngineError) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)
