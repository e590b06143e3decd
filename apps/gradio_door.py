"""`/gradio` before and after Gradio is there: importing it takes seconds, so it happens behind the first page.

Knows no Gradio: what it opens comes from the function that it is given.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from html import escape
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.ui.i18n import choose, words

log = logging.getLogger(__name__)

Apps = list[tuple[str, Any]]
RETRY_S = 1


class GradioDoor:
    """An ASGI application for everything under `/gradio`.

    `build` imports Gradio and gives the applications; `router` makes one ASGI application of them. `asked` is set when
    somebody was here before it was open.
    """

    def __init__(self, build: Callable[[], Apps], router: Callable[[Apps], ASGIApp]) -> None:
        self._build = build
        self._router = router
        self._inner: ASGIApp | None = None
        self._failed = False
        self.open = asyncio.Event()
        self.asked = asyncio.Event()

    async def run(self, begin: asyncio.Event, end: asyncio.Event) -> None:
        """Wait for `begin`, open, and keep the queues of Gradio alive until `end`; a failure only closes this door."""
        await _first(begin, end)
        if end.is_set():
            return
        built = _in_thread(self._build)
        await _first(built, end)
        if end.is_set():
            return
        async with AsyncExitStack() as stack:
            try:
                apps = built.result()
                for _, app in apps:  # Starlette runs no lifespan of an application that it did not start itself
                    await stack.enter_async_context(app.router.lifespan_context(app))
            except Exception:  # whatever is wrong with Gradio, the other doors stay open
                log.exception("Gradio could not be loaded")
                self._failed = True
                return
            self._inner = self._router(apps)
            self.open.set()
            await end.wait()
            self._inner = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._inner is not None:
            await self._inner(scope, receive, send)
            return
        self.asked.set()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": "loading"})
        else:
            await self._waiting(Headers(raw=scope["headers"]))(scope, receive, send)

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


def _in_thread(work: Callable[[], Apps]) -> asyncio.Future[Apps]:
    """The result of `work` in a daemon thread: an end of the process must not wait for an import."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Apps] = loop.create_future()

    def settle(result: Apps | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result or [])

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as failure:  # handed over to the one who waits
            error = failure
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="gradio-import", daemon=True).start()
    return future


async def _first(*things: asyncio.Event | asyncio.Future[Any]) -> None:
    """Return when one of the things has happened."""
    waits = [asyncio.ensure_future(thing.wait()) if isinstance(thing, asyncio.Event) else thing for thing in things]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait, thing in zip(waits, things, strict=True):
        if isinstance(thing, asyncio.Event):
            wait.cancel()
