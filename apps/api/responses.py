"""`/v1/responses`: OpenAI's Responses protocol over the chat answers that are here. Nothing of it is stored, so that a
conversation comes whole with each request. Knows no model and no route.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr
from starlette.responses import Response

from apps.api import errors
from apps.api.answer import Answer
from apps.api.bodies import Number, Object, Open, Part
from apps.api.errors import ApiError
from apps.api.reshaped import Piece, Writer, event, shape_of
from engine.errors import EngineError, NotSupported

TEXTS = frozenset({"input_text", "output_text", "text", "summary_text"})
ROLES = frozenset({"system", "developer", "user", "assistant"})
SAID = frozenset({"input", "instructions", "max_output_tokens", "tools", "tool_choice", "text", "reasoning", "store"})
# what a client may say without any effect here: nothing is stored, and no text is cut behind its back
IDLE = frozenset({"metadata", "truncation", "include", "user", "safety_identifier", "prompt_cache_key", "service_tier"})


class Item(Open):
    """One item of the input: a message, a call that the model made, what came of it."""

    type: StrictStr | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: StrictStr | list[Part] | None = None
    call_id: StrictStr | None = None
    name: StrictStr | None = None
    arguments: StrictStr | None = None
    output: StrictStr | list[Part] | None = None


class ResponseTool(Open):
    """A function that the model may call; this protocol has its fields beside its type."""

    type: StrictStr
    name: StrictStr | None = None
    description: StrictStr | None = None
    parameters: Object | None = None


class TextFormat(Open):
    """How the text must look."""

    type: Literal["text", "json_object", "json_schema"]
    name: StrictStr | None = None
    schema_: Object | None = Field(None, alias="schema")
    strict: StrictBool | None = None


class TextOptions(Open):
    """The options of the text."""

    format: TextFormat | None = None


class Reasoning(Open):
    """How much the model should think."""

    effort: StrictStr | None = None


class ResponsesBody(Open):
    """The body of `/v1/responses`; sampling fields are those of the chat route."""

    model: StrictStr | None = None
    input: StrictStr | Annotated[list[Item], Field(min_length=1, max_length=4096)]
    instructions: StrictStr | None = None
    stream: StrictBool | None = None
    max_output_tokens: Annotated[StrictInt, Field(ge=1)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=1000)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    tools: Annotated[list[ResponseTool], Field(max_length=128)] | None = None
    tool_choice: StrictStr | Object | None = None
    parallel_tool_calls: StrictBool | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    store: StrictBool | None = None
    previous_response_id: StrictStr | None = None
    conversation: StrictStr | Object | None = None
    background: StrictBool | None = None
    prompt: Object | None = None


def to_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a body of the chat route. Raises ApiError, NotSupported for what needs a store of responses."""
    for name in ("previous_response_id", "conversation", "background", "prompt"):
        if body.get(name):
            raise NotSupported("responses are not stored here: send the whole input", capability="store", param=name)
    rest = {name: value for name, value in body.items() if name not in SAID | IDLE and value is not None}
    chat = {**rest, "messages": list(_messages(body))}
    if "max_output_tokens" in body:
        chat["max_tokens"] = body["max_output_tokens"]
    if tools := [_tool(tool) for tool in body.get("tools") or ()]:
        chat |= {"tools": tools} | ({"tool_choice": _choice(body["tool_choice"])} if body.get("tool_choice") else {})
    if effort := (body.get("reasoning") or {}).get("effort"):
        chat["reasoning_effort"] = effort
    form = (body.get("text") or {}).get("format")
    if form and form["type"] != "text":
        inner = {name: form[name] for name in ("name", "schema", "strict") if form.get(name) is not None}
        chat["response_format"] = {"type": form["type"]} | ({"json_schema": inner} if "schema" in inner else {})
    if body.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    return chat


