"""How an answer is sent: pings, errors before and after the first byte, clients that go away; and how chunks add up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.api import local
from apps.api.answer import Answer
from apps.api.errors import ApiError, shape
from apps.api.sending import Answering
from apps.api.upstream import Upstream, _Chunks
from engine.errors import PromptTooLong, RuntimeDied, StreamCut, TooManyRequests, Unreachable
from engine.runtime.client import LlamaServer, error_of
from engine.types import Usage


class Scripted:
    """An answer that does what the test says."""

    def __init__(self, *steps: Any, stream: bool = True) -> None:
        self.asked = {"stream": stream, "messages": []}
        self.id = "an-id"
        self.closed = False
        self._steps = steps
        self._blocks: list[bytes] = []

    async def stream(self, ping: Any) -> AsyncIterator[bytes]:
        try:
            for step in self._steps:
                if isinstance(step, Exception):
                    raise step
                if step == "ping":
                    await ping()
                elif step == "wait":
                    await asyncio.sleep(60)
                else:
                    self._blocks.append(step)
                    yield step
        finally:
            self.closed = True

    def answer(self) -> Answer:
        return Answer.of(self._blocks)

    def usage(self) -> Usage:
        return Usage()


def sent(answer: Scripted, *, leave: bool = False, timeout: float = 10) -> list[dict[str, Any]]:
    """The ASGI messages of an answer; with `leave` the client is gone as soon as something has come."""
    messages: list[dict[str, Any]] = []

    async def run() -> None:
        come = asyncio.Event()

        async def send(message: Any) -> None:
            messages.append(message)
            come.set()

        async def receive() -> dict[str, Any]:
            if leave:
                await come.wait()
                return {"type": "http.disconnect"}
            await asyncio.sleep(60)
            return {}

        async with asyncio.timeout(timeout):
            await Answering(answer)({"type": "http"}, receive, send)  # type: ignore[arg-type]

    asyncio.run(run())
    return messages


def body(messages: list[dict[str, Any]]) -> bytes:
    """What the client has read."""
    return b"".join(message.get("body", b"") for message in messages)


def chunk(**fields: Any) -> bytes:
    """One event of a chat stream."""
    delta, finish = fields.pop("delta", {}), fields.pop("finish", None)
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "1", "model": "m", "choices": [choice], **fields}).encode() + b"\n\n"


def test_blocks_pass_as_they_are() -> None:
    messages = sent(Scripted(b"data: 1\n\n", b"data: [DONE]\n\n"))
    assert messages[0]["status"] == 200 and dict(messages[0]["headers"])[b"x-request-id"] == b"an-id"
    assert body(messages) == b"data: 1\n\ndata: [DONE]\n\n" and messages[-1]["more_body"] is False


def test_pings_keep_the_connection_open_before_the_first_byte() -> None:
    assert body(sent(Scripted("ping", "ping", b"data: 1\n\n"))) == b":\n\n:\n\ndata: 1\n\n"


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_before_the_first_byte_has_its_status(stream: bool) -> None:
    messages = sent(Scripted(PromptTooLong(9, 8), stream=stream))
    error = json.loads(body(messages))["error"]
    assert messages[0]["status"] == 400 and error["code"] == "context_length_exceeded"
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (9, 8)


def test_an_error_after_the_first_byte_is_the_last_event() -> None:
    messages = sent(Scripted(b"data: 1\n\n", RuntimeDied("gone", model="m", exit_code=-9)))
    assert messages[0]["status"] == 200
    last = body(messages).split(b"\n\n")[-2]
    assert json.loads(last[6:])["error"]["code"] == "runtime_died" and messages[-1]["more_body"] is False


def test_an_error_after_a_ping_is_an_event_too() -> None:
    messages = sent(Scripted("ping", TooManyRequests("full", limit=4)))
    assert messages[0]["status"] == 200 and b"too_many_requests" in body(messages)


def test_a_client_that_goes_away_closes_what_served_it() -> None:
    answer = Scripted(b"data: 1\n\n", "wait", b"data: 2\n\n")
    assert b"data: 2" not in body(sent(answer, leave=True)) and answer.closed


def test_a_whole_answer_is_added_up() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    parts = [chunk(delta={"role": "assistant", "content": None}), chunk(delta={"content": "a"})]
    parts += [chunk(delta={"content": "b"}), chunk(finish="stop"), chunk(choices=[], usage=usage), b"data: [DONE]\n\n"]
    told = json.loads(body(sent(Scripted(*parts, stream=False))))
    assert told["choices"][0]["message"]["content"] == "ab" and told["choices"][0]["finish_reason"] == "stop"
    assert told["usage"] == usage and told["object"] == "chat.completion" and told["id"] == "1"


def test_tool_calls_add_up_from_their_pieces() -> None:
    def piece(**call: Any) -> bytes:
        return chunk(delta={"tool_calls": [call]})

    answer = Answer.of(
        [
            piece(index=1, id="b", function={"name": "two", "arguments": ""}),
            piece(index=0, id="a", function={"name": "one", "arguments": '{"x'}),
            piece(index=0, function={"arguments": '":1}'}),
            chunk(finish="tool_calls"),
        ]
    )
    message = answer.chat()["choices"][0]["message"]
    assert message["content"] is None
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "one", "arguments": '{"x":1}'},
        {"name": "two", "arguments": ""},
    ]


def test_counts_come_from_timings_where_no_usage_was_asked_for() -> None:
    timings = {"cache_n": 10, "prompt_n": 1, "predicted_n": 4, "predicted_ms": 5.0}
    counts = Answer.of([chunk(finish="stop", timings=timings)]).counts()
    assert (counts.prompt_tokens, counts.completion_tokens, counts.cached_tokens) == (11, 4, 10)


def test_progress_is_taken_out_of_a_block_of_several_events() -> None:
    progress = chunk(delta={"role": "assistant"}, prompt_progress={"total": 1}).replace(b'": {', b'":{')
    assert local.PROGRESS in progress
    assert local._without_progress(progress + chunk(delta={"content": "a"})) == chunk(delta={"content": "a"})
    quoted = chunk(delta={"content": 'the field "prompt_progress":{ is quoted'})
    assert local.PROGRESS not in quoted


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_chunked_bodies_arrive_whole_however_they_are_cut(size: int) -> None:
    wire = b"5\r\nhello\r\n6;x=1\r\n world\r\n0\r\n\r\n"
    chunks, out = _Chunks(), b""
    for start in range(0, len(wire), size):
        assert not chunks.done or start > len(wire) - 5
        out += chunks.feed(wire[start : start + size])
    assert out == b"hello world" and chunks.done


async def _serve_once(reply: bytes) -> tuple[asyncio.Server, str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


HALF_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
HALF_PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"


@pytest.mark.parametrize("reply", [b"", HALF_CHUNKED, HALF_PLAIN])
def test_a_runtime_that_hangs_up_is_a_cut_stream(reply: bytes) -> None:
    async def run() -> None:
        server, address = await _serve_once(reply)
        async with server, Upstream.post(LlamaServer(address), "/x", {}) as upstream:
            await upstream.whole()

    with pytest.raises(StreamCut):
        asyncio.run(run())


def test_a_runtime_that_is_not_there_is_unreachable() -> None:
    async def run() -> None:
        server, address = await _serve_once(b"")
        server.close()
        await server.wait_closed()
        async with Upstream.post(LlamaServer(address), "/x", {}):
            pass

    with pytest.raises(Unreachable):
        asyncio.run(run())


def test_waiting_is_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PING_EVERY_S", 0.01)
    pings: list[int] = []

    async def run() -> str:
        enough = asyncio.Event()

        async def ping() -> None:
            pings.append(1)
            if len(pings) == 3:
                enough.set()

        async def work() -> str:
            await enough.wait()
            return "done"

        return await local._pinged(work(), ping)

    assert asyncio.run(run()) == "done" and len(pings) >= 3


def test_errors_keep_their_numbers_through_both_shapes() -> None:
    body = json.dumps(shape(PromptTooLong(9, 8))).encode()
    again = error_of(400, body, {})
    assert isinstance(again, PromptTooLong) and (again.prompt_tokens, again.window) == (9, 8)
    assert shape(ApiError("no", param="n"))["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "code": "invalid_value",
        "param": "n",
    }
