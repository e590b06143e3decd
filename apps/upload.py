"""The door `POST /upload?name=FILE`: a GGUF file from a browser to disk as it comes, never held in memory.

Streamlit's and Gradio's own uploads keep or copy whole files. The body is the file itself; its length is known from
Content-Length, so that the browser's own upload events are the progress. The teacher's alone; the guard stands before.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from anyio import move_on_after, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from apps import host
from engine.catalog import ModelCard
from engine.errors import AccessDenied, BadFile, EngineError, ModelFileCorrupt
from engine.models.importing import Incoming

BLOCK = 4 << 20  # bytes that are written at once
DRAIN, DRAIN_S = 32 << 20, 2.0  # of a refused body, bytes and seconds that are read: a browser shows no answer before


async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of `/upload`."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    await (await _answer(Request(scope, receive)))(scope, receive, send)


async def _answer(request: Request) -> Response:
    if request.method != "POST":
        return Response(status_code=405, headers={"Allow": "POST"})
    try:
        card = await _receive(request)
    except EngineError as error:
        await _drain(request)
        return JSONResponse({"error": error.to_dict()}, _status(error), {"Connection": "close"})
    except ClientDisconnect:  # nobody is there to be told
        return Response(status_code=400)
    return JSONResponse({"model": card.to_dict()}, 201)


async def _receive(request: Request) -> ModelCard:
    """Write the body to disk; the card of the new model. Raises AccessDenied, BadFile, ModelFileCorrupt, DiskFull."""
    host.require(_person(request))
    name = request.query_params.get("name", "")
    size = _length(request)
    engine = host.engine()
    limit = engine.settings.upload_gb << 30
    incoming = await to_thread.run_sync(Incoming, engine.settings, name, size, limit)
    try:
        block = bytearray()
        async for chunk in request.stream():
            block += chunk
            if len(block) >= BLOCK or incoming.received == 0:  # what is no GGUF is refused at its first bytes
                await to_thread.run_sync(incoming.write, bytes(block))
                block.clear()
        await to_thread.run_sync(incoming.write, bytes(block))
        path = await to_thread.run_sync(incoming.finish)
    finally:
        await to_thread.run_sync(incoming.abort)
    cards = await to_thread.run_sync(engine.catalog.cards)
    found = next((card for card in cards if card.files and card.files[0].path == path), None)
    if found is None:
        raise BadFile(f"{path.name} is gone", path=path.name, reason="gone")
    return found


def _status(error: EngineError) -> int:
    """A file that is no model is the sender's fault here, not the server's."""
    if error.details.get("reason") == "too_large":
        return 413
    return 422 if isinstance(error, ModelFileCorrupt) else error.http_status


def _person(request: Request) -> Any:
    person = request.scope.get("state", {}).get("person")
    if person is None:
        raise AccessDenied("nobody is asking", role="teacher")
    return person


def _length(request: Request) -> int | None:
    """Bytes announced; None where the body comes in chunks of unknown number."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


async def _drain(request: Request) -> None:
    """Read on for a moment: a browser that is still sending would show a broken connection in place of our answer."""
    read = 0
    with move_on_after(DRAIN_S), suppress(ClientDisconnect, RuntimeError):  # gone, or read to its end before
        async for chunk in request.stream():
            read += len(chunk)
            if read > DRAIN:
                return
