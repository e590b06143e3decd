"""The values that go in and out of the engine: messages, events, usage, statistics, results. Knows no backend and no
interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from engine.errors import EngineError

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)

Outcome = Literal["stop", "stop_string", "max_tokens", "window_full", "tool_calls", "user_stopped", "failed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

Capability = Literal[
    "exact_prompt",
    "exact_count",
    "logprobs",
    "timings",
    "prompt_progress",
    "grammar",
    "json_schema",
    "load_params",
    "cancel",
    "tools",
    "vision",
    "reasoning",
    "embeddings",
    "rerank",
    "raw_completion",
    "custom_template",
]
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)

# LM Studio's words for our outcomes: lmstudio-js, LLMPredictionStats.ts.
STOP_REASONS: dict[Outcome, str] = {
    "stop": "eosFound",
    "stop_string": "stopStringFound",
    "max_tokens": "maxPredictedTokensReached",
    "window_full": "contextLengthReached",
    "user_stopped": "userStopped",
    "tool_calls": "toolCalls",
    "failed": "failed",
}


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; `extra` keeps fields that only some backends read (`tool_calls`, `tool_call_id`,
    `name`).
    """

    role: Role
    content: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The message in OpenAI's shape."""
        return {"role": self.role, "content": self.content, **self.extra}


@dataclass(frozen=True)
class Usage:
    """Token counts of one request as the server told them; None is unknown, never 0. `cached_tokens` is a part of
    `prompt_tokens`.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def total_tokens(self) -> int | None:
        """Prompt and answer, in tokens."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        def add(a: int | None, b: int | None) -> int | None:
            return None if a is None or b is None else a + b

        return Usage(
            add(self.prompt_tokens, other.prompt_tokens),
            add(self.completion_tokens, other.completion_tokens),
            add(self.cached_tokens, other.cached_tokens),
            add(self.reasoning_tokens, other.reasoning_tokens),
        )

    def to_dict(self) -> dict[str, int | None]:
        """OpenAI's names, plus the cached and reasoning parts."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "cached_tokens": self.cached_tokens,
            "reasoning_tokens": self.reasoning_tokens,
        }


@dataclass(frozen=True)
class Stats:
    """Times of one answer, in seconds; None is unknown.

    `total_time` is the generation alone, from the first token to the last, as LM Studio counts it; `wall_time` is
    everything
    that the person waited, queue and prompt included. `source` says who measured speed and generation time.
    `billed_time` is what a server that is paid by the second says it worked (Replicate's `predict_time`); it is not
    exported.
    """

    tokens_per_second: float | None = None
    time_to_first_token: float | None = None
    total_time: float | None = None
    wall_time: float | None = None
    gpu_layers: int | None = None
    source: Literal["server", "measured"] = "measured"
    billed_time: float | None = None

    def export(self, outcome: Outcome, usage: Usage) -> dict[str, Any]:
        """LM Studio's statistics, key for key, so that the course sheet can be followed; then our three additions and
        `source`.
        """
        return {
            "stopReason": STOP_REASONS[outcome],
            "tokensPerSecond": self.tokens_per_second,
            "numGpuLayers": self.gpu_layers,
            "timeToFirstTokenSec": self.time_to_first_token,
            "totalTimeSec": self.total_time,
            "promptTokensCount": usage.prompt_tokens,
            "predictedTokensCount": usage.completion_tokens,
            "totalTokensCount": usage.total_tokens,
            "cachedTokensCount": usage.cached_tokens,
            "wallTimeSec": self.wall_time,
            "source": self.source,
        }


@dataclass(frozen=True)
class Queued:
    """The request waits; `place` 1 is next."""

    place: int


@dataclass(frozen=True)
class Loading:
    """The model is being loaded since `elapsed` seconds; `progress` in [0, 1] where the runtime tells."""

    elapsed: float
    progress: float | None = None


@dataclass(frozen=True)
class PromptProgress:
    """Prompt tokens read so far, of `total`, of which `cached` needed no work."""

    processed: int
    total: int
    cached: int


@dataclass(frozen=True)
class ReasoningDelta:
    """A piece of the model's thinking."""

    text: str


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer; `logprobs` holds the backend's entries for it where they were asked for."""

    text: str
    logprobs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class ToolCall:
    """A complete call that the model asks for; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Heartbeat:
    """Nothing came for 0.2 s: a chance for the consumer to look at its stop button."""


@dataclass(frozen=True)
class Finished:
    """The last event, always exactly one, after `stop()` too."""

    outcome: Outcome
    usage: Usage
    stats: Stats
    trace_id: str | None = None
    error: EngineError | None = None


Event = Queued | Loading | PromptProgress | ReasoningDelta | TextDelta | ToolCall | Heartbeat | Finished


@dataclass(frozen=True)
class Result:
    """A whole answer: text so far even when it failed or was stopped."""

    text: str
    outcome: Outcome
    usage: Usage
    stats: Stats
    model: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[Mapping[str, Any], ...] = ()
    trace_id: str | None = None
    error: EngineError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Keys `text stats usage outcome model trace_id` (+ `reasoning`, `tool_calls`, `error` where there are any),
        ready for JSON.
        """
        data: dict[str, Any] = {
            "text": self.text,
            "stats": self.stats.export(self.outcome, self.usage),
            "usage": self.usage.to_dict(),
            "outcome": self.outcome,
            "model": self.model,
            "trace_id": self.trace_id,
        }
        if self.reasoning:
            data["reasoning"] = self.reasoning
        if self.tool_calls:
            data["tool_calls"] = [vars(call) for call in self.tool_calls]
        if self.error:
            data["error"] = self.error.to_dict()
        return data


@dataclass(frozen=True)
class ModelState:
    """What a model is doing: `elapsed` seconds since the loading began, `error` where it failed."""

    name: Literal["ready", "loading", "asleep", "unloaded", "unreachable", "failed"]
    elapsed: float | None = None
    error: EngineError | None = None


@dataclass(frozen=True)
class Rendered:
    """What really goes into the model: the prompt text after the template, its token ids and their pieces.

    A piece that is not valid UTF-8 by itself is given as a list of byte values, as llama.cpp does. `specials` are the
    ids among them that no ordinary text has, such as the signs of the template.
    """

    prompt: str
    tokens: tuple[int, ...]
    pieces: tuple[str | tuple[int, ...], ...] = ()
    specials: frozenset[int] = frozenset()
