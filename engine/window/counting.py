"""Counting tokens of prompts that were not sent: exactly where the model's own server counts, else by a guess.

Knows no policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from engine.backends.base import Request
from engine.params import Params
from engine.types import Capability, Message, Rendered
from engine.window.values import Draft, Segments

ENCODING = "o200k_base"  # what a remote model is guessed with
PER_MESSAGE, PER_ANSWER = 4, 3  # OpenAI's rule of thumb for what its own template adds
_WORD = re.compile(r"\s*\S+|\s+")


class Countable(Protocol):
    """What is needed of a model; `engine.engine.Model` has it all."""

    @property
    def capabilities(self) -> frozenset[Capability]: ...
    def request(self, messages: Iterable[Message], params: Params | None = None, **options: Any) -> Request: ...
    def count(self, request: Request) -> int: ...
    def render(self, request: Request) -> Rendered: ...
    def window(self) -> int | None: ...


class Counter(Protocol):
    """Prompt tokens of messages, and the tokens of one text as bytes."""

    def __call__(self, messages: Sequence[Message]) -> int: ...
    def pieces(self, text: str) -> tuple[bytes, ...]: ...


class ExactCounter:
    """Counts of the model's server; the same messages are counted once. `calls` says how many times it was asked."""

    def __init__(self, model: Countable, params: Params | None, options: Mapping[str, Any]) -> None:
        self._model = model
        self._params = params
        self._options = options
        self._known: dict[Any, int] = {}
        self.calls = 0

    def __call__(self, messages: Sequence[Message]) -> int:
        key = tuple((message.role, message.content, repr(message.extra)) for message in messages)
        if key not in self._known:
            self.calls += 1
            self._known[key] = self._model.count(self._model.request(messages, self._params, **self._options))
        return self._known[key]

    def pieces(self, text: str) -> tuple[bytes, ...]:
        """The text in tokens; in words where the model's tokens do not add up to it."""
        if "exact_prompt" in self._model.capabilities:
            told = self._model.render(self._model.request((), self._params, raw=text)).pieces
            made = tuple(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in told)
            spare = len(b"".join(made)) - len(text.encode(errors="surrogatepass"))
            while made and spare >= len(made[0]) > 0:  # a beginning-of-text token, or the space that some put first
                spare, made = spare - len(made[0]), made[1:]
            if b"".join(made) == text.encode(errors="surrogatepass"):
                return made
        return words(text)


class Guess:
    """Counts by OpenAI's newest public encoding: near for OpenAI's models, a third too low for small ones."""

    def __call__(self, messages: Sequence[Message]) -> int:
        from engine.tokenizers import count_tiktoken

        texts = (count_tiktoken(message.content, ENCODING) + PER_MESSAGE for message in messages)
        return sum(texts) + PER_ANSWER

    def pieces(self, text: str) -> tuple[bytes, ...]:
        """The text in tokens of that encoding."""
        from engine.tokenizers import tiktoken_pieces

        return tuple(piece for _, piece in tiktoken_pieces(text, ENCODING))


def counter(model: Countable, params: Params | None, options: Mapping[str, Any]) -> Counter:
    """The best counter there is for this model."""
    return ExactCounter(model, params, options) if "exact_count" in model.capabilities else Guess()


def words(text: str) -> tuple[bytes, ...]:
    """The text in words, each with the white space before it."""
    return tuple(word.encode(errors="surrogatepass") for word in _WORD.findall(text))


def ends(pieces: Sequence[bytes], tokens: int) -> tuple[str, str]:
    """The beginning and the end that `tokens` tokens leave of a text; a character is never torn, so one or two tokens
    may be missing.
    """
    first = (tokens + 1) // 2
    start = len(pieces) - (tokens - first)
    return _whole(pieces, 0, first), _whole(pieces, start, len(pieces))


def beginning(pieces: Sequence[bytes], tokens: int) -> str:
    """The text of the first tokens, without what would be a part of a character."""
    return _whole(pieces, 0, tokens)


def _whole(pieces: Sequence[bytes], start: int, end: int) -> str:
    """The text of those pieces, less those at the inner end that are parts of a character."""
    while start < end:
        try:
            return b"".join(pieces[start:end]).decode(errors="surrogatepass")
        except UnicodeDecodeError:
            start, end = (start, end - 1) if start == 0 else (start + 1, end)
    return ""


def segments(count: Counter, draft: Draft, retrieved: frozenset[int], window: int, reserve: int) -> Segments:
    """The shares of the window, from differences of exact counts: one to four of them."""
    parts = draft.parts()
    left = max(0, window - count([message for _, message in parts]))
    reserved = min(reserve, left)
    return Segments(*_shares(count, draft, retrieved), reserved, left - reserved)


def _shares(count: Counter, draft: Draft, retrieved: frozenset[int]) -> tuple[int, int, int, int]:
    """Tokens of template, system, history and retrieved passages."""
    parts = draft.parts()
    own = {index: draft.asked[index].content for index in draft.kept if draft.asked[index].role == "system"}
    found = {index: message.content for index, message in parts if index is not None and index in retrieved}
    total = count([message for _, message in parts])
    if not parts:  # a raw prompt has no template
        return 0, 0, total, 0
    steps = [_partly(count, parts, {})]
    steps.append(_partly(count, parts, own) if any(own.values()) else steps[-1])
    steps.append(_partly(count, parts, {**found, **own}) if any(found.values()) else steps[-1])
    # Tokens merge across borders: a share must neither be negative nor more than what there is
    template, system, passages = (min(total, max(steps[: place + 1])) for place in range(3))
    return template, system - template, total - passages, passages - system


def _partly(count: Counter, parts: Sequence[tuple[int | None, Message]], texts: Mapping[int, str]) -> int:
    """Tokens of the prompt with only those texts in it, all other messages empty."""
    shown = ("" if index is None else texts.get(index, "") for index, _ in parts)
    return count([_with(message, text) for (_, message), text in zip(parts, shown, strict=True)])


def _with(message: Message, text: str) -> Message:
    """The message with that text; one with pictures as it is if it is to be shown, else empty."""
    if text == message.content:
        return message
    return replace(message, content=text, extra={k: value for k, value in message.extra.items() if k != "content"})
