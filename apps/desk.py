"""Behind the guard: who serves which path. Streamlit gets what nobody else has. Knows no page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from apps.guard import within
from apps.host import Once

STREAM = "/_stcore/stream"
SETTLE_S = 1.0


class FirstPage:
    """Set once a browser has its first Streamlit page, or had time enough to have it."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()

    def watch(self, send: Send) -> Send:
        """A `send` that notices the accepted websocket of a page."""

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "websocket.accept":  # the page is drawn right after it
                asyncio.get_running_loop().call_later(SETTLE_S, self.seen.set)

        return watched


class Later:
    """An ASGI application that is made at its first request, or before by `ready()`; imports take their time."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = Once(make)
        self._app: ASGIApp | None = None

    def ready(self) -> ASGIApp:
        """The application; blocks while it is made."""
        self._app = self._make()
        return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app or await to_thread.run_sync(self.ready)
        await app(scope, receive, send)


class Desk:
    """ASGI middleware: hands a path to the application of its prefix, scope untouched, the rest to Streamlit.

    These applications skip Streamlit's sessions and compression, which cost every token of a stream.
    """

    def __init__(self, app: ASGIApp, *, doors: Mapping[str, ASGIApp], first: FirstPage) -> None:
        self.app = app
        self._doors = doors
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            path = str(scope["path"])[len(scope.get("root_path", "")) :]
            for prefix, door in self._doors.items():
                if within(path, prefix):
                    await door(scope, receive, send)
                    return
            if path == STREAM and not self._first.seen.is_set():
                send = self._first.watch(send)
        await self.app(scope, receive, send)


async def healthy(_: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok")


async def healthy_websocket(websocket: WebSocket) -> None:
    """A websocket comes through whatever stands between."""
    await websocket.accept()
    await websocket.close()