def _messages(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if body.get("instructions"):
        yield {"role": "system", "content": body["instructions"]}
    given = body["input"]
    if isinstance(given, str):
        yield {"role": "user", "content": given}
        return
    calls: list[dict[str, Any]] = []
    for place, item in enumerate(given):
        kind = item.get("type") or "message"
        if kind == "function_call":
            calls.append(_call(item, place))
            continue
        if calls:
            yield {"role": "assistant", "content": None, "tool_calls": calls}
            calls = []
        if kind == "message":
            yield {"role": _needed(item, "role", place), "content": _text(item.get("content"), place)}
        elif kind == "function_call_output":
            told = _text(item.get("output"), place)
            yield {"role": "tool", "tool_call_id": _needed(item, "call_id", place), "content": told}
        elif kind != "reasoning":  # what a model thought before is not told it again
            raise ApiError(f"input.{place}: no {kind!r} is read here", code="unsupported_content", param="input")
    if calls:
        yield {"role": "assistant", "content": None, "tool_calls": calls}


def _call(item: Mapping[str, Any], place: int) -> dict[str, Any]:
    function = {"name": _needed(item, "name", place), "arguments": item.get("arguments") or "{}"}
    return {"type": "function", "id": _needed(item, "call_id", place), "function": function}


def _needed(item: Mapping[str, Any], name: str, place: int) -> str:
    if not item.get(name):
        raise ApiError(f"input.{place}.{name}: a text is needed", param=f"input.{place}.{name}")
    return str(item[name])


def _text(content: Any, place: int) -> str:
    if not isinstance(content, list):
        return content or ""
    for part in content:
        if part["type"] not in TEXTS or not isinstance(part.get("text"), str):
            raise ApiError(f"input.{place}: only text is read here", code="unsupported_content", param="input")
    return "".join(part["text"] for part in content)


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool["type"] != "function" or not tool.get("name"):
        raise ApiError(f"tools: no {tool['type']!r} here, functions only", code="unsupported_tool", param="tools")
    told = {name: value for name, value in tool.items() if name != "type" and value is not None}
    return {"type": "function", "function": told}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict) and choice.get("type") == "function" and "name" in choice:
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


