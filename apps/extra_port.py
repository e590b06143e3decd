"""The second address of this server, LM Studio's usual one: opened and closed while it runs. Knows no page.

It is on loopback alone, and leads to the same doors behind the same guard.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace

from apps.options import LM_STUDIO_PORT, Options
from engine.errors import AccessDenied, BadInput, NotSupported
from engine.person import Person

LOWEST, HIGHEST = 1024, 65535
BACKLOG = 2048
WAIT_S = 20.0  # that a busy event loop may take

Closer = Callable[[], None]
Opener = Callable[[socket.socket], Awaitable[Closer]]


class ExtraPort:
    """The port, if any; thread safe, to be called from any thread but the server's own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opener: Opener | None = None
        self._closer: Closer | None = None
        self._port = 0

    @property
    def open_port(self) -> int:
        """Where it answers; 0: nowhere."""
        return self._port

    def shown(self, options: Options) -> Options:
        """The options with the port as it is now, for whoever tells of addresses."""
        return replace(options, lmstudio_port=self._port)

    def open(self, person: Person, port: int = LM_STUDIO_PORT) -> int:
        """The port, open now, in place of another one. Raises AccessDenied, BadInput (`what` port), NotSupported where
        no server of ours runs.
        """
        _teacher(person)
        if not LOWEST <= port <= HIGHEST:
            raise BadInput(f"{port} is not in {LOWEST}…{HIGHEST}", what="port", reason="extra_port_range", port=port)
        with self._lock:
            if self._loop is None:
                raise NotSupported("no server runs in this process", capability="extra_port", backend=None)
            if port != self._port:
                listening = _bound(port)
                self._shut()
                self._run(self._opened(listening))
            return self._port

    def close(self, person: Person) -> None:
        """Answer there no more; answers under way are written to their ends. Raises AccessDenied."""
        _teacher(person)
        with self._lock:
            self._shut()

    async def attach(self, opener: Opener, listening: socket.socket | None = None) -> None:
        """This loop serves from now on; `listening` is a socket that is open from the start."""
        self._loop, self._opener = asyncio.get_running_loop(), opener
        if listening is not None:
            await self._opened(listening)

    def detach(self) -> None:
        """The loop ends, and closes what is open."""
        self._loop, self._opener, self._closer, self._port = None, None, None, 0

    async def _opened(self, listening: socket.socket) -> None:
        assert self._opener is not None
        self._closer = await self._opener(listening)
        self._port = int(listening.getsockname()[1])

    def _shut(self) -> None:
        if self._closer is not None:
            self._run(_called(self._closer))
        self._closer, self._port = None, 0

    def _run(self, act: Coroutine[None, None, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(act, self._loop).result(WAIT_S)


async def _called(closer: Closer) -> None:
    closer()


def _teacher(person: Person) -> None:
    if person.role != "teacher":
        raise AccessDenied("ports are the teacher's to open", role="teacher")


def _bound(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as error:
        reason = "extra_port_taken" if error.errno == errno.EADDRINUSE else "extra_port_denied"
        raise BadInput(f"port {port}: {error.strerror}", what="port", reason=reason, port=port) from error
