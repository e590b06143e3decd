"""Every remote endpoint that speaks OpenAI's chat protocol, through langchain-openai. Knows no catalogue, and shows its
key to nobody but the host.
"""

from __future__ import annotations

import contextlib
import math
import queue
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx

# The openai client imports it when the first one is made: 1.7 s, which the first answer's clock would count
import openai.resources.chat  # noqa: F401
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from engine.addresses import Reach
from engine.backends.base import Control, Report, Request
from engine.backends.line import Line, certificates, timeout
from engine.backends.openai_errors import mapped
from engine.backends.toolcalls import ToolCalls
from engine.errors import NotSupported, StreamCut
from engine.params import BY_NAME
from engine.types import Capability, Event, PromptProgress, ReasoningDelta, Rendered, Stats, TextDelta, Usage

if TYPE_CHECKING:
    from engine.providers import Provider

NO_KEY = "none"  # the openai client refuses an empty key, local servers want none
IDLE_LINES = 4
LM_STUDIO = ("stats", "model_info", "runtime")  # what its own route adds to an answer

# OpenAI's reasoning models, which answer 400 to temperature, top_p and penalties
REASONING_MODEL = re.compile(r"(o\d|gpt-[5-9])")


class ChunkChat(ChatOpenAI):
    """ChatOpenAI whose chunks keep what langchain-openai throws away: the chunk itself, as the server sent it."""

    def chunks(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks of a streamed answer to exactly this body.

        It calls `_stream` and not `stream`: no callbacks, hence no tracing service that the environment switches on.
        """
        for chunk in self._stream([], stream_usage=False, extra_body=dict(body)):
            yield (chunk.generation_info or {})["raw"]

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        converted = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if converted is not None:
            converted.generation_info = {**(converted.generation_info or {}), "raw": chunk}
        return converted


@cache
def _never_asked() -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=certificates(), trust_env=False)


class OpenAICompat:
    """The backend of one model at one address; `provider` says what its host accepts."""

    name = "openai_compat"

    def __init__(
        self, base_url: str, model: str, key: str | None, provider: Provider, *, reach: Reach | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.model = model
        self.provider = provider
        self.capabilities: frozenset[Capability] = provider.capabilities
        if self._thinks_strictly:
            self.capabilities = self.capabilities - {"logprobs"}
        self._key = key or None
        self._reach = reach
        self._idle: queue.LifoQueue[tuple[Line, ChunkChat]] = queue.LifoQueue(IDLE_LINES)

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Thoughts, words and calls as they come, then the Report."""
        body, answer = self.body(request), _Answer()
        with contextlib.ExitStack() as stack:
            stack.enter_context(mapped(self.base_url, self.model, self._key, received=lambda: answer.received))
            chat = stack.enter_context(self._opened(control))
            for chunk in chat.chunks(body):
                yield from answer.take(chunk)
            if not answer.finish and not control.stopped:
                raise StreamCut(f"{self.base_url} stopped before the end", received=answer.received)
        if not control.stopped:
            yield from answer.tools.calls()
            yield self._mended(answer.report(), body)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body, parameters that the host refuses left out.

        Raises NotSupported for a raw prompt, and for a virtual window: nobody counts the tokens beforehand.
        """
        if request.raw is not None:
            raise NotSupported("a raw prompt needs a local model", capability="raw_completion", backend=self.name)
        if request.virtual_window is not None:
            raise NotSupported("a virtual window needs exact counts", capability="exact_count", backend=self.name)
        messages = [message.to_dict() for message in request.messages]
        body: dict[str, Any] = {"model": self.model, "messages": messages, **self._fields(request), **request.extra}
        body["stream"] = True
        if "prompt_progress" in self.provider.quirks:
            body["return_progress"] = True
        if "usage_always" not in self.provider.quirks:
            body["stream_options"] = {"include_usage": True}
        return body

    def render(self, request: Request) -> Rendered:
        """Never: a remote prompt cannot be observed. Raises NotSupported."""
        raise NotSupported("a remote prompt cannot be observed", capability="exact_prompt", backend=self.name)

    def count(self, request: Request) -> int:
        """Never: only the server counts. Raises NotSupported."""
        raise NotSupported("only the server counts", capability="exact_count", backend=self.name)

    def window(self) -> int | None:
        """None unless the row says it: the protocol has no word for it."""
        return self.provider.window

    def close(self) -> None:
        """Close idle connections."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait()[0].close()

    @property
    def _thinks_strictly(self) -> bool:
        return "reasoning_strict" in self.provider.quirks and REASONING_MODEL.match(self.model) is not None

    def _mended(self, report: Report, body: Mapping[str, Any]) -> Report:
        """The report with the count that a `usage_short` server should have told; and the row's window."""
        report = replace(report, window=report.window or self.window())
        limit, told = body.get(self.provider.token_field), report.usage.completion_tokens
        short = "usage_short" in self.provider.quirks and report.finish == "length"
        if not short or limit is None or told != limit - 1:
            return report
        return replace(report, usage=replace(report.usage, completion_tokens=limit))

    def _fields(self, request: Request) -> dict[str, Any]:
        names = self.provider.params
        if self._thinks_strictly:
            names = names & {"max_tokens"}
        given = {name: value for name, value in request.params.to_llamacpp().items() if name in names}
        limit = given.pop("max_tokens", -1)
        fields = {BY_NAME[name].openai or name: value for name, value in given.items()}
        return fields if limit == -1 else {**fields, self.provider.token_field: limit}

    @contextlib.contextmanager
    def _opened(self, control: Control) -> Iterator[ChunkChat]:
        """A chat on a connection of its own, kept for the next one when all went well."""
        try:
            line, chat = self._idle.get_nowait()
        except queue.Empty:
            line = Line(self.base_url, self._key, certificates(), reach=self._reach, bounded=True)
            chat = self._chat(line.client)  # 30 ms: it makes an asynchronous client, too
        line.lend(control)
        try:
            yield chat
        except BaseException:
            line.end()
            line.close()
            raise
        line.end()
        try:
            self._idle.put_nowait((line, chat))
        except queue.Full:
            line.close()

    def _chat(self, client: httpx.Client) -> ChunkChat:
        return ChunkChat(
            model=self.model,
            base_url=self.base_url,
            api_key=SecretStr(self._key or NO_KEY),
            max_retries=0,
            use_responses_api=False,
            timeout=timeout(),  # else the openai client's own ten minutes
            http_client=client,
            http_async_client=_never_asked(),  # else it makes one, with certificates of its own
        )


@dataclass
class _Answer:
    """What the chunks add up to."""

    tools: ToolCalls = field(default_factory=ToolCalls)
    finish: str | None = None
    received: int = 0
    usage: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, Any] = field(default_factory=dict)
    native: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    stop_string: str | None = None

    def take(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """The events of one chunk."""
        self.model = chunk.get("model") or self.model
        self.usage = chunk.get("usage") or self.usage
        self.timings = chunk.get("timings") or self.timings
        self.native |= {name: told for name in LM_STUDIO if (told := chunk.get(name))}
        if progress := chunk.get("prompt_progress"):
            yield PromptProgress(progress["processed"], progress["total"], progress["cache"])
        for choice in (chunk.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            # llama.cpp, DeepSeek, vLLM and LM Studio say reasoning_content, OpenRouter and Groq reasoning
            if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                yield ReasoningDelta(thought)
            logprobs = (choice.get("logprobs") or {}).get("content") or ()
            if (text := delta.get("content")) or logprobs:
                self.received += len(text or "")
                yield TextDelta(text or "", tuple(logprobs))
            self.tools.take(delta.get("tool_calls") or ())
            self.finish = choice.get("finish_reason") or self.finish
            if isinstance(choice.get("stop_reason"), str):  # vLLM tells which stop string ended it
                self.stop_string = choice["stop_reason"]

    def report(self) -> Report:
        """The Report of a stream that came to its end."""
        return Report(
            finish=self.finish or "stop",
            usage=_usage(self.usage),
            stats=_stats(self.timings) or _lmstudio_stats(self.native.get("stats") or {}),
            window=(self.native.get("model_info") or {}).get("context_length"),
            model=self.model,
            stop_string=self.stop_string,
            response={"finish_reason": self.finish, "usage": self.usage, "timings": self.timings, **self.native},
        )


def _usage(told: Mapping[str, Any]) -> Usage:
    prompt, completion = told.get("prompt_tokens_details") or {}, told.get("completion_tokens_details") or {}
    return Usage(
        told.get("prompt_tokens"),
        told.get("completion_tokens"),
        prompt.get("cached_tokens"),
        completion.get("reasoning_tokens"),
    )


def _stats(timings: Mapping[str, Any]) -> Stats | None:
    """What a llama.cpp server measured; other servers measure nothing."""
    speed, spent = timings.get("predicted_per_second"), timings.get("predicted_ms")
    if not speed or spent is None:
        return None
    return Stats(tokens_per_second=speed, total_time=spent / 1000, source="server")


def _lmstudio_stats(told: Mapping[str, Any]) -> Stats | None:
    """What LM Studio measured, where its answer says so; a very short one has no speed."""
    speed = told.get("tokens_per_second")
    if not isinstance(speed, int | float) or not math.isfinite(speed):
        return None
    return Stats(tokens_per_second=speed, total_time=told.get("generation_time"), source="server")
