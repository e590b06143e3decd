"""A deterministic stand-in for a model: it answers with the last message, word by word. Knows no network and no file.

It takes orders in `Request.extra`, or as a JSON object that is the whole last message, so that a page can be tried
without a model.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.backends.base import Control, Report, Request
from engine.errors import BadParameter, PromptTooLong, ServerFailed
from engine.types import Capability, Event, PromptProgress, ReasoningDelta, Rendered, Stats, TextDelta, ToolCall, Usage

WINDOW = 8192
# A token is a word or a sign, with the white space before it; joined again they are the text.
TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


class Orders(BaseModel):
    """How to behave: `answer` instead of the echo, `delay` seconds per word, `prompt_delay` seconds of reading,
    `reasoning` a thought, `tool` a function to call with the text, `fail_after` a number of words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str | None = None
    delay: float | None = Field(None, ge=0, le=60)
    prompt_delay: float = Field(0, ge=0, le=60)
    reasoning: str | None = None
    tool: str | None = None
    fail_after: int | None = Field(None, ge=0)


@dataclass(frozen=True)
class _Plan:
    """The answer as it will come: its tokens, the stop string that ends it, whether a limit cuts it."""

    pieces: tuple[str, ...]
    stop: str | None
    cut: bool
    tool: str | None

    @property
    def finish(self) -> str:
        """Why it ends, in OpenAI's words."""
        if self.cut:
            return "length"
        return "tool_calls" if self.tool else "stop"


class Echo:
    """The backend; `delay` in seconds per token unless the request says otherwise, `window` in its own tokens."""

    name = "echo"
    capabilities: frozenset[Capability] = frozenset(
        {
            "exact_prompt",
            "exact_count",
            "logprobs",
            "timings",
            "prompt_progress",
            "cancel",
            "tools",
            "reasoning",
            "raw_completion",
        }
    )

    def __init__(self, delay: float = 0.0, window: int = WINDOW) -> None:
        self._delay = delay
        self._window = window

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Prompt progress, then a thought, words and a call as the request wants them."""
        read = self.count(request)
        window = min(self._window, request.virtual_window or self._window)
        if read >= window:
            raise PromptTooLong(read, window)
        orders = _orders(request)
        yield PromptProgress(0, read, 0)
        if control.wait(orders.prompt_delay):
            return
        yield PromptProgress(read, read, 0)
        if orders.reasoning:
            yield ReasoningDelta(orders.reasoning)
        plan = _plan(request, orders, window - read)
        started = time.monotonic()
        written: list[str] = []
        control.partial = lambda: self._report(
            replace(plan, pieces=tuple(written)), request, read, time.monotonic() - started
        )
        scored = bool(request.extra.get("logprobs"))
        yield from self._write(plan, orders, control, scored, written)
        if plan.tool:
            yield ToolCall("call_echo", plan.tool, json.dumps({"text": "".join(plan.pieces)}))
        if not control.stopped:
            yield self._report(plan, request, read, time.monotonic() - started)

    def body(self, request: Request) -> dict[str, Any]:
        """What it was asked, in OpenAI's shape."""
        messages = [message.to_dict() for message in request.messages]
        asked = {"messages": messages} if request.raw is None else {"prompt": request.raw}
        return {**asked, **request.params.to_openai(), **request.extra, "stream": True}

    def render(self, request: Request) -> Rendered:
        """A line per message, after its role; an id is the place of the piece among the prompt's different pieces."""
        prompt = _prompt(request)
        pieces = tuple(TOKEN.findall(prompt))
        ids = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
        return Rendered(prompt, tuple(ids[piece] for piece in pieces), pieces)

    def count(self, request: Request) -> int:
        """Its own tokens of the prompt."""
        return len(TOKEN.findall(_prompt(request)))

    def window(self) -> int:
        """Its own tokens, for prompt and answer."""
        return self._window

    def close(self) -> None:
        """Nothing to give back."""

    def _write(
        self, plan: _Plan, orders: Orders, control: Control, scored: bool, written: list[str]
    ) -> Iterator[Event]:
        delay = self._delay if orders.delay is None else orders.delay
        for number, piece in enumerate(plan.pieces):
            if number == orders.fail_after:
                raise ServerFailed("echo was told to fail", status=500)
            if control.wait(delay):
                return
            written.append(piece)
            yield TextDelta(piece, (_logprobs(piece),) if scored else ())

    def _report(self, plan: _Plan, request: Request, read: int, seconds: float) -> Report:
        written = len(plan.pieces)
        return Report(
            finish=plan.finish,
            usage=Usage(read, written, 0),
            stats=Stats(tokens_per_second=written / seconds if seconds else None, total_time=seconds, source="server"),
            window=self._window,
            model="echo",
            stop_string=plan.stop,
            prompt=_prompt(request),
            response={"text": "".join(plan.pieces)},
        )


def _orders(request: Request) -> Orders:
    """Those of the message and, above them, those of `extra`; anything else is plain text and other people's fields."""
    given = {name: value for name, value in request.extra.items() if name in Orders.model_fields}
    try:
        told = Orders.model_validate_json(_question(request)).model_dump(exclude_unset=True)
    except ValidationError:
        told = {}
    try:
        return Orders(**{**told, **given})
    except ValidationError as error:
        raise BadParameter(str(error), name="extra", value=str(given), low=None, high=None) from error


def _plan(request: Request, orders: Orders, room: int) -> _Plan:
    text = _question(request) if orders.answer is None else orders.answer
    found = {mark: text.index(mark) for mark in request.params["stop"] if mark in text}
    stop = min(found, key=found.__getitem__, default=None)
    pieces = tuple(TOKEN.findall(text if stop is None else text[: found[stop]]))
    limit = request.params["max_tokens"]
    allowed = max(1, room if limit < 0 else min(limit, room))
    cut = len(pieces) > allowed or (len(pieces) == allowed == room)
    return _Plan(pieces[:allowed], None if cut else stop, cut, orders.tool)


def _logprobs(piece: str) -> dict[str, Any]:
    """Half for a word as it comes, a quarter each for it in capitals and for nothing: numbers to try a page with."""
    likely = {piece: 0.5, piece.upper() if piece != piece.upper() else piece.lower() + "?": 0.25, "": 0.25}
    top = [{"token": text, "bytes": list(text.encode()), "logprob": math.log(value)} for text, value in likely.items()]
    return {**top[0], "top_logprobs": top}


def _question(request: Request) -> str:
    if request.raw is not None:
        return request.raw
    return request.messages[-1].content if request.messages else ""


def _prompt(request: Request) -> str:
    if request.raw is not None:
        return request.raw
    return "".join([*(f"{message.role}: {message.content}\n" for message in request.messages), "assistant:"])
