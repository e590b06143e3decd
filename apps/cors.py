"""Which pages of other sites may call `/v1` from a browser, and what a browser has to be told for it. Knows no person.

Such a page brings an API key; a cookie of ours never counts for it. Alone on this machine a site that is named needs
none, but gets no teacher's powers: nothing of it reaches a provider's key of the environment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from anyio import to_thread
from starlette.responses import Response
from starlette.types import Message, Send

from engine.serving import ANY

KNOWN_FOR_S = 2.0
METHODS = "GET, POST, OPTIONS"
HEADERS = "authorization, content-type, x-api-key, anthropic-version, x-requested-with"
EXPOSED = b"x-request-id, retry-after"
PREFLIGHT_S = "600"


class Cors:
    """The allowed sites; read again after two seconds."""

    def __init__(self, origins: Callable[[], tuple[str, ...]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._origins = origins
        self._clock = clock
        self._known: tuple[float, frozenset[str]] | None = None

    async def allows(self, origin: str) -> bool:
        """Whether pages of that origin may call us."""
        return bool(await self.sites() & {origin, ANY})

    async def names(self, origin: str) -> bool:
        """Whether that origin itself is allowed, not merely every one."""
        return origin in await self.sites()

    async def sites(self) -> frozenset[str]:
        """All that are allowed."""
        now = self._clock()
        if self._known is None or now - self._known[0] > KNOWN_FOR_S:
            self._known = now, frozenset(await to_thread.run_sync(self._origins))
        return self._known[1]


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may ask."""
    return method == "OPTIONS" and "access-control-request-method" in headers


def preflight(origin: str, headers: Mapping[str, str]) -> Response:
    """The answer to a preflight of an allowed origin: every method and header of ours, no cookie."""
    wanted = headers.get("access-control-request-headers", "")
    told = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": wanted if _harmless(wanted) else HEADERS,
        "Access-Control-Max-Age": PREFLIGHT_S,
        "Vary": "Origin",
    }
    if headers.get("access-control-request-private-network") == "true":  # a public page asks a machine of the room
        told["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=told)


def telling(send: Send, origin: str) -> Send:
    """A `send` whose answers the page of that origin may read."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = _readable(message, origin)
        await send(message)

    return told


def _readable(message: MutableMapping[str, Any], origin: str) -> Message:
    ours = [
        (b"access-control-allow-origin", origin.encode("latin-1", "replace")),
        (b"access-control-expose-headers", EXPOSED),
        (b"vary", b"Origin"),
    ]
    return {**message, "headers": [*message.get("headers", ()), *ours]}


def _harmless(names: str) -> bool:
    """Client libraries send many headers of their own (`x-stainless-…`), and none of them opens anything here."""
    return 0 < len(names) <= 2000 and all(char.isascii() and (char.isalnum() or char in "-_, ") for char in names)
