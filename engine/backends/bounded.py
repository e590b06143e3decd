"""Answers that do not end are cut: a body, or an event of a stream, that is longer than anybody's. Knows no protocol.

It stands between httpx and a library that keeps what it reads until it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from engine.errors import ServerFailed

ANSWER_MAX = 32 * 2**20  # bytes of a body, or of one event of a stream
ERROR_MAX = 2**20  # of the body of an error, of which the beginning is enough
LINES_MAX = 20_000  # of one event: a reader that joins them takes time for each
ENDS = (b"\n\n", b"\r\r", b"\r\n\r\n")  # of an event
PLAIN = "identity"


def bound(response: httpx.Response) -> None:
    """Have the answer end in a ServerFailed where it has no end; a hook of an httpx client."""
    if response.headers.get("content-encoding", PLAIN).lower() != PLAIN:
        # what is packed could be a thousand times longer than what came, and nothing packed was asked for
        raise ServerFailed(f"{response.url.host} sent a packed answer", status=response.status_code)
    assert isinstance(response.stream, httpx.SyncByteStream)
    kind = response.headers.get("content-type", "")
    if response.is_error:
        response.stream = _Beginning(response.stream, response.url.host)
    elif kind.startswith("text/event-stream"):
        response.stream = _Events(response.stream, response.url.host)
    else:
        response.stream = _Whole(response.stream, response.url.host)


class _Whole(httpx.SyncByteStream):
    """A body of a bounded length."""

    def __init__(self, stream: httpx.SyncByteStream, host: str) -> None:
        self._stream = stream
        self._host = host
        self._came = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            if not self._take(piece):
                return
            yield piece

    def close(self) -> None:
        self._stream.close()

    def _take(self, piece: bytes) -> bool:
        """Whether the piece belongs to what is read. Raises ServerFailed where that is too much."""
        self._came += len(piece)
        if self._came > ANSWER_MAX:
            raise ServerFailed(f"{self._host} sent more than {ANSWER_MAX} bytes at once", status=None)
        return True


class _Beginning(_Whole):
    """The beginning of a body."""

    def _take(self, piece: bytes) -> bool:
        self._came += len(piece)
        return self._came <= ERROR_MAX


class _Events(_Whole):
    """Events of a bounded length, as many as there are."""

    def __init__(self, stream: httpx.SyncByteStream, host: str) -> None:
        super().__init__(stream, host)
        self._tail = b""
        self._lines = 0

    def _take(self, piece: bytes) -> bool:
        seen = self._tail + piece
        self._tail = seen[-3:]
        if (end := max(seen.rfind(mark) for mark in ENDS)) >= 0:
            last = seen[end:].lstrip(b"\r\n")
            self._came, self._lines = 0, 0
        else:
            last = piece
        self._lines += last.count(b"\n") + last.count(b"\r")
        if self._lines > LINES_MAX:
            raise ServerFailed(f"{self._host} sent an event of more than {LINES_MAX} lines", status=None)
        return super()._take(last)
