"""A loopback server that speaks Ollama's own protocol, with its quirks: a token is a word, and the model's name chooses
what goes wrong.

A prompt that is too long is cut in silence to half the window and two tokens, unless `truncate` and `shift` are false;
the model "old" knows neither field, and has two tokens for a word. Requests are recorded.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.standins.openai_server import WORDS, Recorded

MODELS = ("plain:latest", "old:latest", "thinking:latest")
DEFAULT_WINDOW, TRAINED = 4096, 8192
TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the "
    "context length in settings, or use a model with a longer context length"
)
DETAILS = {"format": "gguf", "family": "llama", "parameter_size": "135M", "quantization_level": "Q8_0"}
THOUGHTS = ("Let me", " think.")


def tokens(messages: list[dict[str, Any]]) -> int:
    """The words of all messages."""
    return sum(len(message["content"].split()) for message in messages)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self._record({})
        routes: dict[str, Any] = {
            "/api/version": {"version": "0.33.0"},
            "/api/tags": {
                "models": [{"name": name, "model": name, "size": 1000, "details": DETAILS} for name in MODELS]
            },
            "/api/ps": {
                "models": [
                    {"name": name, "size": 2000, "size_vram": 0, "context_length": window, "expires_at": "2026-11-22"}
                    for name, window in self.server.loaded.items()
                ]
            },
        }
        self._json(200, routes[self.path]) if self.path in routes else self._json(404, "404 page not found")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._record(body)
        name = body["model"]
        if name == "refused":
            self._json(401, {"error": "unauthorized"})
        elif name == "missing":
            self._json(404, {"error": f"model '{name}' not found"})
        elif name == "busy":
            self._json(503, {"error": "server busy, please try again.  maximum pending requests exceeded"})
        elif name == "silent" and self.path == "/api/chat":
            self._wait_for_the_client_to_go()
        elif self.path == "/api/show":
            self._json(200, {"details": DETAILS, "model_info": {"general.architecture": "llama",
                             "llama.context_length": TRAINED}, "capabilities": ["completion"], "template": "{{ .P }}",
                             "license": "Apache License"})  # fmt: skip
        elif self.path == "/api/generate":
            self._generate(body)
        elif self.path == "/api/pull":
            self._pull(name)
        elif self.path == "/api/chat":
            self._chat(body)
        else:
            self._json(404, "404 page not found")

    def _generate(self, body: dict[str, Any]) -> None:
        name = body["model"] if ":" in body["model"] else f"{body['model']}:latest"
        if body.get("keep_alive") == 0:
            self.server.loaded.pop(name, None)
            self._json(200, {"model": name, "done": True, "done_reason": "unload"})
        else:
            self.server.loaded[name] = (body.get("options") or {}).get("num_ctx", DEFAULT_WINDOW)
            self._json(200, {"model": name, "done": True, "done_reason": "load"})

    def _pull(self, name: str) -> None:
        self._begin()
        self._line({"status": "pulling manifest"})
        for completed in (0, 500, 1000):
            self._line({"status": "pulling abc", "digest": "sha256:abc", "total": 1000, "completed": completed})
        self._line(
            {"error": "pull model manifest: file does not exist"} if name == "nowhere" else {"status": "success"}
        )
        self._end()

    def _chat(self, body: dict[str, Any]) -> None:
        name, options = body["model"], body.get("options") or {}
        window = options.get("num_ctx", DEFAULT_WINDOW)
        old = name == "old"
        read = tokens(body["messages"]) * (2 if old else 1)
        if read > window - 1:
            if not old and body.get("truncate") is False and body.get("shift") is False:
                self._json(400, {"error": TOO_LONG})
                return
            read = window // 2 + 2
        limit = options.get("num_predict", -1)
        words = WORDS if limit < 0 else WORDS[:limit]
        if name == "slow":
            time.sleep(0.6)
        self._begin()
        sent = self._answer(name, words)
        if sent:
            cut = len(words) < len(WORDS)
            self._line(self._done(name, read, len(words), "length" if cut else "stop"))
            self._end()

    def _answer(self, name: str, words: tuple[str, ...]) -> bool:
        """Write the objects before the last one; False when the connection is over with it."""
        if name == "thinking":
            for thought in THOUGHTS:
                self._line({"model": name, "message": {"role": "assistant", "content": "", "thinking": thought}})
        if name == "tools":
            call = {"function": {"name": "add", "arguments": {"a": 1, "b": 2}}}
            self._line({"model": name, "message": {"role": "assistant", "content": "", "tool_calls": [call]}})
        for number, word in enumerate(words):
            if number == 2 and self._fault(name):
                return False
            chunk: dict[str, Any] = {"model": name, "message": {"role": "assistant", "content": word}, "done": False}
            if name == "logprobs":
                chunk["logprobs"] = [{"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": []}]
            self._line(chunk)
        return True

    @staticmethod
    def _done(name: str, read: int, written: int, reason: str) -> dict[str, Any]:
        counts = {} if name == "cached" else {"prompt_eval_count": read}  # what an old version leaves out
        return {"model": name, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason,
                "total_duration": 3_000_000_000, "load_duration": 1_000_000_000, **counts, "prompt_eval_duration": 5,
                "eval_count": written, "eval_duration": 500_000_000}  # fmt: skip

    def _fault(self, name: str) -> bool:
        if name == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif name == "cut-clean":
            self._end()
        elif name == "error-in-stream":
            self._line({"error": "llama runner process has terminated"})
            self._end()
        elif name == "garbage":
            self._raw(b"{not json\n")
        elif name == "stall":
            self._wait_for_the_client_to_go()
        else:
            return False
        self.close_connection = True
        return True

    def _record(self, body: dict[str, Any]) -> None:
        self.server.requests.append(Recorded(self.command, self.path, dict(self.headers), body))

    def _json(self, status: int, body: Any) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _line(self, told: dict[str, Any]) -> None:
        self._raw(json.dumps(told, ensure_ascii=False).encode() + b"\n")

    def _raw(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the client may have gone
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"0\r\n\r\n")

    def _wait_for_the_client_to_go(self) -> None:
        while not self.server.closing.is_set():
            if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.requests: list[Recorded] = []
        self.loaded: dict[str, int] = {}
        self.closing = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the game."""


class OllamaStandIn:
    """A running stand-in: `base_url` ends in /v1 as in providers.toml, `loaded` are windows of what is in memory."""

    def __init__(self, port: int = 0) -> None:
        self._server = _Server(port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.port = self._server.server_port
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self.requests = self._server.requests
        self.loaded = self._server.loaded

    def chats(self) -> list[Recorded]:
        """The requests for an answer."""
        return [seen for seen in self.requests if seen.path == "/api/chat"]

    def close(self) -> None:
        """Stop listening."""
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def ollama_standin(port: int = 0) -> Iterator[OllamaStandIn]:
    """A stand-in for the length of the block."""
    server = OllamaStandIn(port)
    try:
        yield server
    finally:
        server.close()
