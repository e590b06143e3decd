"""Several servers with the same model as one backend: the least busy answers, and another one where the first fails
before its first word. Knows no protocol.

After the first word nothing is asked again: the reader would see another answer.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from engine.backends.base import Backend, Control, Report, Request
from engine.errors import EngineError, RateLimited, ServerFailed, StreamCut, TimedOut, UnknownModel, Unreachable
from engine.types import Capability, Event, PromptProgress, Rendered

log = logging.getLogger(__name__)

CHECK_EVERY_S = 5.0
DOWN = (Unreachable, StreamCut, TimedOut, ServerFailed)
ELSEWHERE = (*DOWN, RateLimited, UnknownModel)  # busy, or without this model: not ill


@dataclass(frozen=True)
class Member:
    """How one server is: requests of ours under way there, and seconds since it fails, None where it is well."""

    address: str
    busy: int
    down_s: float | None


class Balance:
    """Who is busy and who is down, by address, for all pools of an engine. Thread safe.

    While somebody is down a thread asks them every five seconds whether they are back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, every_s: float = CHECK_EVERY_S) -> None:
        self._clock = clock
        self._every_s = every_s
        self._lock = threading.Lock()
        self._busy: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._down: dict[str, tuple[float, Callable[[], bool]]] = {}
        self._uses = 0
        self._watching = False
        self._closed = threading.Event()

    def order(self, addresses: Sequence[str]) -> list[str]:
        """The addresses in the order to try them: those that are well before those that fail, then the least busy, then
        the one that was longest not asked.
        """
        with self._lock:
            return sorted(
                addresses, key=lambda one: (one in self._down, self._busy.get(one, 0), self._used.get(one, 0))
            )

    @contextlib.contextmanager
    def busy(self, address: str) -> Iterator[None]:
        """One more request there for the length of the block."""
        with self._lock:
            self._uses += 1
            self._used[address] = self._uses
            self._busy[address] = self._busy.get(address, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[address] -= 1

    def down(self, address: str, check: Callable[[], bool]) -> None:
        """It failed; `check` says whether it is back."""
        with self._lock:
            since = self._down.get(address, (self._clock(), check))[0]
            self._down[address] = since, check
            if self._watching or self._closed.is_set():
                return
            self._watching = True
        threading.Thread(target=self._watch, name="endpoint-health", daemon=True).start()

    def up(self, address: str) -> None:
        """It answered."""
        with self._lock:
            self._down.pop(address, None)

    def members(self, addresses: Sequence[str]) -> tuple[Member, ...]:
        """How each of them is now."""
        with self._lock:
            now = self._clock()
            return tuple(
                Member(one, self._busy.get(one, 0), now - self._down[one][0] if one in self._down else None)
                for one in addresses
            )

    def close(self) -> None:
        """Watch nobody any more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._every_s):
            with self._lock:
                checks = {address: check for address, (_, check) in self._down.items()}
                if not checks:
                    self._watching = False
                    return
            for address, check in checks.items():
                if _well(address, check):
                    self.up(address)


def _well(address: str, check: Callable[[], bool]) -> bool:
    """What the check says; one that breaks is told and says no, for the watch must outlive it."""
    try:
        return check()
    except Exception:  # a border: the thread has nobody above it
        log.exception("the check of %s broke", address)
        return False


class Pool:
    """One model on several servers, each a backend of its own; `check` asks a server whether it is well."""

    name = "pool"

    def __init__(self, members: dict[str, Backend], balance: Balance, check: Callable[[str], bool]) -> None:
        self._members = members
        self._balance = balance
        self._check = check
        self._first = next(iter(members.values()))
        self.name = self._first.name
        self.capabilities: frozenset[Capability] = reduce(
            frozenset.intersection, (member.capabilities for member in members.values())
        )

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Events and the Report of the one that answers. Raises what the second one raises."""
        first, *others = self._balance.order(tuple(self._members))
        begun = False
        try:
            for event in self._asked(first, request, control):
                begun = begun or not isinstance(event, PromptProgress)
                yield event
            return
        except ELSEWHERE:
            if begun or not others or control.stopped:
                raise
        yield from self._asked(self._balance.order(others)[0], request, control)

    def body(self, request: Request) -> dict[str, Any]:
        """The body that the first server would get; the others get the same but for their windows."""
        return self._first.body(request)

    def render(self, request: Request) -> Rendered:
        """What the first server says. Raises NotSupported."""
        return self._first.render(request)

    def count(self, request: Request) -> int:
        """What the first server says. Raises NotSupported."""
        return self._first.count(request)

    def window(self) -> int | None:
        """The smallest window, in tokens: whoever answers can read that much."""
        return min((told for one in self._members.values() if (told := one.window()) is not None), default=None)

    def close(self) -> None:
        """Give every server's connections back."""
        for member in self._members.values():
            member.close()

    def _asked(self, address: str, request: Request, control: Control) -> Iterator[Event | Report]:
        with self._balance.busy(address):
            try:
                for event in self._members[address].run(request, control):
                    yield _signed(event, address) if isinstance(event, Report) else event
            except EngineError as error:
                if isinstance(error, DOWN) and not control.stopped:
                    self._balance.down(address, lambda: self._check(address))
                raise
        self._balance.up(address)


def _signed(report: Report, address: str) -> Report:
    """The report with the address of the server that answered, for the trace."""
    return replace(report, response={**report.response, "address": address})