class Responses(Writer):
    """The shape of one response: its object, and the events of its stream."""

    def __init__(self, body: Mapping[str, Any], request_id: str) -> None:
        super().__init__()
        self._body = body
        self._id = request_id
        self._created = int(time.time())
        self._number = -1
        self._items: list[dict[str, Any]] = []

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The response object of an answer."""
        found: list[Piece] = []
        for kind, text in (("reasoning", "".join(answer.reasoning)), ("text", "".join(answer.text))):
            if text or (kind == "text" and not answer.tools):
                found.append(Piece(kind, text))  # type: ignore[arg-type]
        for index, call in sorted(answer.tools.items()):
            function = call["function"]
            found.append(Piece("call", function["arguments"], index, call["id"] or "", function["name"]))
        items = [_item(piece, f"{self._id}_{place}", piece.text) for place, piece in enumerate(found)]
        return self._response(answer.frame.get("model"), items, answer)

    def beginning(self, chunk: Mapping[str, Any]) -> list[bytes]:
        """`response.created` and `response.in_progress`."""
        told = {"response": self._response(chunk.get("model"), [])}
        return [self._event("response.created", told), self._event("response.in_progress", told)]

    def opened(self, piece: Piece) -> list[bytes]:
        """An item is added, and for a text its only part."""
        item = _item(piece, self._item_id, "", done=False)
        told = [self._event("response.output_item.added", {"output_index": self.place, "item": item})]
        if piece.kind == "text":
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            told.append(self._event("response.content_part.added", {**self._where("text"), "part": part}))
        return told

    def grown(self, piece: Piece) -> list[bytes]:
        """A delta."""
        more = {"logprobs": []} if piece.kind == "text" else {}
        return [self._event(_NAMES[piece.kind] + ".delta", {**self._where(piece.kind), "delta": piece.text, **more})]

    def closed(self, text: str) -> list[bytes]:
        """The whole text or arguments, and the item with them."""
        first = self.part[0]
        item = _item(first, self._item_id, text)
        self._items.append(item)
        name = {"call": "arguments"}.get(first.kind, "text")
        more = {"logprobs": []} if first.kind == "text" else {}
        told = [self._event(_NAMES[first.kind] + ".done", {**self._where(first.kind), name: text, **more})]
        if first.kind == "text":
            part = {**self._where("text"), "part": item["content"][0]}
            told.append(self._event("response.content_part.done", part))
        return [*told, self._event("response.output_item.done", {"output_index": self.place, "item": item})]

    def end(self, answer: Answer) -> list[bytes]:
        """The whole response."""
        told = self.close()
        response = self._response(answer.frame.get("model"), self._items, answer)
        return [*told, self._event(f"response.{response['status']}", {"response": response})]

    def broken(self, error: EngineError) -> bytes:
        """`error`, and the response that failed."""
        told = shape_of(error)
        failed = self._response(None, self._items) | {"status": "failed"}
        failed["error"] = {"code": told["code"], "message": told["message"]}
        return self._event("error", told) + self._event("response.failed", {"response": failed})

    def refused(self, error: EngineError, request_id: str | None = None) -> Response:
        """OpenAI's error."""
        return errors.response(error, request_id)

    @property
    def _item_id(self) -> str:
        return f"{self._id}_{self.place}"

    def _where(self, kind: str) -> dict[str, Any]:
        where = {"item_id": _PREFIX[kind] + self._item_id, "output_index": self.place}
        return where if kind == "call" else {**where, "content_index": 0}

    def _event(self, name: str, data: Mapping[str, Any]) -> bytes:
        self._number += 1
        return event(name, {"sequence_number": self._number, **data})

    def _response(
        self, model: str | None, items: list[dict[str, Any]], answer: Answer | None = None
    ) -> dict[str, Any]:  # fmt: skip
        body, cut = self._body, answer is not None and answer.finish == "length"
        status = "in_progress" if answer is None else "incomplete" if cut else "completed"
        form = (body.get("text") or {}).get("format") or {"type": "text"}
        return {
            "id": f"resp_{self._id}", "object": "response", "created_at": self._created, "status": status,
            "error": None, "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": body.get("instructions"), "max_output_tokens": body.get("max_output_tokens"),
            "model": model or body.get("model") or "", "output": items,
            "parallel_tool_calls": body.get("parallel_tool_calls", True) is not False, "previous_response_id": None,
            "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None}, "store": False,
            "temperature": body.get("temperature"), "text": {"format": form}, "top_p": body.get("top_p"),
            "tool_choice": body.get("tool_choice") or "auto", "tools": body.get("tools") or [],
            "truncation": "disabled", "usage": None if answer is None else _usage(answer),
            "metadata": body.get("metadata") or {},
        }  # fmt: skip


_NAMES = {
    "text": "response.output_text",
    "reasoning": "response.reasoning_text",
    "call": "response.function_call_arguments",
}
_PREFIX = {"text": "msg_", "reasoning": "rs_", "call": "fc_"}


def _item(piece: Piece, item_id: str, text: str, *, done: bool = True) -> dict[str, Any]:
    frame = {"id": _PREFIX[piece.kind] + item_id, "status": "completed" if done else "in_progress"}
    if piece.kind == "call":
        return {**frame, "type": "function_call", "call_id": piece.id, "name": piece.name, "arguments": text}
    if piece.kind == "reasoning":
        parts = [{"type": "reasoning_text", "text": text}] if done else []
        return {**frame, "type": "reasoning", "summary": [], "content": parts}
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {**frame, "type": "message", "role": "assistant", "content": [part] if done else []}


def _usage(answer: Answer) -> dict[str, Any] | None:
    told = answer.counts()
    if told.prompt_tokens is None or told.completion_tokens is None:
        return None
    return {
        "input_tokens": told.prompt_tokens,
        "input_tokens_details": {"cached_tokens": told.cached_tokens or 0},
        "output_tokens": told.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": told.reasoning_tokens or 0},
        "total_tokens": told.total_tokens,
    }
