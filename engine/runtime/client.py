"""An HTTP client of one llama.cpp server: JSON calls and event streams that end at once when told. Knows no model and
no queue.

Written on http.client and not on httpx: a stream must be stoppable from another thread before its first byte has come
(httpx gives no socket until then), and reading a chunk costs less time on the cores that the model needs.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
from collections.abc import Generator, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from engine.backends.base import Control
from engine.errors import (
    BadParameter,
    EngineError,
    NotFound,
    NotSupported,
    PaymentRequired,
    PromptTooLong,
    RateLimited,
    ServerFailed,
    StreamCut,
    TimedOut,
    Unauthorized,
    Unreachable,
)

IDLE_CONNECTIONS = 8


class LlamaServer:
    """One server at `address` ("http://127.0.0.1:1234"), from any thread. Raises EngineError only."""

    def __init__(self, address: str, key: str | None = None, timeout: float = 600) -> None:
        self.address = address.rstrip("/")
        self.timeout = timeout
        self._url = urlsplit(self.address)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue(IDLE_CONNECTIONS)

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request to it carries, the key included: for readers of their own."""
        return self._headers

    def get(self, path: str) -> Any:
        """The JSON answer to a GET."""
        return self._call("GET", path, None, None)

    def post(self, path: str, body: Mapping[str, Any], *, control: Control | None = None) -> Any:
        """The JSON answer to a POST; `control.stop()` breaks the connection, which raises StreamCut here."""
        return self._call("POST", path, body, control)

    def stream(self, path: str, body: Mapping[str, Any], control: Control) -> Generator[dict[str, Any], None, None]:
        """The data objects of an event stream up to its end: `[DONE]`, or `"stop": true` on `/completion`.

        Ends quietly when `control` stops it. Raises StreamCut when the connection ends before, and whatever an `error`
        object in the stream stands for.
        """
        connection = self._connect()
        try:
            with self._mapped(control):
                yield from self._events(connection, path, body, control)
        finally:
            connection.close()

    def within(self, seconds: float) -> LlamaServer:
        """The same server, for calls that wait no longer than that; with connections of its own."""
        other = LlamaServer(self.address, timeout=seconds)
        other._headers = self._headers
        return other

    def close(self) -> None:
        """Close the idle connections."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _events(
        self, connection: http.client.HTTPConnection, path: str, body: Mapping[str, Any], control: Control
    ) -> Iterator[dict[str, Any]]:
        with self._reaching():
            connection.connect()
        control.on_stop(lambda: _break(connection))
        self._send(connection, "POST", path, body)
        response = connection.getresponse()
        if response.status != 200:
            raise error_of(response.status, response.read(65536), response.headers)
        received, ended = 0, False
        for line in response:
            if not line.startswith(b"data: "):
                if line.startswith(b"error: "):  # llama.cpp's own event name for an error after the first byte
                    raise error_of(500, line[7:], {})
                continue
            if line.startswith(b"data: [DONE]"):
                return
            data = json.loads(line[6:])
            if "error" in data:
                raise error_of(int(data["error"].get("code", 500)), line[6:], {})
            received += len(line)
            ended = data.get("stop") is True  # `/completion` ends so, without [DONE]
            yield data
        if not (ended or control.stopped):
            raise StreamCut(received=received)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, control: Control | None) -> Any:
        connection = self._take()
        with self._mapped(control):
            try:
                if connection.sock is None:
                    with self._reaching():
                        connection.connect()
                if control:
                    control.on_stop(lambda: _break(connection))
                self._send(connection, method, path, body)
                response = connection.getresponse()
                data = response.read()
            except BaseException:
                connection.close()
                raise
            if control:
                connection.close()  # its stop switch must not reach a later call
            else:
                self._give(connection)
            if response.status >= 400:
                raise error_of(response.status, data, response.headers)
            return json.loads(data) if data else None

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Mapping[str, Any] | None
    ) -> None:
        payload = None if body is None else json.dumps(body).encode()
        connection.request(method, self._url.path + path, payload, self._headers)

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=self.timeout)

    def _take(self) -> http.client.HTTPConnection:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            return self._connect()
        if connection.sock is not None and _is_stale(connection.sock):
            connection.close()
        return connection

    def _give(self, connection: http.client.HTTPConnection) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unreachable(f"{self.address}: {error}", address=self.address) from error

    @contextlib.contextmanager
    def _mapped(self, control: Control | None) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise TimedOut(f"no answer from {self.address}", seconds=self.timeout) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if control is not None and control.stopped:
                raise StreamCut("stopped", received=0) from error
            raise StreamCut(f"the connection to {self.address} broke: {error}", received=0) from error


def _break(connection: http.client.HTTPConnection) -> None:
    """Shut the socket down, which wakes the thread that reads from it."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):  # already closed by the other side
            connection.sock.shutdown(socket.SHUT_RDWR)


def _is_stale(sock: socket.socket) -> bool:
    """Whether the server has closed an idle connection meanwhile."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        with contextlib.suppress(OSError):
            sock.settimeout(600)


STATUS_ERRORS: dict[int, type[EngineError]] = {
    400: BadParameter,
    401: Unauthorized,
    402: PaymentRequired,
    403: Unauthorized,
    404: NotFound,
    422: BadParameter,
    501: NotSupported,
}


def error_of(status: int, body: bytes, headers: Mapping[str, str] | http.client.HTTPMessage) -> EngineError:
    """The error that an HTTP answer stands for; llama.cpp's `exceed_context_size_error` becomes PromptTooLong with its
    numbers.
    """
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = {}
    detail = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    if not isinstance(detail, dict):
        detail = {"message": str(detail)}
    if detail.get("type") == "exceed_context_size_error":
        return PromptTooLong(int(detail["n_prompt_tokens"]), int(detail["n_ctx"]))
    message = str(detail.get("message") or body[:300].decode("utf-8", "replace"))
    if status == 429:
        return RateLimited(message, retry_after=headers.get("Retry-After"), status=status)
    if status == 501:
        return NotSupported(message, capability=None, backend="llamacpp")
    if status in (400, 422):
        return BadParameter(message, name=detail.get("param"), value=None, low=None, high=None)
    return STATUS_ERRORS.get(status, ServerFailed)(message, status=status)
