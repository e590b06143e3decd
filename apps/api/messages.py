"""`/v1/messages`: Anthropic's Messages protocol over the chat answers that are here. Knows no model and no route."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr
from starlette.responses import JSONResponse, Response

from apps.api import errors
from apps.api.answer import Answer
from apps.api.bodies import Number, Object, Open
from apps.api.errors import ApiError
from apps.api.reshaped import Piece, Writer, event
from engine.errors import EngineError

# what a client may say without any effect here
IDLE = frozenset({"metadata", "service_tier", "thinking", "container", "context_management", "output_config"})
SAID = frozenset({"messages", "system", "stop_sequences", "tools", "tool_choice", "max_tokens"})
STOPS = {"length": "max_tokens", "tool_calls": "tool_use"}
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


class TextBlock(Open):
    """A block of text."""

    type: StrictStr
    text: StrictStr | None = None


class Block(Open):
    """One block of a message's content."""

    type: StrictStr
    text: StrictStr | None = None
    id: StrictStr | None = None
    name: StrictStr | None = None
    input: Object | None = None
    tool_use_id: StrictStr | None = None
    content: StrictStr | list[TextBlock] | None = None


class Turn(Open):
    """One turn."""

    role: Literal["user", "assistant"]
    content: StrictStr | list[Block]


class AnthropicTool(Open):
    """A function that the model may call."""

    name: StrictStr
    description: StrictStr | None = None
    input_schema: Object | None = None


class CountBody(Open):
    """The body of `/v1/messages/count_tokens`."""

    model: StrictStr | None = None
    messages: Annotated[list[Turn], Field(min_length=1, max_length=4096)]
    system: StrictStr | list[TextBlock] | None = None
    tools: Annotated[list[AnthropicTool], Field(max_length=128)] | None = None
    tool_choice: Object | None = None


