"""A loopback server that speaks OpenAI's protocol of chat and of embeddings, and fails on request: the model's name
chooses what happens.

Everything is real HTTP: chunked transfer, keep-alive, broken connections. Requests are recorded.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import re
import select
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-stand-in-0123456789"
WORDS = ("Hello", " from", " the", " stand-in", ".")
PROMPT_TOKENS = 7
REASONING = ("Let me", " think.")


@dataclass(frozen=True)
class Recorded:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error."""

    status: int
    body: dict[str, Any] | str
    headers: dict[str, str] = field(default_factory=dict)


def openai_error(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error body of OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


REFUSALS: dict[str, Refusal] = {
    "401": Refusal(401, openai_error(f"Incorrect API key provided: {KEY}", "invalid_request_error", "invalid_api_key")),
    "402": Refusal(402, openai_error("Insufficient credits", "billing_error")),
    "403": Refusal(403, openai_error("Country not supported", "request_forbidden")),
    "404": Refusal(404, openai_error("The model `404` does not exist", "invalid_request_error", "model_not_found")),
    "408": Refusal(408, openai_error("Request timeout", "timeout")),
    "429": Refusal(429, openai_error("Rate limit reached", "tokens", "rate_limit_exceeded"), {"Retry-After": "2.5"}),
    "429-date": Refusal(429, openai_error("Slow down", "rate"), {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "429-quota": Refusal(429, openai_error("You exceeded your current quota", "insufficient_quota")),
    "500": Refusal(500, openai_error("The server had an error", "server_error")),
    "503": Refusal(503, openai_error("Overloaded", "overloaded")),
    "html": Refusal(502, "<html><h1>502 Bad Gateway</h1></html>"),
    "bad-parameter": Refusal(400, openai_error("temperature: too high", "invalid_request_error", None, "temperature")),
}

# What "your prompt is too long" looks like in the wild; the numbers are (prompt, window) where they are told.
TOO_LONG: dict[str, dict[str, Any]] = {
    "too-long-openai": openai_error(
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. Please "
        "reduce the length of the messages.",
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
    ),
    "too-long-vllm": {
        "object": "error",
        "message": "This model's maximum context length is 8192 tokens. However, you requested 9500 tokens (9000 in "
        "the messages, 500 in the completion). Please reduce the length of the messages or completion.",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    },
    "too-long-llamacpp": {
        "error": {
            "code": 400,
            "message": "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 9000,
            "n_ctx": 8192,
        }
    },
    "too-long-mistral": {
        "object": "error",
        "message": "Prompt contains 9000 tokens and 0 draft tokens, too large for model with 8192 maximum context "
        "length",
        "type": "invalid_request_message",
        "param": None,
        "code": "3051",
    },
    "too-long-anthropic": openai_error("prompt is too long: 9000 tokens > 8192 maximum", "invalid_request_error"),
    "too-long-unnumbered": openai_error(
        "Input tokens exceed the configured limit of this model.", "invalid_request_error", "context_length_exceeded"
    ),
}

Chunk = dict[str, Any]


def delta(model: str, finish: str | None = None, **fields: Any) -> Chunk:
    """A chunk with one choice."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "delta": fields, "finish_reason": finish}],
    }


def usage_chunk(model: str, completion_tokens: int, **more: Any) -> Chunk:
    """The last chunk: no choices, the counts."""
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion_tokens,
        "total_tokens": PROMPT_TOKENS + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 4},
        **more,
    }
    return {**delta(model), "choices": [], "usage": usage}


def plain(body: dict[str, Any]) -> list[Chunk]:
    """An ordinary answer, bounded by either spelling of max_tokens, with usage where it was asked for."""
    model, limit = body["model"], body.get("max_tokens", body.get("max_completion_tokens"))
    words = WORDS[:limit]
    finish = "length" if len(words) < len(WORDS) else "stop"
    chunks = [delta(model, role="assistant", content=""), *(delta(model, content=word) for word in words)]
    chunks.append(delta(model, finish))
    if body.get("stream_options", {}).get("include_usage"):
        chunks.append(usage_chunk(model, len(words)))
    return chunks


def reasoning_only(body: dict[str, Any]) -> list[Chunk]:
    """A model that thinks until its tokens are used up and says nothing."""
    model = body["model"]
    chunks = [delta(model, reasoning_content=piece) for piece in REASONING]
    details = {"completion_tokens_details": {"reasoning_tokens": 2}}
    return [*chunks, delta(model, "length"), usage_chunk(model, 2, **details)]


def reasoning_openrouter(body: dict[str, Any]) -> list[Chunk]:
    """OpenRouter calls the field `reasoning`."""
    model = body["model"]
    return [delta(model, reasoning=REASONING[0], content=""), delta(model, content="Yes"), delta(model, "stop")]


def tool_calls(body: dict[str, Any]) -> list[Chunk]:
    """Two calls whose arguments come in fragments that are not JSON by themselves."""
    model = body["model"]

    def part(index: int, arguments: str, **head: Any) -> Chunk:
        name = {"name": head.pop("name")} if "name" in head else {}
        call = {"index": index, **head, "function": {**name, "arguments": arguments}}
        return delta(model, tool_calls=[call])

    return [
        part(0, "", id="call_1", type="function", name="add"),
        part(0, '{"a": 1'),
        part(0, ', "b": 2}'),
        part(1, '{"city"', id="call_2", type="function", name="weather"),
        part(1, ': "Lyon"}'),
        delta(model, "tool_calls"),
        usage_chunk(model, 9),
    ]


def unknown_fields(body: dict[str, Any]) -> list[Chunk]:
    """What no client has heard of, on every level; timings as llama.cpp sends them."""
    chunks = [{**chunk, "service": {"tier": "?"}, "x": None} for chunk in plain(body)]
    for chunk in chunks:
        for choice in chunk["choices"]:
            choice["content_filter_results"] = {"hate": {"filtered": False}}
            choice["delta"]["audio_hint"] = 3
    chunks[-1]["timings"] = {"predicted_n": 5, "predicted_ms": 500.0, "predicted_per_second": 10.0}
    return chunks


def logprobs(body: dict[str, Any]) -> list[Chunk]:
    """One token with its probability."""
    chunk = delta(body["model"], content="Yes")
    chunk["choices"][0]["logprobs"] = {
        "content": [{"token": "Yes", "logprob": -0.5, "bytes": [89], "top_logprobs": []}]
    }
    return [chunk, delta(body["model"], "stop")]


ANSWERS: dict[str, Callable[[dict[str, Any]], list[Chunk]]] = {
    "reasoning-only": reasoning_only,
    "reasoning-openrouter": reasoning_openrouter,
    "tools": tool_calls,
    "unknown-fields": unknown_fields,
    "logprobs": logprobs,
    "no-usage": lambda body: [chunk for chunk in plain(body) if chunk["choices"]],
}


DIMENSIONS = 64


def vector(text: str) -> list[float]:
    """The words of a text, each in one of the directions: what shares words lies near, the same on every machine."""
    found = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.casefold()):
        found[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
    return [number * 3 for number in found] if any(found) else [1.0] * DIMENSIONS  # no unit vector: not all send some


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to an /embeddings request, floats or base64 as it was asked for."""
    model, texts = body["model"], body["input"] if isinstance(body["input"], list) else [body["input"]]
    rows: list[Any] = [vector(text) for text in texts]
    if model == "emb-fewer":
        rows = rows[:-1]
    elif model == "emb-lengths":
        rows[-1] = rows[-1][:-1]
    elif model == "emb-nan":
        rows[0][0] = math.nan
    elif model == "emb-null":
        rows[0] = None
    elif model == "emb-none":
        rows = []
    if body.get("encoding_format") == "base64" and model != "emb-floats":
        rows = [row and base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode() for row in rows]
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    if model == "emb-shuffled":
        data.reverse()
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": 7, "total_tokens": 7}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    end_of_line = b"\n"

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self._record({})
        if self.path.endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": "plain", "object": "model"}]})
        else:
            self._json(404, openai_error("no such page", "invalid_request_error"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._record(body)
        model = body["model"]
        if model in REFUSALS:
            refusal = REFUSALS[model]
            self._json(refusal.status, refusal.body, refusal.headers)
        elif model in TOO_LONG:
            self._json(400, TOO_LONG[model])
        elif model == "strict" and (unknown := set(body) - MISTRAL_FIELDS):
            self._json(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", name]} for name in unknown]})
        elif model == "emb-busy-once" and sum(seen.body.get("model") == model for seen in self.server.requests) == 1:
            self._json(429, openai_error("Rate limit reached", "tokens"), {"Retry-After": "0.01"})
        elif model == "silent":  # no status line, ever
            self._wait_for_the_client_to_go()
        elif self.path.endswith("/embeddings"):
            self._json(200, "<html>a page</html>" if model == "emb-html" else embeddings(body))
        elif self.path.endswith("/responses"):
            self._responses(body)
        elif not body.get("stream"):
            self._json(200, whole(plain(body)))
        else:
            self._stream(body)

    def chunks(self, body: dict[str, Any]) -> list[Chunk]:
        """What the answer to that body consists of."""
        return ANSWERS.get(body["model"], plain)(body)

    def _record(self, body: dict[str, Any]) -> None:
        self.server.requests.append(Recorded(self.command, self.path, dict(self.headers), body))

    def _json(self, status: int, body: dict[str, Any] | str, headers: dict[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, body: dict[str, Any]) -> None:
        model = body["model"]
        chunks = self.chunks(body)
        if model == "slow":
            time.sleep(0.6)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if model == "crlf":
            self.end_of_line = b"\r\n"
            self._line(b": a comment, as some proxies send to keep the connection open")
        head = b"event: message\r\nid: 1\r\ndata:" if model == "crlf" else b"data: "  # the space is optional
        for number, chunk in enumerate(chunks):
            if number == 3 and self._fault(model):
                return
            self._line(head + json.dumps(chunk, ensure_ascii=False).encode())
            if model == "paced":
                time.sleep(0.2)
        self._line(b"data: [DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _responses(self, body: dict[str, Any]) -> None:
        """The events of OpenAI's other protocol; the ends are named and the faults are the same."""
        model, limit = body["model"], body.get("max_output_tokens")
        words = WORDS[:limit]
        cut = len(words) < len(WORDS)
        usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": len(words), "input_tokens_details":
                 {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
        whole = {"model": model, "status": "incomplete" if cut else "completed", "usage": usage}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event("response.created", response={"model": model, "status": "in_progress"})
        if model == "reasoning-only":
            self._event("response.reasoning_summary_text.delta", delta="Let me think.")
        for number, word in enumerate(words):
            if number == 2 and self._fault(model):
                return
            self._event("response.output_text.delta", delta=word)
        if model == "failed":
            self._event("response.failed", response={"error": {"code": "server_error", "message": f"crashed {KEY}"}})
        elif model == "too-long-late":
            self._event("error", code="context_length_exceeded", message="Your input exceeds the context window")
        else:
            self._event("response.incomplete" if cut else "response.completed", response=whole)
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, kind: str, **fields: Any) -> None:
        data = json.dumps({"type": kind, **fields})
        self._line(f"event: {kind}\ndata: {data}".encode())

    def _fault(self, model: str) -> bool:
        """What happens after the second word; True when the stream is over with it."""
        if model == "cut":  # in the middle of a chunk
            self.connection.shutdown(socket.SHUT_RDWR)
        elif model == "cut-clean":  # the transfer ends well, the answer does not
            self.wfile.write(b"0\r\n\r\n")
        elif model == "error-in-stream":
            self._line(b"data: " + json.dumps(openai_error("The model crashed", "server_error")).encode())
            self.wfile.write(b"0\r\n\r\n")
        elif model == "garbage":
            self._line(b"data: {not json")
        elif model == "stall":
            self._wait_for_the_client_to_go()
        else:
            return False
        self.close_connection = True
        return True

    def _line(self, line: bytes) -> None:
        data = line + self.end_of_line * 2
        with contextlib.suppress(OSError):  # the client may have gone
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _wait_for_the_client_to_go(self) -> None:
        while not self.server.closing.is_set():
            if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                self.server.gone.set()
                break
        self.close_connection = True


# docs.mistral.ai/api, chat completion request; anything else is answered with 422 extra_forbidden
MISTRAL_FIELDS = {
    "model", "messages", "temperature", "top_p", "max_tokens", "stream", "stream_options", "stop", "random_seed",
    "response_format", "tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "safe_prompt",
}  # fmt: skip


def whole(chunks: list[Chunk]) -> dict[str, Any]:
    """The chunks as one answer without streaming."""
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    message = {"role": "assistant", "content": text}
    usage = usage_chunk("", len(choices) - 2)["usage"]
    choice = {"index": 0, "message": message, "finish_reason": choices[-1]["finish_reason"]}
    return {**chunks[0], "object": "chat.completion", "choices": [choice], "usage": usage}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        super().__init__(("127.0.0.1", port), handler or Handler)
        self.requests: list[Recorded] = []
        self.gone = threading.Event()
        self.closing = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the game."""


class OpenAIStandIn:
    """A running stand-in: `base_url` ends in /v1, `requests` is what came in, `gone` is set when the client left."""

    def __init__(self, port: int = 0, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        self._server = _Server(port, handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self.requests = self._server.requests
        self.gone = self._server.gone

    @property
    def last(self) -> Recorded:
        """The latest request."""
        return self.requests[-1]

    def close(self) -> None:
        """Stop listening."""
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def openai_standin(port: int = 0) -> Iterator[OpenAIStandIn]:
    """A stand-in for the length of the block. Raises OSError where the port is taken; 0 is any free one."""
    server = OpenAIStandIn(port)
    try:
        yield server
    finally:
        server.close()
