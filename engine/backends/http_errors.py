"""What an HTTP status of a remote endpoint means, as an error of the engine. Knows no protocol and no request."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping

from engine.errors import (
    BadParameter,
    EngineError,
    NotFound,
    PaymentRequired,
    PromptTooLong,
    RateLimited,
    ServerFailed,
    TimedOut,
    Unauthorized,
    UnknownModel,
)

WAIT_MAX_S = 86_400.0  # whoever asks for more than a day is not believed

# "Prompt too long" in the words of llama.cpp, OpenAI and vLLM, Mistral, Anthropic, Gemini, LM Studio.
_TOO_LONG = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"request \((?P<prompt>\d+) tokens\) exceeds the available context size \((?P<window>\d+)",
        r"maximum context length (?:is|of) (?P<window>\d+) tokens.*?(?P<prompt>\d+) (?:tokens )?in the messages",
        r"maximum context length (?:is|of) (?P<window>\d+) tokens.*?(?:resulted in|has|contains) (?P<prompt>\d+)",
        r"maximum context length (?:is|of) (?P<window>\d+) tokens.*?requested (?P<prompt>\d+) tokens",
        r"Prompt contains (?P<prompt>\d+) tokens.*?with (?P<window>\d+) maximum context",
        r"prompt is too long: (?P<prompt>\d+) tokens > (?P<window>\d+)",
        r"input token count \((?P<prompt>\d+)\) exceeds the maximum number of tokens allowed \((?P<window>\d+)",
        r"keep the first (?P<prompt>\d+) tokens.*?context length of only (?P<window>\d+) tokens",
    )
)
# The last two: Ollama, and OpenAI's Responses
_TOO_LONG_WORDS = (
    "context_length_exceeded",
    "exceed_context_size_error",
    "Input tokens exceed the configured limit",
    "longer than the context length",
    "exceeds the context window",
)


def too_long(text: str) -> PromptTooLong | None:
    """A prompt that does not fit, with both numbers where the server tells them; None for other words."""
    for pattern in _TOO_LONG:
        if found := pattern.search(text):
            return PromptTooLong(int(found["prompt"]), int(found["window"]))
    return PromptTooLong(None, None) if any(words in text for words in _TOO_LONG_WORDS) else None


def by_status(
    status: int, message: str, headers: Mapping[str, str], *, address: str, model: str, parameter: str | None = None
) -> EngineError:
    """The error that a status from 400 on stands for; `parameter` is the field that the server objects to."""
    if status in (401, 403):
        return Unauthorized(message, status=status)
    if status == 402:
        return PaymentRequired(message, status=status)
    if status == 429:
        return RateLimited(message, status=status, retry_after=retry_after(headers))
    if status == 404:
        named = "model" in message.lower()
        return UnknownModel(message, model=model) if named else NotFound(message, what="address", key=address)
    if status in (408, 504):
        return TimedOut(message, seconds=None)
    if status in (400, 422):
        return BadParameter(message, name=parameter, value=None, low=None, high=None)
    return ServerFailed(message, status=status)


def hidden(text: str, key: str | None) -> str:
    """The text without the key."""
    return text.replace(key, "•••") if key else text


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the `Retry-After` header tells them, as a number or as a date, a day at most; None without one
    and for one that is neither.
    """
    told = headers.get("retry-after")
    seconds = None if told is None else _seconds(told)
    return min(max(0.0, seconds), WAIT_MAX_S) if seconds is not None and math.isfinite(seconds) else None


def _seconds(told: str) -> float | None:
    try:
        return float(told)
    except ValueError:
        pass
    try:
        return email.utils.parsedate_to_datetime(told).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):  # no date, or one that no clock of ours can show
        return None
