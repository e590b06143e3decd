"""What a server may send at most, and that nothing packed is asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engine.backends import json_line
from engine.backends.base import Control
from engine.backends.json_line import JsonLine
from engine.errors import ServerFailed

MOST = 100_000


class Endless(BaseHTTPRequestHandler):
    """A body that never ends, with the status and the beginning that its path names."""

    encodings: list[str]

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        type(self).encodings.append(self.headers["Accept-Encoding"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if self.path == "/failing" else 200)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b'{"a": 1}\r\n{"b": "\xc3\xa9"}\n' if self.path == "/lines" else b"")
            while True:
                self.wfile.write(b"x" * 4096)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonLine]:
    monkeypatch.setattr(json_line, "ANSWER_MAX", MOST)
    monkeypatch.setattr(json_line, "ERROR_MAX", MOST)
    Endless.encodings = []
    with HTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with JsonLine(f"http://127.0.0.1:{server.server_port}", None) as opened:
            yield opened
        server.shutdown()


@pytest.mark.parametrize("path", ["/whole", "/failing"])
def test_an_endless_answer_is_cut(line: JsonLine, path: str) -> None:
    with pytest.raises(ServerFailed):
        line.post(path, {})
    assert Endless.encodings == ["identity"]


def test_an_endless_line_of_a_stream_is_cut(line: JsonLine) -> None:
    came = []
    with pytest.raises(ServerFailed, match="at once"):
        for told in line.stream("/lines", {}, Control()):
            came.append(told)
    assert came == [{"a": 1}, {"b": "é"}] and Endless.encodings == ["identity"]
