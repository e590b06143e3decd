"""`/mcp`: the engine's tools in the Model Context Protocol, over its streamable HTTP transport. Knows no tool.

The part of the protocol that a server of tools without state needs, by hand: `initialize`, `ping`, `tools/list`,
`tools/call` and notifications, each answered with one JSON object. There is no session and nothing to listen to: a GET
or DELETE is answered with 405, as the protocol wants of servers that offer neither.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from apps.api.errors import ApiError
from apps.api.metering import meter
from engine.errors import EngineError, NotFound
from engine.tools import TOOLS, Tool, tool

if TYPE_CHECKING:
    from apps.api.call import Call

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")  # newest first
NAME, VERSION = "atelier-llm", "1"
PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602


class RpcError(Exception):
    """An error of the protocol: its number and a sentence."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number, self.message = number, message


async def mcp(call: Call) -> ASGIApp:
    """The answer to one message of a client."""
    version = call.request.headers.get("mcp-protocol-version")
    if version is not None and version not in VERSIONS:
        return _failed(None, RpcError(REQUEST, "this protocol version is not spoken here"), 400)
    try:
        message = await call.json()
    except ApiError as error:
        return _failed(None, RpcError(REQUEST if error.name == "invalid_type" else PARSE, error.message), error.status)
    identity, method = message.get("id"), message.get("method")
    if message.get("jsonrpc") != "2.0" or not _is_message(message):
        return _failed(None, RpcError(REQUEST, "not a JSON-RPC 2.0 message"), 400)
    if method is None or "id" not in message:  # an answer, or a notification: nothing is to be said
        return Response(status_code=202)
    try:
        return JSONResponse({"jsonrpc": "2.0", "id": identity, "result": await _answer(call, method, message)})
    except RpcError as error:
        meter(call.request.scope).error = f"rpc_{abs(error.number)}"
        return _failed(identity, error, 200)


def _is_message(message: Mapping[str, Any]) -> bool:
    identity = message.get("id", 0)
    named = isinstance(message.get("method"), str)
    answers = "method" not in message and ("result" in message or "error" in message)
    return (named or answers) and isinstance(identity, str | int | float) and not isinstance(identity, bool)


async def _answer(call: Call, method: str, message: Mapping[str, Any]) -> dict[str, Any]:
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(PARAMS, "params must be an object")
    if method == "initialize":
        return _initialized(params)
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": [_told(one) for one in TOOLS]}
    if method == "tools/call":
        return await _called(call, params)
    raise RpcError(METHOD, f"no method {method[:100]!r}")


def _initialized(params: Mapping[str, Any]) -> dict[str, Any]:
    wanted = params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": NAME, "title": "Atelier LLM", "version": VERSION},
        "instructions": "Tools that read and compute: models, token counts, passages of documents, the numbered rhyme.",
    }


def _told(one: Tool[Any]) -> dict[str, Any]:
    hints = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
    return {"name": one.name, "description": one.description, "inputSchema": one.schema, "annotations": hints}


async def _called(call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool answers; its failures are answers too, which the model that called it reads."""
    name, arguments = params.get("name"), params.get("arguments") or {}
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise RpcError(PARAMS, "name must be a text and arguments an object")
    try:
        wanted = tool(name)
    except NotFound as error:
        raise RpcError(PARAMS, error.message) from error
    try:
        told = await to_thread.run_sync(functools.partial(wanted.call, call.engine, call.person, arguments))
    except EngineError as error:
        meter(call.request.scope).error = error.code
        return {"content": [{"type": "text", "text": f"{error.code}: {error.message}"}], "isError": True}
    text = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace").decode()
    return {"content": [{"type": "text", "text": text}], "structuredContent": json.loads(text), "isError": False}


def _failed(identity: str | int | None, error: RpcError, status: int) -> Response:
    body = {"jsonrpc": "2.0", "id": identity, "error": {"code": error.number, "message": error.message}}
    return JSONResponse(body, status)
