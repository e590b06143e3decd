"""An httpx transport that connects to the addresses that were checked and to no other. Knows no rule of its own.

A name may lead elsewhere the second time it is looked up: so it is looked up once, when the connection is made, before
a byte of a request is sent. The certificate is still checked for the name.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from engine.addresses import Reach


class ReachingTransport(httpx.HTTPTransport):
    """HTTP of at most one connection, to where `reach` says; what `reach` raises leaves it as it is."""

    def __init__(self, tls: ssl.SSLContext, reach: Reach) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore.ConnectionPool(ssl_context=tls, max_connections=1, network_backend=_Checked(reach))


class _Checked(httpcore.SyncBackend):
    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A stream to the first of the host's addresses that answers, all in that time. Raises EngineError."""
        seconds = timeout or 60.0
        end = time.monotonic() + seconds
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        addresses = self._reach(host, port, seconds)
        for waiting, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = max(0.01, end - time.monotonic()) / waiting  # a dead first one leaves the next its time
            try:
                return super().connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed
