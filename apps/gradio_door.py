"""`/gradio` before and after Gradio is there: importing it takes seconds, so it happens behind the first page.

Knows no Gradio: what it opens comes from the function that it is given.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from html import escape
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.ui.i18n import choose, words

log = logging.getLogger(__name__)

App = tuple[str, Any]  # path and application
Apps = list[App]
RETRY_S = 1
T = TypeVar("T")


class GradioDoor:
    """An ASGI application for everything under `/gradio`.

    `build` imports Gradio and gives one application per language, each as soon as it is there, that of `wanted` first;
    `router` makes one ASGI application of those. `asked` is set when somebody was here before it was open, `wanted` is
    the path of the language that they asked for.
    """

    def __init__(self, build: Callable[[], Iterator[App]], router: Callable[[Apps], ASGIApp]) -> None:
        self._build = build
        self._router = router
        self._inner: ASGIApp | None = None
        self._missing = True
        self._failed = False
        self._apps: Apps = []
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self.wanted: str | None = None

    async def run(self, begin: asyncio.Event, end: asyncio.Event) -> None:
        """Wait for `begin`, open, and keep the queues of Gradio alive until `end`; a failure only closes this door."""
        await _first(begin, end)
        async with AsyncExitStack() as stack:
            try:
                await self._open(stack, end)
            except Exception:  # whatever is wrong with Gradio, the other doors stay open
                log.exception("Gradio could not be loaded")
                self._inner, self._failed = None, True
                return
            await end.wait()
            self._inner = None

    async def _open(self, stack: AsyncExitStack, end: asyncio.Event) -> None:
        """Open each language as soon as it is built."""
        building: Iterator[App] | None = None

        def step() -> App | None:
            nonlocal building
            building = building or iter(self._build())
            return next(building, None)

        while not end.is_set():
            built = _in_thread(step)
            await _first(built, end)
            if end.is_set() or (app := built.result()) is None:
                break
            # Starlette runs no lifespan of an application that it did not start itself
            await stack.enter_async_context(app[1].router.lifespan_context(app[1]))
            self._apps.append(app)
            self._inner = self._router(self._apps)
            self.open.set()
        self._missing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door, language = _parts(scope["path"][len(scope.get("root_path", "")) :])
        built = [path for path, _ in self._apps]
        if self._inner is not None and (not self._missing or not language or f"{door}/{language}" in built):
            await self._inner(scope, receive, send)
            return
        headers = Headers(raw=scope["headers"])
        self.wanted = f"{door}/{language or choose(headers.get('accept-language'))}"
        self.asked.set()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": "loading"})
        else:
            await self._waiting(headers)(scope, receive, send)

    def _waiting(self, headers: Headers) -> Response:
        retry = {} if self._failed else {"Retry-After": str(RETRY_S)}
        text = words(choose(headers.get("accept-language")))
        title = text.t("serve.gradio_failed" if self._failed else "serve.gradio_later")
        if "text/html" not in headers.get("accept", ""):
            return JSONResponse({"detail": title}, 503, retry)
        refresh = "" if self._failed else f'<meta http-equiv="refresh" content="{RETRY_S}">'
        note = "" if self._failed else f"<p>{escape(text.t('serve.gradio_soon'))}</p>"
        page = (
            f'<!doctype html><html lang="{text.lang}"><head><meta charset="utf-8">{refresh}'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(text.t('app.name'))}</title>"
            "<style>:root{color-scheme:light dark;font:18px/1.5 system-ui,sans-serif}body{margin:20vh 2rem}</style>"
            f'</head><body><p role="status">{escape(title)}</p>{note}</body></html>'
        )
        return HTMLResponse(page, 503, {**retry, "Cache-Control": "no-store"})


def _parts(path: str) -> tuple[str, str]:
    """The door's own path and the language named behind it; "" where none is."""
    _, name, language, *_ = f"{path}//".split("/")
    return f"/{name}", language


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """The result of `work` in a daemon thread: an end of the process must not wait for an import."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = functools.partial(future.set_result, work())
        except BaseException as failure:  # handed over to the one who waits
            settle = functools.partial(future.set_exception, failure)
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None if future.cancelled() else settle())

    threading.Thread(target=run, name="gradio-import", daemon=True).start()
    return future


async def _first(*things: asyncio.Event | asyncio.Future[Any]) -> None:
    """Return when one of the things has happened."""
    waits = [asyncio.ensure_future(thing.wait()) if isinstance(thing, asyncio.Event) else thing for thing in things]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait, thing in zip(waits, things, strict=True):
        if isinstance(thing, asyncio.Event):
            wait.cancel()
