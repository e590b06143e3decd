"""A request for a model of this machine: through the same admission as both interfaces, then byte for byte from the
runtime to the client. Knows no field of an answer.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread

from apps.api.answer import Answer, Times, objects
from apps.api.bodies import check_token_ids, wanted_tokens
from apps.api.upstream import Upstream
from engine.backends.base import Control, Request
from engine.engine import Engine
from engine.errors import BadParameter, EngineError, PromptTooLong, ServerFailed
from engine.params import Params
from engine.runtime.client import LlamaServer, error_of
from engine.runtime.gate import Ticket
from engine.runtime.supervisor import LocalRuntime
from engine.types import Usage

PROGRESS = b'"prompt_progress":{'  # never inside a text: there its quotes are escaped
DONE = b"data: [DONE]"
PING = b":\n\n"
PING_EVERY_S = 5.0


@dataclass
class Pass:
    """One request on its way: who asks, for what, and what has come."""

    engine: Engine
    runtime: LocalRuntime
    model: str
    route: str
    owner: str
    asked: dict[str, Any]
    interactive: bool = True
    trace: bool = True
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    started: float = field(default_factory=time.monotonic)
    blocks: list[bytes] = field(default_factory=list)
    prompt: str | None = None
    prompt_tokens: int | None = None
    first: float | None = None
    error: EngineError | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The body as it goes to the runtime: streamed always, since it never ends a request that is not; with
        progress, since it looks for a closed connection only when it writes.
        """
        body = {**self.asked, "model": self.model, "stream": True, "return_progress": True}
        if not self.asked.get("stream"):
            body["stream_options"] = {"include_usage": True}
        return body

    async def stream(self, ping: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
        """The bytes of the event stream, as the client asked for them; `ping` is called every 5 s before the first.

        Raises EngineError before the first byte and after it. Closing gives slot and connection back.
        """
        try:
            await _pinged(self._load(), ping)
            body, tokens = await to_thread.run_sync(self._prepared)
            self.prompt_tokens = len(tokens)
            async with self._admitted(tokens, body, ping) as ticket, aclosing(self._relayed(body, ticket)) as blocks:
                async for block in blocks:
                    yield block
        except EngineError as error:
            self.error = await to_thread.run_sync(self.runtime.explain, error)
            raise self.error from error
        finally:
            if self.trace:
                _in_background(self._record)

    async def _load(self) -> None:
        """Have the model ready."""
        if self.runtime.state().name == "ready":
            return
        control = Control()
        try:
            await to_thread.run_sync(lambda: [None for _ in self.runtime.ready(control)], abandon_on_cancel=True)
        finally:
            control.stop()

    def _prepared(self) -> tuple[dict[str, Any], list[int]]:
        """The body with its room bounded, and the tokens of its prompt. Raises BadParameter, PromptTooLong."""
        for _ in self.runtime.ready():  # tells the keeper that the model is in use
            pass
        server, body, window = self.runtime.server, self.body, self.runtime.window
        check_token_ids(body, _vocabulary(server))
        tokens = self._tokens(server, body)
        if len(tokens) >= window:
            raise PromptTooLong(len(tokens), window)
        left, wanted = window - len(tokens), wanted_tokens(body)
        for name in ("max_completion_tokens", "max_tokens"):
            body.pop(name, None)
        body["n_predict"] = left if wanted < 0 else min(wanted, left)
        return body, tokens

    def _tokens(self, server: LlamaServer, body: dict[str, Any]) -> list[int]:
        given = body.get("prompt") if "messages" not in body else None
        if isinstance(given, list) and given and isinstance(given[0], int):
            return given
        if given is None:
            try:
                given = server.post("/apply-template", body)["prompt"]
            except ServerFailed as error:  # a template that cannot write these messages: llama.cpp says 500
                raise BadParameter(error.message, name="messages", value=None, low=None, high=None) from error
        self.prompt = given if isinstance(given, str) else str(given[0])
        told = server.post("/tokenize", {"content": self.prompt, "add_special": True, "parse_special": True})
        return list(told["tokens"])

    @asynccontextmanager
    async def _admitted(
        self, tokens: list[int], body: dict[str, Any], ping: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[Ticket]:
        """A slot, given back whatever happens; its number is in the body."""
        ticket = self.runtime.gate.enter(tokens, owner=self.owner, interactive=self.interactive)
        try:
            body["id_slot"] = await _pinged(asyncio.wrap_future(ticket.ready), ping)
            yield ticket
        finally:
            ticket.leave(self._generated())

    async def _relayed(self, body: Mapping[str, Any], ticket: Ticket) -> AsyncIterator[bytes]:
        wants_progress = bool(self.asked.get("return_progress"))
        async with Upstream.post(self.runtime.server, self.route, body) as upstream:
            if upstream.status != 200:
                raise _refused(upstream.status, await upstream.whole(), upstream.headers)
            async for block in upstream.blocks():
                if not wants_progress and PROGRESS in block:
                    block = _without_progress(block)
                    if not block:
                        continue
                if self.first is None:
                    self.first = time.monotonic() - self.started
                self.blocks.append(block)
                if DONE in block[-32:]:  # the slot is free before the client has read its last line
                    ticket.leave(self._generated())
                yield block

    def _generated(self) -> int | None:
        """Tokens of the answer that lie in the slot behind the prompt; None where the runtime has not told."""
        last = deque(objects(self.blocks[-4:]), maxlen=1)
        timings = last[0].get("timings") if last else None
        return max(0, int(timings["predicted_n"]) - 1) if timings else None  # the last one was never evaluated

    def answer(self) -> Answer:
        """What has come, added up."""
        return Answer.of(self.blocks)

    def usage(self) -> Usage:
        """Tokens so far; of an answer whose client left, as many as arrived."""
        told = Answer.of(self.blocks[-4:]).counts()
        if told.prompt_tokens is not None:
            return told
        return Usage(self.prompt_tokens, sum("choices" in chunk for chunk in objects(self.blocks)))

    def _record(self) -> None:
        window = self.runtime.window if self.runtime.pid else 0
        layers = self.runtime.load.gpu_layers
        answer, times = self.answer(), Times(self.first, time.monotonic() - self.started)
        self.engine.traces.record(
            Request((), Params(), owner=self.owner),
            answer.report(self.prompt, window, layers),
            answer.result(self.model, times, window, layers, self.error),
            backend="llamacpp",
            model=self.model,
            body=self.asked,
            trace_id=self.id,
        )


async def _pinged(work: Awaitable[Any], ping: Callable[[], Awaitable[None]]) -> Any:
    """What `work` gives; `ping` is called every five seconds until then."""
    task = asyncio.ensure_future(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=PING_EVERY_S)
            if done:
                return task.result()
            await ping()
    finally:
        task.cancel()


def _without_progress(block: bytes) -> bytes:
    return b"".join(part + b"\n\n" for part in block.split(b"\n\n") if part and PROGRESS not in part)


def _refused(status: int, body: bytes, headers: Mapping[str, str]) -> EngineError:
    """The error of an answer that is none. A live runtime says 500 for what it cannot parse, which is the client's."""
    error = error_of(status, body, headers)
    if isinstance(error, ServerFailed) and status == 500 and "Context size" not in error.message:
        return BadParameter(error.message, name=None, value=None, low=None, high=None)
    return error


@functools.lru_cache(maxsize=8)
def _vocabulary(server: LlamaServer) -> int:
    """Tokens that the loaded model knows."""
    return int(server.get("/v1/models")["data"][0]["meta"]["n_vocab"])


def _in_background(work: Callable[[], object]) -> None:
    """Run it in a thread and forget it: a trace never delays an answer, nor costs one."""
    asyncio.get_running_loop().run_in_executor(None, work)
