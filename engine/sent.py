"""The request behind an answer, read back from its trace. Knows no conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.backends.base import Request
from engine.conversation import Node
from engine.errors import NotFound, StoreFailed
from engine.params import Params
from engine.types import Message

if TYPE_CHECKING:
    from engine.trace import Traces

# What a conversation's settings add to a body, beside its messages and parameters
_EXTRA = ("response_format", "json_schema", "format", "grammar", "logprobs", "top_logprobs", "n_probs")


def sent_request(traces: Traces, node: Node, owner: str) -> Request | None:
    """What was sent for this answer, with default parameters; None where no whole trace of it is left."""
    if node.trace_id is None:
        return None
    try:
        trace = traces.get(node.trace_id, owner)
    except (NotFound, StoreFailed):
        return None
    body = trace.request if isinstance(trace.request, dict) else {}
    if "request" in trace.cut or not {"messages", "prompt"} & body.keys():
        return None
    messages = tuple(_message(message) for message in body.get("messages", ()))
    extra = {name: body[name] for name in _EXTRA if name in body}
    return Request(messages, Params(), raw=body.get("prompt"), extra=extra)


def _message(data: Mapping[str, Any]) -> Message:
    rest = {name: value for name, value in data.items() if name not in ("role", "content")}
    content = data.get("content")
    if isinstance(content, list):  # with images
        texts = [part["text"] for part in content if part.get("type") == "text"]
        return Message(data["role"], "\n".join(texts), {**rest, "content": content})
    return Message(data["role"], content or "", rest)
