"""JSON over one HTTP connection, for the servers that have a protocol of their own: calls, and streams of JSON lines or
of server-sent events. Knows no server.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from engine.addresses import Reach
from engine.backends.base import Control
from engine.backends.http_errors import by_status, hidden, too_long
from engine.backends.line import Line, certificates
from engine.errors import EngineError, ServerFailed, StreamCut, TimedOut, Unreachable

ANSWER_MAX = 32 * 2**20  # bytes of an answer, or of one line of a stream
ERROR_MAX = 2**20
PLAIN = {"Accept-Encoding": "identity"}  # what is packed could be a thousand times longer than what came
DEPTH_MAX = 200_000  # characters of an error's body that are looked at
SHOWN_MAX = 500


class JsonLine:
    """One server at `address`, one request at a time; `control.stop()` breaks its connection from any thread.

    `seconds` bound a plain call; it goes where `reach` says, anywhere where that is None. Raises EngineError only.
    """

    def __init__(
        self,
        address: str,
        key: str | None,
        *,
        model: str = "",
        seconds: float | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        self._key = key or None
        self._model = model
        self._seconds = seconds
        # reading the certificates takes 20 ms; a context without any trusts nobody
        tls = certificates() if address.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._line = Line(self.address, self._key, tls, reach=reach)

    def __enter__(self) -> JsonLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str) -> Any:
        """The JSON answer to a GET."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to a POST."""
        return self._call("POST", path, body)

    def stream(self, path: str, body: Mapping[str, Any], control: Control) -> Iterator[dict[str, Any]]:
        """The JSON objects of the answer as they come, each on a line of its own, with or without `data:` before it.

        Ends quietly once `control` stops it.
        """
        self._line.lend(control)
        received = 0
        try:
            asked = self._line.client.stream("POST", self._url(path), json=body, headers=PLAIN)
            with self._mapped(lambda: received, control), asked as response:
                self._admit(response)
                for line in _lines(response, self.address):
                    if (found := _object(line, self.address)) is not None:
                        received += len(line)
                        yield found
        finally:
            self._line.end()

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        timeout = httpx.USE_CLIENT_DEFAULT if self._seconds is None else httpx.Timeout(self._seconds)
        asked = self._line.client.stream(method, self._url(path), json=body, timeout=timeout, headers=PLAIN)
        with self._mapped(lambda: 0, None), asked as response:
            self._admit(response)
            data = read_bounded(response, ANSWER_MAX)
            if len(data) > ANSWER_MAX:
                raise endless(self.address)
            return parsed(data.decode(errors="replace"), self.address)

    def _url(self, path: str) -> str:
        return f"{self.address}{path}"

    def _admit(self, response: httpx.Response) -> None:
        """Raises what a status other than 2xx stands for."""
        if response.is_success:
            return
        text = read_bounded(response, ERROR_MAX).decode(errors="replace")[:DEPTH_MAX]
        message = hidden(_message(text) or f"HTTP {response.status_code}", self._key)[:SHOWN_MAX]
        if response.status_code in (400, 413, 422, 500) and (told := too_long(text)):
            raise told
        raise by_status(
            response.status_code, message, response.headers, address=self.address, model=self._model or message
        )

    @contextlib.contextmanager
    def _mapped(self, received: Any, control: Control | None) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if control is not None and control.stopped:
                return
            told = explained(error, self.address, received(), self._seconds)
            # the message of a broken request may repeat its headers
            raise told from (None if self._key and self._key in repr(error) else error)


@contextlib.contextmanager
def shaped(what: str) -> Iterator[None]:
    """A block, or as a decorator a call, that reads JSON of a shape that only `what` sends. Raises ServerFailed for any
    other.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ServerFailed(f"this is not {what}", status=None) from error


def explained(error: Exception, address: str, received: int, seconds: float | None = None) -> EngineError:
    """What broke between us and `address`; `received` characters of an answer had come, `seconds` was the limit."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return Unreachable(f"{address} cannot be reached", address=address)
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"nothing more came from {address}", seconds=seconds)
    return StreamCut(f"the connection to {address} broke", received=received)


def whole(value: Any) -> int | None:
    """The value where it is a whole number from 0 on, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def root_of(base_url: str) -> str:
    """Where a server's own routes begin: the base URL without `/v1`."""
    return base_url.rstrip("/").removesuffix("/v1")


def read_bounded(response: httpx.Response, most: int) -> bytes:
    """The body of a streamed answer, or its beginning: little more than `most` bytes."""
    data = bytearray()
    for piece in response.iter_bytes():
        data += piece
        if len(data) > most:
            break
    return bytes(data)


def _lines(response: httpx.Response, address: str) -> Iterator[str]:
    """The lines as they come. Raises ServerFailed for one that does not end."""
    rest = bytearray()
    for piece in response.iter_bytes():
        *lines, last = piece.split(b"\n")
        for line in lines:
            yield (rest + line).decode(errors="replace")
            rest.clear()
        rest += last
        if len(rest) > ANSWER_MAX:
            raise endless(address)
    if rest:
        yield rest.decode(errors="replace")


def endless(address: str) -> ServerFailed:
    """The error of a server whose answer has no end."""
    return ServerFailed(f"{address} sent more than {ANSWER_MAX} bytes at once", status=None)


def _object(line: str, address: str) -> dict[str, Any] | None:
    """The object of a line; None for an empty one, a comment, an event's name and the mark of the end."""
    text = line.strip()
    if text.startswith("data:"):
        text = text[5:].strip()
    if not text.startswith("{"):
        if text and text[0] in "[\"'" and text != "[DONE]":
            raise ServerFailed(f"{address} sent what is no JSON object", status=None)
        return None
    found = parsed(text, address)
    return found if isinstance(found, dict) else None


def parsed(text: str, address: str) -> Any:
    """The JSON value of the text. Raises ServerFailed."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise ServerFailed(f"{address} sent what is not JSON", status=None) from error
    except RecursionError as error:
        raise ServerFailed(f"{address} sent JSON that is nested too deeply", status=None) from error


def _message(text: str) -> str | None:
    """What an error's body says: `{"error": "…"}`, `{"error": {"message": "…"}}` or `{"message": "…"}`."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    told = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(told, dict):
        told = told.get("message")
    return told if isinstance(told, str) else None
