"""One HTTP connection of a remote endpoint that can be cut at any moment from another thread. Knows no protocol.

httpx tells the socket only with the response's headers, which a thinking model may keep back for minutes; its trace
extension tells it as soon as it is connected.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from engine.addresses import Reach
from engine.backends.base import Control
from engine.backends.bounded import PLAIN, bound
from engine.backends.reaching import ReachingTransport

CONNECT_S = 5.0
READ_S = 300.0
SENT_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent", "cancel-after"}
)


@cache
def certificates() -> ssl.SSLContext:
    """The certificates that are believed, read once: that takes longer than a server near by needs to answer."""
    return httpx.create_ssl_context()


class Line:
    """An httpx client with at most one connection; `cut()` breaks it, and whoever reads from it wakes up.

    `reach` says to which addresses it may go, any where it is None; `bounded` cuts answers that do not end.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        tls: ssl.SSLContext,
        *,
        reach: Reach | None = None,
        bounded: bool = False,
    ) -> None:
        self._key = key
        self._bounded = bounded
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._user: Control | None = None
        self.client = httpx.Client(
            base_url=base_url,
            verify=tls,
            timeout=timeout(),
            limits=httpx.Limits(max_connections=1),
            # a proxy of the environment must not get what is meant for this machine, and would look a name up itself
            trust_env=reach is None and not is_here(base_url),
            transport=ReachingTransport(tls, reach) if reach else None,
            event_hooks={"request": [self._prepare], "response": [bound] if bounded else []},
        )

    def lend(self, control: Control) -> None:
        """Have `control.stop()` cut the connection until `end`."""
        with self._lock:
            self._user = control
        control.on_stop(lambda: self._stop(control))

    def end(self) -> None:
        """The user is done; a later `stop()` of theirs must not reach the next one."""
        with self._lock:
            self._user = None

    def close(self) -> None:
        """Give the connection back."""
        self.client.close()

    def _stop(self, control: Control) -> None:
        with self._lock:
            if self._user is control:
                self._cut()

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                # not SSLSocket.shutdown, which drops the TLS state under the hands of the reader
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _prepare(self, request: httpx.Request) -> None:
        """Send no more than needed: the environment may add an organization, a project, headers of another service."""
        kept = [(name, value) for name, value in request.headers.multi_items() if name.lower() in SENT_HEADERS]
        request.headers = httpx.Headers(kept)
        if self._bounded:
            request.headers["Accept-Encoding"] = PLAIN
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        request.extensions["trace"] = self._trace

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._user is not None and self._user.stopped:
                    self._cut()


def timeout() -> httpx.Timeout:
    """Seconds to connect and between two pieces of an answer."""
    return httpx.Timeout(READ_S, connect=CONNECT_S)


def is_here(url: str) -> bool:
    """Whether the address is this machine or a private network."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host
    return address.is_loopback or address.is_private
