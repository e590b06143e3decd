"""An OpenAI-style server that is full at times, fails at times and counts what it sends a bill for. Knows no client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.standins.openai_server import Chunk, Handler, OpenAIStandIn, delta, openai_error, usage_chunk


@dataclass(frozen=True)
class Way:
    """How a request is answered: `fault` is "429", "500", "cut" or none; `prompt`, `written` and `cached` are tokens of
    the bill, `retry_after` goes into the header of a 429, `delay` in seconds before the answer.
    """

    prompt: int = 10
    written: int = 3
    cached: int = 0
    fault: str = ""
    retry_after: str | None = "0"
    delay: float = 0.0
    text: str = "word"


@dataclass
class Bill:
    """What was served: tokens read, read from a cache and written, of each request that is billed; when each came, and
    how many were under way at most.
    """

    way: Callable[[dict[str, Any]], Way] = lambda _: Way()
    lines: list[tuple[int, int, int]] = field(default_factory=list)
    came: list[float] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class BusyHandler(Handler):
    """`bill` belongs to the class that `busy_server` makes."""

    bill: Bill

    def chunks(self, body: dict[str, Any]) -> list[Chunk]:
        """The words, then their bill."""
        way: Way = body["_way"]
        model = body["model"]
        words = [delta(model, content=f"{way.text} ") for _ in range(min(way.written, 3))]
        details = {"prompt_tokens_details": {"cached_tokens": way.cached}}
        counts = usage_chunk(model, way.written, prompt_tokens=way.prompt, **details)
        return [delta(model, role="assistant", content=""), *words, delta(model, "stop"), counts]

    def _record(self, body: dict[str, Any]) -> None:
        super()._record(dict(body))
        if body:
            body["_way"] = self.bill.way(body)

    def _written(self, cut: bool, body: dict[str, Any]) -> None:
        """The answer as a stream; one that is cut ends after its first word, bill or not."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in self.chunks(body)[: 2 if cut else None]:
            self._line(b"data: " + json.dumps(chunk).encode())
        if not cut:
            self._line(b"data: [DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _stream(self, body: dict[str, Any]) -> None:
        way, bill = body["_way"], self.bill
        with bill.lock:
            bill.came.append(time.monotonic())
            bill.under_way += 1
            bill.most = max(bill.most, bill.under_way)
        try:
            time.sleep(way.delay)
            if way.fault == "429":
                headers = {} if way.retry_after is None else {"Retry-After": way.retry_after}
                return self._json(429, openai_error("Rate limit reached", "tokens", "rate_limit_exceeded"), headers)
            with bill.lock:
                bill.lines.append((way.prompt, way.cached, way.written))
            if way.fault == "500":
                return self._json(500, openai_error("The server had an error", "server_error"))
            self._written(body["_way"].fault == "cut", body)
        finally:
            with bill.lock:
                bill.under_way -= 1


@contextmanager
def busy_server(bill: Bill) -> Iterator[OpenAIStandIn]:
    """Such a server for the length of the block."""
    server = OpenAIStandIn(handler=type("Busy", (BusyHandler,), {"bill": bill}))
    try:
        yield server
    finally:
        server.close()
