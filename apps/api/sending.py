"""One answer on its way to a client: streamed or whole, and given up as soon as nobody reads it. Knows no route."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from apps.api.local import PING, Pass
from apps.api.metering import Meter, meter
from apps.api.remote import Told
from apps.api.reshaped import Plain, Reshaped
from engine.errors import EngineError

HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class Answering:
    """Sends one answer, streamed or whole; as soon as the client is gone, everything that served it is closed."""

    def __init__(self, answer: Pass | Told | Reshaped, *, whole: bool = True) -> None:
        self._answer = answer if isinstance(answer, Reshaped) else Plain(answer)
        self._whole = whole and not answer.asked.get("stream")
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        one = meter(scope)
        sent = self._send_whole(scope, receive, send, one) if self._whole else self._send_stream(send, one)
        work = asyncio.create_task(sent)
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, gone):
                if not task.done():
                    task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            one.usage = self._answer.usage()

    async def _send_whole(self, scope: Scope, receive: Receive, send: Send, one: Meter) -> None:
        response: Response
        try:
            async with aclosing(self._answer.stream(_nothing)) as blocks:
                async for _ in blocks:
                    pass
            response = JSONResponse(self._answer.whole(), headers={"X-Request-Id": self._answer.id})
        except EngineError as error:
            one.failed(error)
            response = self._answer.refused(error)
        await response(scope, receive, send)

    async def _send_stream(self, send: Send, one: Meter) -> None:
        async def ping() -> None:
            await self._begin(send)
            await send({"type": "http.response.body", "body": PING, "more_body": True})

        try:
            async with aclosing(self._answer.stream(ping)) as blocks:
                async for block in blocks:
                    await self._begin(send)
                    await send({"type": "http.response.body", "body": block, "more_body": True})
        except EngineError as error:
            one.failed(error)
            if not self._begun:
                await _send_response(self._answer.refused(error), send)
                return
            await send({"type": "http.response.body", "body": self._answer.broken(error), "more_body": True})
        await self._begin(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, send: Send) -> None:
        if not self._begun:
            self._begun = True
            headers = [*HEADERS, (b"x-request-id", self._answer.id.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _nothing() -> None:
    """A whole answer cannot be kept alive by comments."""


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_response(response: Response, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})
