"""Server-sent events read from bytes, as the HTML standard says and no stricter: an event needs no id. Knows no server
and no connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.errors import ServerFailed

EVENT_MAX = 32 * 2**20  # bytes of one line or of one event
_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ServerSent:
    """One event: its name ("message" where it has none) and its data, lines joined."""

    name: str
    data: str
    id: str | None = None


def events(pieces: Iterable[bytes], address: str) -> Iterator[ServerSent]:
    """The events as they come; one that the stream's end cuts is left out. Raises ServerFailed for an endless one."""
    name, last_id, size = "", None, 0
    data: list[str] = []
    for line in _lines(pieces, address):
        if not line:
            if name or data:
                yield ServerSent(name or "message", "\n".join(data), last_id)
            name, data, size = "", [], 0
            continue
        field, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "id":
            last_id = value
        elif field == "data":
            size += len(line)
            if size > EVENT_MAX:
                raise _endless(address)
            data.append(value)


def _lines(pieces: Iterable[bytes], address: str) -> Iterator[bytes]:
    """Whole lines; the end of one may be two bytes in two pieces."""
    rest, begun, after_return = bytearray(), False, False
    for piece in pieces:
        if after_return and piece.startswith(b"\n"):
            piece = piece[1:]
            after_return = False
        if not piece:
            continue
        after_return = piece.endswith(b"\r")
        *whole, last = _END.split(piece)
        for line in whole:
            found, begun = bytes(rest + line) if begun else bytes(rest + line).removeprefix(_BOM), True
            rest.clear()
            yield found
        rest += last
        if len(rest) > EVENT_MAX:
            raise _endless(address)


def _endless(address: str) -> ServerFailed:
    return ServerFailed(f"{address} sent more than {EVENT_MAX} bytes at once", status=None)
