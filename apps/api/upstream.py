"""One event stream of a llama.cpp server, read from a bare asyncio socket: no library between the bytes and the client,
and a close that the server notices at once. Knows no event.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from engine.errors import StreamCut, Unreachable
from engine.runtime.client import LlamaServer

HEAD_LIMIT = 64 * 1024
READ = 64 * 1024


class Upstream:
    """The answer to one POST: `status`, `headers`, then blocks of body bytes. Close it, whatever happens."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def post(cls, server: LlamaServer, path: str, body: Mapping[str, Any]) -> AsyncIterator[Upstream]:
        """The answer as soon as its head is there. Raises Unreachable, StreamCut."""
        url = urlsplit(server.address)
        try:
            reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=HEAD_LIMIT)
        except OSError as error:
            raise Unreachable(f"{server.address}: {error}", address=server.address) from error
        upstream = cls(reader, writer)
        try:
            await upstream._ask(url.path + path, url.netloc, server.headers, json.dumps(body).encode())
            yield upstream
        finally:
            writer.transport.abort()  # not a polite close: the server must see at once that nobody reads

    async def _ask(self, path: str, host: str, headers: Mapping[str, str], body: bytes) -> None:
        lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise StreamCut("the runtime closed the connection", received=0) from error
        self.status = int(head[0].split(" ", 2)[1])
        pairs = (line.partition(":") for line in head[1:] if line)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def whole(self) -> bytes:
        """The whole body. Raises StreamCut."""
        return b"".join([block async for block in self.blocks()])

    async def blocks(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which the server wrote it, or several at once. Raises StreamCut before its end."""
        chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        body: _Chunks | _Plain = _Chunks() if chunked else _Plain(int(self.headers.get("content-length", "0")))
        received = 0
        while not body.done:
            try:
                data = await self._reader.read(READ)
            except OSError as error:
                raise StreamCut("the connection to the runtime broke", received=received) from error
            if not data:
                raise StreamCut("the runtime closed the connection", received=received)
            block = body.feed(data)
            received += len(block)
            if block:
                yield block


class _Plain:
    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def done(self) -> bool:
        return self._left <= 0

    def feed(self, data: bytes) -> bytes:
        self._left -= len(data)
        return data


class _Chunks:
    """Takes the chunked transfer coding away; gives whole chunks only, and llama.cpp writes whole events."""

    def __init__(self) -> None:
        self.done = False
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        buffer, at, parts = self._rest + data, 0, []
        while (line_end := buffer.find(b"\r\n", at)) >= 0:
            size = int(buffer[at:line_end].split(b";")[0], 16)
            start = line_end + 2
            if len(buffer) < start + size + 2:
                break
            if size == 0:
                self.done = True
                break
            parts.append(buffer[start : start + size])
            at = start + size + 2
        self._rest = buffer[at:]
        return b"".join(parts)
