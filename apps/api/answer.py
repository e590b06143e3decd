"""What the chunks of one OpenAI-style stream add up to: the whole answer where no stream was asked for, and the trace.

Knows no socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.backends.base import Report
from engine.errors import EngineError
from engine.types import Outcome, Result, Stats, ToolCall, Usage


def objects(blocks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The data objects in the bytes of an event stream, `[DONE]` and comments left out."""
    for line in b"".join(blocks).split(b"\n"):
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


@dataclass
class Answer:
    """The parts of an answer; `frame` keeps what every chunk repeats (id, model, created, …)."""

    frame: dict[str, Any] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    tools: dict[int, dict[str, Any]] = field(default_factory=dict)
    finish: str | None = None
    usage: Mapping[str, Any] | None = None
    timings: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, blocks: Iterable[bytes]) -> Answer:
        """The answer that these bytes hold so far."""
        answer = cls()
        for chunk in objects(blocks):
            answer.take(chunk)
        return answer

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Add one chunk."""
        if "choices" not in chunk:
            return
        self.frame = self.frame or {name: chunk[name] for name in chunk if name not in _PER_CHUNK}
        self.usage = chunk.get("usage") or self.usage
        self.timings = chunk.get("timings") or self.timings
        for choice in chunk["choices"]:
            delta = choice.get("delta") or choice
            self.text.append(delta.get("content") or delta.get("text") or "")
            self.reasoning.append(delta.get("reasoning_content") or "")
            self.logprobs += (choice.get("logprobs") or {}).get("content") or []
            for call in delta.get("tool_calls") or ():
                self._take_call(call)
            self.finish = choice.get("finish_reason") or self.finish

    def _take_call(self, call: Mapping[str, Any]) -> None:
        whole = self.tools.setdefault(call["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
        function = call.get("function") or {}
        whole["id"] = call.get("id") or whole.get("id")
        whole["function"]["name"] += function.get("name") or ""
        whole["function"]["arguments"] += function.get("arguments") or ""

    def chat(self) -> dict[str, Any]:
        """The body of a chat answer that was not streamed."""
        text = "".join(self.text)
        message: dict[str, Any] = {"role": "assistant", "content": None if self.tools and not text else text}
        if thought := "".join(self.reasoning):
            message["reasoning_content"] = thought
        if self.tools:
            message["tool_calls"] = [self.tools[index] for index in sorted(self.tools)]
        return self._body("chat.completion", {"message": message})

    def completion(self) -> dict[str, Any]:
        """The body of a text completion that was not streamed."""
        return self._body("text_completion", {"text": "".join(self.text)})

    def _body(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        choice = {"finish_reason": self.finish, "index": 0, **content}
        choice["logprobs"] = {"content": self.logprobs} if self.logprobs else None
        body = {"choices": [choice], **self.frame, "object": kind}
        told = {"usage": self.usage, "timings": self.timings}
        return body | {name: value for name, value in told.items() if value is not None}

    def counts(self) -> Usage:
        """Tokens as the server told them, from its timings where the client wanted no usage."""
        if self.usage:
            details = self.usage.get("prompt_tokens_details") or {}
            return Usage(
                self.usage.get("prompt_tokens"), self.usage.get("completion_tokens"), details.get("cached_tokens")
            )
        if self.timings:
            cached = int(self.timings["cache_n"])
            return Usage(cached + int(self.timings["prompt_n"]), int(self.timings["predicted_n"]), cached)
        return Usage()

    def report(self, prompt: str | None, window: int, gpu_layers: int | None) -> Report:
        """What the backend knew at the end."""
        told = {"usage": self.usage, "timings": self.timings, "finish_reason": self.finish}
        return Report(
            finish=self.finish or "stop",
            usage=self.counts(),
            window=window,
            model=self.frame.get("model"),
            prompt=prompt,
            response={name: value for name, value in told.items() if value is not None},
            stats=Stats(gpu_layers=gpu_layers),
        )

    def result(
        self, model: str, times: Times, window: int, gpu_layers: int | None, error: EngineError | None
    ) -> Result:
        """The answer as the engine's traces keep it."""
        timings = self.timings or {}
        stats = Stats(
            tokens_per_second=timings.get("predicted_per_second") or None,
            time_to_first_token=times.first,
            total_time=timings["predicted_ms"] / 1000 if timings else None,
            wall_time=times.wall,
            gpu_layers=gpu_layers,
            source="server" if timings else "measured",
        )
        return Result(
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            tool_calls=tuple(
                ToolCall(call["id"] or "", call["function"]["name"], call["function"]["arguments"])
                for call in self.tools.values()
            ),
            outcome=self._outcome(error, window),
            usage=self.counts(),
            stats=stats,
            model=self.frame.get("model") or model,
            error=error,
        )

    def _outcome(self, error: EngineError | None, window: int) -> Outcome:
        if error is not None:
            return "failed"
        if self.finish is None:
            return "user_stopped"
        total = self.counts().total_tokens
        if self.finish == "length":
            return "window_full" if total is not None and total >= window else "max_tokens"
        return "tool_calls" if self.finish == "tool_calls" else "stop"


@dataclass(frozen=True)
class Times:
    """Seconds from the request to the first byte of the answer, and to its end."""

    first: float | None
    wall: float


_PER_CHUNK = frozenset({"choices", "usage", "timings", "prompt_progress", "object"})