class MessagesBody(CountBody):
    """The body of `/v1/messages`; further sampling fields are those of the chat route."""

    max_tokens: Annotated[StrictInt, Field(ge=1)]
    stream: StrictBool | None = None
    temperature: Annotated[Number, Field(ge=0, le=1000)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: Annotated[StrictInt, Field(ge=-1, le=2**31 - 1)] | None = None
    stop_sequences: Annotated[list[StrictStr], Field(max_length=64)] | None = None


def to_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a body of the chat route. Raises ApiError."""
    rest = {name: value for name, value in body.items() if name not in SAID | IDLE and value is not None}
    system = _texts(body.get("system") or "", "system")
    led = [{"role": "system", "content": system}] if system else []
    chat = {**rest, "messages": [*led, *(told for turn in body["messages"] for told in _turn(turn))]}
    for name, theirs in (("max_tokens", "max_tokens"), ("stop", "stop_sequences")):
        if body.get(theirs):
            chat[name] = body[theirs]
    if tools := body.get("tools"):
        chat["tools"] = [_tool(tool) for tool in tools]
        chat |= _choice(body.get("tool_choice") or {})
    if body.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    return chat


def _turn(turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The messages of one turn: what tools gave first, each as a message of its own, then what was said."""
    content = turn["content"]
    if isinstance(content, str):
        yield {"role": turn["role"], "content": content}
        return
    said = [block for block in content if block["type"] not in ("thinking", "redacted_thinking", "tool_result")]
    for block in content:
        if block["type"] == "tool_result":
            given = _texts(block.get("content") or "", "messages")
            yield {"role": "tool", "tool_call_id": _needed(block, "tool_use_id"), "content": given}
    calls = [_call(block) for block in said if block["type"] == "tool_use"]
    text = _texts([block for block in said if block["type"] != "tool_use"], "messages")
    if calls:
        yield {"role": turn["role"], "content": text or None, "tool_calls": calls}
    elif said or not content:
        yield {"role": turn["role"], "content": text}


def _texts(content: str | list[Any], place: str) -> str:
    if isinstance(content, str):
        return content
    for block in content:
        if block["type"] != "text" or not isinstance(block.get("text"), str):
            raise ApiError(f"{place}: no {block['type']!r} is read here", code="unsupported_content", param=place)
    return "".join(block["text"] for block in content)


def _needed(block: Mapping[str, Any], name: str) -> str:
    if not block.get(name):
        raise ApiError(f"messages: a {block['type']} has {name}", param="messages")
    return str(block[name])


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": _needed(block, "name"), "arguments": json.dumps(block.get("input") or {}, ensure_ascii=False)}
    return {"type": "function", "id": _needed(block, "id"), "function": function}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("input_schema") is None:  # a tool of Anthropic's own servers
        raise ApiError(f"tools: {tool['name']} has no input_schema", code="unsupported_tool", param="tools")
    told = {"name": tool["name"], "description": tool.get("description"), "parameters": tool["input_schema"]}
    return {"type": "function", "function": {name: value for name, value in told.items() if value is not None}}


def _choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    kind = choice.get("type")
    if kind == "tool" and isinstance(choice.get("name"), str):
        return {"tool_choice": {"type": "function", "function": {"name": choice["name"]}}}
    if kind is not None and kind not in ("auto", "any", "none"):
        raise ApiError(f"tool_choice.type: {kind!r} is none", param="tool_choice.type")
    return {"tool_choice": {"any": "required"}.get(kind, kind)} if kind else {}


class Messages(Writer):
    """The shape of one message: its object, and the events of its stream."""

    def __init__(self, body: Mapping[str, Any], request_id: str) -> None:
        super().__init__()
        self._body = body
        self._id = request_id

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The message object of an answer."""
        blocks: list[dict[str, Any]] = []
        if thought := "".join(answer.reasoning):
            blocks.append({"type": "thinking", "thinking": thought, "signature": ""})
        if text := "".join(answer.text):
            blocks.append({"type": "text", "text": text})
        for _, call in sorted(answer.tools.items()):
            function = call["function"]
            given = _object(function["arguments"])
            blocks.append({"type": "tool_use", "id": call["id"] or "", "name": function["name"], "input": given})
        return self._message(answer.frame.get("model"), blocks, _stop(answer), _usage(answer))

    def beginning(self, chunk: Mapping[str, Any]) -> list[bytes]:
        """`message_start`; how long the prompt is, the end tells."""
        usage = {"input_tokens": 0, "output_tokens": 0}
        return [event("message_start", {"message": self._message(chunk.get("model"), [], None, usage)})]

    def opened(self, piece: Piece) -> list[bytes]:
        """`content_block_start`."""
        block: dict[str, Any] = {"type": "text", "text": ""}
        if piece.kind == "reasoning":
            block = {"type": "thinking", "thinking": "", "signature": ""}
        if piece.kind == "call":
            block = {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}
        return [event("content_block_start", {"index": self.place, "content_block": block})]

    def grown(self, piece: Piece) -> list[bytes]:
        """`content_block_delta`."""
        kind, name = _DELTAS[piece.kind]
        return [event("content_block_delta", {"index": self.place, "delta": {"type": kind, name: piece.text}})]

    def closed(self, text: str) -> list[bytes]:
        """`content_block_stop`."""
        return [event("content_block_stop", {"index": self.place})]

    def end(self, answer: Answer) -> list[bytes]:
        """`message_delta` with the reason and the counts, `message_stop`."""
        last = {"delta": {"stop_reason": _stop(answer), "stop_sequence": None}, "usage": _usage(answer)}
        return [*self.close(), event("message_delta", last), event("message_stop", {})]

    def broken(self, error: EngineError) -> bytes:
        """`error`."""
        return event("error", {"error": _told(error)})

    def refused(self, error: EngineError, request_id: str | None = None) -> Response:
        """Anthropic's error."""
        return refused(error, request_id)

    def _message(
        self, model: str | None, blocks: list[dict[str, Any]], stop: str | None, usage: Mapping[str, int]
    ) -> dict[str, Any]:  # fmt: skip
        return {
            "id": f"msg_{self._id}", "type": "message", "role": "assistant", "content": blocks,
            "model": model or self._body.get("model") or "", "stop_reason": stop, "stop_sequence": None,
            "usage": dict(usage),
        }  # fmt: skip


_DELTAS = {
    "text": ("text_delta", "text"),
    "reasoning": ("thinking_delta", "thinking"),
    "call": ("input_json_delta", "partial_json"),
}


def refused(error: EngineError, request_id: str | None = None) -> Response:
    """The error as Anthropic writes it."""
    plain = errors.response(error, request_id)
    waits = {name: value for name, value in plain.headers.items() if name in ("retry-after", "x-request-id")}
    body = {"type": "error", "error": _told(error), "request_id": request_id}
    return JSONResponse(body, plain.status_code, waits)


def _told(error: EngineError) -> dict[str, str]:
    status = errors.status_of(error)
    return {"type": TYPES.get(status, "api_error"), "message": errors.shape(error)["error"]["message"]}


def _stop(answer: Answer) -> str:
    return STOPS.get(answer.finish or "stop", "end_turn")


def _usage(answer: Answer) -> dict[str, int]:
    told = answer.counts()
    read, cached = told.prompt_tokens or 0, told.cached_tokens or 0
    counts = {"input_tokens": read - cached, "output_tokens": told.completion_tokens or 0}
    return counts | ({"cache_read_input_tokens": cached} if cached else {})


def _object(text: str) -> dict[str, Any]:
    """The arguments of a call; what a model wrote that is no JSON object is handed on as it is."""
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {"_raw": text}
    return told if isinstance(told, dict) else {"_raw": text}
