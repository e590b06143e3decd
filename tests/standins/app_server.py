"""The whole application as a process of its own, on a free loopback port with an empty data folder. Knows no test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection, create_server
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.marks import holding, marks_in
from tests.sharing import JOB_NICE

ROOT = Path(__file__).parents[2]
START_S = 300  # a machine that is full of work opens Gradio slowly


@dataclass(frozen=True)
class Reply:
    """One answer: its status, lower-case headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class AppServer:
    """A running application; `output` is what it has written so far, errors included."""

    port: int
    home: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it has written so far."""
        return "".join(self.lines)

    def connection(self) -> HTTPConnection:
        """A fresh connection."""
        return HTTPConnection("127.0.0.1", self.port, timeout=240)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        host: str | None = None,
    ) -> Reply:
        """One request; a body that is not bytes is sent as JSON. `host` replaces the Host header."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connection()
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, told, response.read())
        finally:
            connection.close()

    def websocket(self, path: str, headers: Mapping[str, str] | None = None, host: str | None = None) -> int:
        """The status of a websocket handshake: 101 if it was accepted."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        with create_connection(("127.0.0.1", self.port), timeout=240) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            return int(connection.recv(64).split(b" ")[1])

    def join(self, code: str, nickname: str) -> str:
        """The Cookie header of a new person."""
        form = urlencode({"code": code, "nickname": nickname}).encode()
        reply = self.ask("POST", "/join", form, {"Content-Type": "application/x-www-form-urlencoded"})
        assert reply.status == 303, reply
        return reply.headers["set-cookie"].partition(";")[0]

    def gradio(self, path: str = "/gradio/en/", headers: Mapping[str, str] | None = None) -> Reply:
        """The answer of Gradio's door once it is open, which the first question begins. Fails when it will not open."""
        until = time.monotonic() + START_S
        while True:
            reply = self.ask("GET", path, headers=headers)
            if reply.status != 503:
                return reply
            assert "retry-after" in reply.headers and time.monotonic() < until, f"no Gradio:\n{self.output}"
            time.sleep(0.2)

    def codes(self) -> dict[str, str]:
        """The codes of its class, as its file holds them."""
        return dict(json.loads((self.home / "class.json").read_text()))


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def app_server(*options: str, environment: Mapping[str, str] | None = None) -> Iterator[AppServer]:
    """The application, answering; ended with the block. Gradio, ten seconds of processor, is there once it is asked
    for, unless the environment says otherwise.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="atelier-app-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
        inherited |= {JOB_NICE: os.environ[JOB_NICE]} if JOB_NICE in os.environ else {}
        given = {"ATELIER_HOME": str(home), "ATELIER_MODEL": "echo", "LANG": "C.UTF-8", "ATELIER_GRADIO_ON_DEMAND": "1"}
        given |= environment or {}
        command = [sys.executable, "-m", "apps.server", "--port", str(port), *options]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        server = AppServer(port, home, process)
        reader = threading.Thread(target=_read, args=(server,), daemon=True)
        reader.start()
        try:
            _wait(server)
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join(5)
            assert process.stdout is not None
            process.stdout.close()
        found = [*marks_in(server.output), *holding(home)]
        assert not found, f"keys were left by the application: {found}"


def _read(server: AppServer) -> None:
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.lines.append(line)


def _wait(server: AppServer) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if server.process.poll() is not None:
            time.sleep(0.2)
            raise AssertionError(f"the application ended with {server.process.returncode}:\n{server.output}")
        try:
            if server.ask("GET", "/healthz").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the application did not answer within {START_S} s:\n{server.output}")


def wait_for(condition: Any, seconds: float = 240.0) -> bool:
    """Whether the condition became true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


def location(reply: Reply) -> str:
    """Path of a redirect."""
    return urlsplit(reply.headers["location"]).path


def found(pattern: str, text: str) -> str:
    """The first group of a pattern that must occur."""
    match = re.search(pattern, text)
    assert match, text
    return match.group(1)
