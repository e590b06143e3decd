"""Models that are not a llama.cpp server of ours, echo and remote endpoints: the engine's events as OpenAI's chunks.

Knows no endpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.api.answer import Answer
from apps.api.bodies import wanted_tokens
from apps.api.errors import ApiError, whose
from engine.errors import EngineError, ServerFailed
from engine.generation import Generation
from engine.model import Model
from engine.params import PARAMS, Params
from engine.types import Event, Finished, Heartbeat, Message, Outcome, ReasoningDelta, TextDelta, ToolCall, Usage

FINISH: Mapping[Outcome, str] = {
    "stop": "stop",
    "stop_string": "stop",
    "max_tokens": "length",
    "window_full": "length",
    "tool_calls": "tool_calls",
    "user_stopped": "stop",
    "failed": "stop",
}
PING_EVERY_S = 5.0
# Fields of the body that the engine's own arguments say, and those that only llama.cpp's server reads
_SAID = frozenset(
    {"model", "messages", "prompt", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens"}
)
_OURS = frozenset({"n_predict", "return_progress", "cache_prompt", "timings_per_token", "best_of", "echo", "suffix"})


@dataclass
class Told:
    """One request told in chunks; the same verbs as `local.Pass`. `name` is the model's in them, if not its id."""

    model: Model
    owner: str
    asked: dict[str, Any]
    chat: bool = True
    name: str | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    blocks: list[bytes] = field(default_factory=list)
    _calls: int = 0
    counted: Usage | None = None

    async def stream(self, ping: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
        """The bytes of the event stream. Raises EngineError; closing stops the generation."""
        generation = self._begun()
        try:
            begun = False
            async for event in _events(generation, ping):
                if isinstance(event, Finished) and event.error is not None:
                    raise event.error
                if not begun and isinstance(event, TextDelta | ReasoningDelta | ToolCall | Finished):
                    begun = True
                    if self.chat:
                        yield self._chunk({"role": "assistant", "content": None})
                for block in self._told(event):
                    yield block
            yield b"data: [DONE]\n\n"
        except ServerFailed as error:
            raise whose(error, self.model.card.backend) from error
        finally:
            generation.stop()

    def answer(self) -> Answer:
        """What has come, added up."""
        return Answer.of(self.blocks)

    def usage(self) -> Usage:
        """Tokens as the endpoint told them at the end; before that one for each piece of the answer."""
        return self.counted or Usage(None, len(self.blocks))

    def _begun(self) -> Generation:
        messages, params, extra = self._said()
        raw = None if self.chat else _prompt(self.asked["prompt"])
        return self.model.stream(messages, params, owner=self.owner, raw=raw, extra=extra)

    def _said(self) -> tuple[list[Message], Params, dict[str, Any]]:
        """Messages, parameters and the other fields of the body."""
        names = {param.openai or param.name: param.name for param in PARAMS} | {
            param.name: param.name for param in PARAMS
        }
        values = {names[name]: value for name, value in self.asked.items() if name in names and name not in _SAID}
        extra = {name: value for name, value in self.asked.items() if name not in {*names, *_SAID, *_OURS}}
        if values.get("seed") == -1:
            del values["seed"]
        params = Params({**values, "max_tokens": wanted_tokens(self.asked)})
        messages = [_message(message) for message in self.asked["messages"]] if self.chat else []
        return messages, params, extra

    def _told(self, event: Event) -> list[bytes]:
        if isinstance(event, TextDelta):
            logprobs = {"content": list(event.logprobs)} if event.logprobs else None
            return [self._chunk({"content": event.text}, logprobs=logprobs)]
        if isinstance(event, ReasoningDelta):
            return [self._chunk({"reasoning_content": event.text})] if self.chat else []
        if isinstance(event, ToolCall):
            function = {"name": event.name, "arguments": event.arguments}
            return [
                self._chunk({"tool_calls": [{"index": 0, "id": event.id, "type": "function", "function": function}]})
            ]
        return self._ending(event) if isinstance(event, Finished) else []

    def _ending(self, event: Finished) -> list[bytes]:
        self.counted = event.usage
        last = [self._chunk({}, finish=FINISH[event.outcome])]
        wants_usage = (self.asked.get("stream_options") or {}).get("include_usage") or not self.asked.get("stream")
        if wants_usage and event.usage.prompt_tokens is not None:
            told = {"prompt_tokens", "completion_tokens", "total_tokens"}
            usage = {name: value for name, value in event.usage.to_dict().items() if name in told}
            last.append(self._event({"choices": [], "usage": usage}))
        return last

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None, logprobs: Any = None) -> bytes:
        content = {"delta": delta} if self.chat else {"text": delta.get("content") or ""}
        choice = {"index": 0, "finish_reason": finish, **content}
        return self._event({"choices": [choice | ({"logprobs": logprobs} if logprobs else {})]})

    def _event(self, body: dict[str, Any]) -> bytes:
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        model = self.name or self.model.card.id
        frame = {"created": int(time.time()), "id": f"chatcmpl-{self.id}", "model": model, "object": kind}
        block = b"data: " + json.dumps({**body, **frame}, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
        self.blocks.append(block)
        return block


async def _events(generation: Generation, ping: Callable[[], Awaitable[None]]) -> AsyncIterator[Event]:
    """The events of a generation that blocks, read by a thread of its own; `ping` is called every 5 s of silence."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event | EngineError | None] = asyncio.Queue()

    def put(item: Event | EngineError | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        end: EngineError | None = EngineError("internal error; see the log")
        try:
            for event in generation:
                put(event)
            end = None
        except EngineError as error:
            end = error
        finally:  # of a defect the client is told that there is one; its traceback goes to the thread's excepthook
            put(end)

    threading.Thread(target=read, name="v1-reader", daemon=True).start()
    silent = time.monotonic()
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, EngineError):
                raise item
            if not isinstance(item, Heartbeat):
                silent = time.monotonic()
                yield item
            elif time.monotonic() - silent > PING_EVERY_S:
                silent = time.monotonic()
                await ping()
    finally:
        generation.stop()


def _message(raw: Mapping[str, Any]) -> Message:
    content = raw.get("content")
    if isinstance(content, list):
        if any(part["type"] != "text" for part in content):
            raise ApiError("only text parts are supported here", code="unsupported_content", param="messages")
        content = "".join(part["text"] for part in content)
    role = {"developer": "system", "function": "tool"}.get(raw["role"], raw["role"])
    extra = {name: value for name, value in raw.items() if name not in {"role", "content"} and value is not None}
    return Message(role, content or "", extra)


def _prompt(prompt: str | list[Any]) -> str:
    if isinstance(prompt, list):
        if isinstance(prompt[0], int):
            raise ApiError("this model takes text, not token ids", code="unsupported_prompt", param="prompt")
        return str(prompt[0])
    return prompt
