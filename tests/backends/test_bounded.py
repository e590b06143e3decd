"""A server whose answers do not end, behind the libraries that keep what they read: cut, over real HTTP on loopback."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine.backends import bounded
from engine.backends.base import Request
from engine.backends.openai_compat import OpenAICompat
from engine.errors import EngineError, ServerFailed
from engine.generation import Generation
from engine.params import Params
from engine.providers import Provider
from engine.rag.remote_embedder import RemoteEmbedder
from engine.types import Message

MOST = 200_000
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}


def chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({**CHUNK, "choices": [choice]}).encode() + b"\n\n"


class Endless(BaseHTTPRequestHandler):
    """One way not to end for each model."""

    encodings: list[str | None] = []
    begun = {
        "line": chunk("a") + b"data: ",
        "lines": chunk("a"),
        "event": chunk("a"),
        "deep": b"data: " + b"[" * 99_999 + b"\n\n",
    }
    more = {
        "line": b"x" * 4096,
        "lines": b"data\n" * 512,
        "event": b"data: " + b"x" * 4096 + b"\r\n",
        "body": b" " * 4096,
    }

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        self.encodings.append(self.headers.get("Accept-Encoding"))
        self.send_response(500 if model == "failing" else 200)
        body = model in ("body", "failing")
        self.send_header("Content-Type", "application/json" if body else "text/event-stream; charset=utf-8")
        if model == "packed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(self.begun.get(model, b""))
            if model == "packed":
                self.wfile.write(gzip.compress(chunk("a" * 10_000_000, "stop")))
            elif model == "long":  # much in all, each event small
                for _ in range(5 * MOST // 1000):
                    self.wfile.write(chunk("a" * 1000))
                self.wfile.write(chunk("", "stop") + b"data: [DONE]\n\n")
            elif model != "deep":
                while True:
                    self.wfile.write(self.more.get(model, b" " * 4096))


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("ANSWER_MAX", "ERROR_MAX"):
        monkeypatch.setattr(bounded, name, MOST)
    monkeypatch.setattr(bounded, "LINES_MAX", 2000)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)
    Endless.encodings = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def asked(address: str, model: str) -> tuple[str, EngineError | None]:
    opened = OpenAICompat(address, model, None, Provider(id="test", name="Test", base_url=address))
    running = Generation(opened, Request((Message("user", "Hi"),), Params()), model=model)
    with contextlib.suppress(EngineError):
        for _ in running:
            pass
    result = running.result
    return result.text, result.error


@pytest.mark.parametrize("model", ["line", "lines", "event", "body", "failing", "deep", "packed"])
def test_an_answer_without_an_end_is_cut(address: str, model: str) -> None:
    text, error = asked(address, model)
    assert isinstance(error, ServerFailed), error
    assert text == "a" if model in ("line", "event") else text in ("", "a")
    assert set(Endless.encodings) == {"identity"}


def test_a_long_answer_of_small_events_is_whole(address: str) -> None:
    text, error = asked(address, "long")
    assert error is None and len(text) == 5 * MOST // 1000 * 1000


@pytest.mark.parametrize("model", ["body", "failing", "packed"])
def test_vectors_without_an_end_are_cut(address: str, model: str) -> None:
    with pytest.raises(ServerFailed):
        RemoteEmbedder("openai:test:m", address, model, None).query("?")
