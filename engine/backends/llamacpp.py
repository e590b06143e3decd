"""The local model: a llama.cpp server behind a runtime, read event by event. Knows no process and no thread."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from engine.backends.base import Control, Report, Request
from engine.backends.toolcalls import ToolCalls
from engine.errors import EngineError, PromptTooLong
from engine.output import check_body
from engine.types import (
    Capability,
    Event,
    Loading,
    PromptProgress,
    ReasoningDelta,
    Rendered,
    Stats,
    TextDelta,
    Usage,
)

if TYPE_CHECKING:
    from engine.runtime.client import LlamaServer
    from engine.runtime.gate import Gate, Ticket
    from engine.runtime.load import LoadParams

ADMISSION_POLL_S = 0.2
SPECIALS_MAX = 64  # a text full of such words must not become as many requests
_SPECIAL_LOOK = re.compile(r"\s?[<\[].+[>\]]", re.DOTALL)

# The chat route says only "stop"; these three fields of its debugging block tell a stop string from an end of turn.
# The block comes once, with the last batch of chunks (server-task.cpp: to_json_oaicompat_chat_stream).
WHY_IT_ENDED = {"verbose": True, "response_fields": ["stop_type", "stopping_word", "truncated"]}


class Runtime(Protocol):
    """What this backend needs of a runtime; `window` is tokens per slot as the server tells it."""

    @property
    def server(self) -> LlamaServer: ...
    @property
    def gate(self) -> Gate | None: ...
    @property
    def window(self) -> int: ...
    @property
    def load(self) -> LoadParams | None: ...
    def ready(self, control: Control | None = None) -> Iterator[Loading]:
        """Loading events until the server answers. Raises LoadFailed, ModelFileCorrupt, RuntimeDied."""
        ...

    def explain(self, error: EngineError) -> EngineError:
        """The error that names the cause, such as RuntimeDied for a connection that broke with its worker."""
        ...


class LlamaCpp:
    """The backend of one runtime."""

    name = "llamacpp"
    capabilities: frozenset[Capability] = frozenset(
        {
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
            "reasoning",
            "raw_completion",
        }
    )

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._special: dict[int, bool] = {}  # of the tokens that look so; the model's file does not change

    @property
    def runtime(self) -> Runtime:
        """What it speaks to: for measurements that no Request can ask for."""
        return self._runtime

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Loading, place in the queue, prompt progress, then the answer and its Report."""
        try:
            yield from self._run(request, control)
        except EngineError as error:
            # A stop breaks the connection itself; to ask for the cause would only take time.
            explained = error if control.stopped else self._runtime.explain(error)
            if explained is error:
                raise
            raise explained from error

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body for `/v1/chat/completions`, or for `/completion` when the request is raw; `max_tokens` is still
        unbounded.
        """
        fields = {"cache_prompt": True, **request.params.to_llamacpp(), **request.extra, "stream": True}
        fields |= {"return_progress": True, "timings_per_token": True}  # counts, should it be stopped or cut
        if request.raw is not None:
            return {"prompt": request.raw, "return_tokens": True, **_raw_logprobs(fields)}
        messages = [message.to_dict() for message in request.messages]
        return {"messages": messages, **fields, "stream_options": {"include_usage": True}, **WHY_IT_ENDED}

    def render(self, request: Request) -> Rendered:
        """The prompt after the template, its token ids and pieces, as llama.cpp's own chat route makes them."""
        server = self._loaded()
        prompt = _prompt(server, request, self.body(request))
        tokens = _tokenize(server, prompt, with_pieces=True)
        pieces = (entry["piece"] for entry in tokens)
        return Rendered(
            prompt,
            tuple(entry["id"] for entry in tokens),
            tuple(tuple(piece) if isinstance(piece, list) else piece for piece in pieces),
            frozenset(self._specials(server, tokens)),
        )

    def count(self, request: Request) -> int:
        """Prompt tokens of the request; equal to `usage.prompt_tokens` of its answer."""
        server = self._loaded()
        return len(_tokenize(server, _prompt(server, request, self.body(request))))

    def window(self) -> int:
        """Tokens of one slot."""
        return self._runtime.window

    def marks(self) -> dict[str, str]:
        """What "bos" and "eos" are for this model's templates; "bos" is empty where the tokenizer adds it by itself."""
        server = self._loaded()
        told = server.get("/props")
        adds = bool(_tokenize(server, ""))
        return {"bos": "" if adds else str(told.get("bos_token", "")), "eos": str(told.get("eos_token", ""))}

    def close(self) -> None:
        """Nothing: connections belong to the runtime."""

    def _specials(self, server: LlamaServer, tokens: list[Any]) -> Iterator[int]:
        """The special ones: as ordinary text their piece would be other tokens. Asked once for each."""
        pieces = {entry["id"]: entry["piece"] for entry in tokens if isinstance(entry["piece"], str)}
        looks = [(token, piece) for token, piece in pieces.items() if _SPECIAL_LOOK.fullmatch(piece)]
        for token, piece in looks[:SPECIALS_MAX]:
            if token not in self._special:
                body = {"content": piece, "add_special": False, "parse_special": False}
                self._special[token] = server.post("/tokenize", body)["tokens"] != [token]
            if self._special[token]:
                yield token

    def _loaded(self) -> LlamaServer:
        for _ in self._runtime.ready():
            pass
        return self._runtime.server

    def _run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        check_body(request.extra)
        yield from self._runtime.ready(control)
        if control.stopped:
            return
        server, gate, window = self._runtime.server, self._runtime.gate, self._runtime.window  # of one life of it
        body = self.body(request)
        prompt = _prompt(server, request, body, control)
        tokens = _tokenize(server, prompt, control=control)
        body["max_tokens"] = _room(body["max_tokens"], len(tokens), window, request.virtual_window)
        answer = _RawAnswer() if request.raw is not None else _ChatAnswer()
        load = self._runtime.load
        control.partial = lambda: answer.partial(len(tokens), prompt, window, load)
        if gate is None:  # the serving process admits it, and has to be told that nobody waits for it
            body |= {} if request.interactive else {"interactive": False}
            yield from _stream(server, body, answer, control)
        else:
            with gate.enter(tokens, owner=request.owner, interactive=request.interactive) as ticket:
                yield from _admission(ticket, control)
                if not control.stopped:
                    body["id_slot"] = ticket.ready.result()
                    yield from _stream(server, body, answer, control)
                    ticket.leave(answer.generated)
        if not control.stopped:
            yield from answer.tools.calls()
            yield answer.report(prompt, window, load)


def _raw_logprobs(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with OpenAI's two words for token probabilities as the raw route says them."""
    left = {name: value for name, value in fields.items() if name not in ("logprobs", "top_logprobs")}
    return {**left, "n_probs": max(1, fields.get("top_logprobs", 1))} if fields.get("logprobs") else left


def _prompt(server: LlamaServer, request: Request, body: Mapping[str, Any], control: Control | None = None) -> str:
    if request.raw is not None:
        return request.raw
    return str(server.post("/apply-template", body, control=control)["prompt"])


def _tokenize(
    server: LlamaServer, text: str, *, with_pieces: bool = False, control: Control | None = None
) -> list[Any]:
    # add_special and parse_special are what server-context.cpp passes to tokenize_input_prompts for both routes.
    body = {"content": text, "add_special": True, "parse_special": True, "with_pieces": with_pieces}
    tokens: list[Any] = server.post("/tokenize", body, control=control)["tokens"]
    return tokens


def _stream(
    server: LlamaServer, body: Mapping[str, Any], answer: _ChatAnswer | _RawAnswer, control: Control
) -> Iterator[Event]:
    for chunk in server.stream(answer.route, body, control):
        yield from answer.take(chunk)


def _room(wanted: int, prompt_tokens: int, window: int, virtual_window: int | None) -> int:
    """Tokens that the answer may have: what was wanted, at most what is left of the smaller window (-1: all of it).

    Raises PromptTooLong where nothing is left: a prompt of exactly the window is refused, as llama.cpp does.
    """
    size = min(window, virtual_window or window)
    if prompt_tokens >= size:
        raise PromptTooLong(prompt_tokens, size)
    left = size - prompt_tokens
    return left if wanted < 0 else min(wanted, left)


def _admission(ticket: Ticket, control: Control) -> Iterator[Event]:
    """Position events, each once, until the ticket is ready or the generation stopped. Raises what admission raised."""
    shown: Event | None = None
    while not ticket.ready.done() and not control.stopped:
        position = ticket.position()
        if position is not None and position != shown:
            shown = position
            yield position
        try:
            ticket.ready.result(timeout=ADMISSION_POLL_S)
        except TimeoutError:
            continue


@dataclass
class _ChatAnswer:
    """What the chat route's chunks add up to."""

    route = "/v1/chat/completions"
    tools: ToolCalls = field(default_factory=ToolCalls)
    finish: str = ""
    deltas: int = 0
    usage: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, Any] = field(default_factory=dict)
    ending: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None

    def take(self, chunk: dict[str, Any]) -> Iterator[Event]:
        """The events of one chunk."""
        for name in ("usage", "timings"):  # first: nobody reads on after the event that a stop follows
            if name in chunk:
                setattr(self, name, chunk[name])
        choices = chunk["choices"]
        if choices:
            choice = choices[0]
            delta = choice["delta"]
            text, thought = delta.get("content") or "", delta.get("reasoning_content")
            logprobs = (choice.get("logprobs") or {}).get("content") or ()
            self.deltas += bool(text or thought or logprobs)
            if thought:  # its tokens are not the answer's
                yield ReasoningDelta(thought)
            if text or (logprobs and not thought):
                yield TextDelta(text, tuple(logprobs))
            if "tool_calls" in delta:
                self.tools.take(delta["tool_calls"])
            if choice["finish_reason"]:
                self.finish, self.model = choice["finish_reason"], chunk.get("model")
        if "prompt_progress" in chunk:
            yield _progress(chunk["prompt_progress"])
        self.ending = chunk.get("__verbose", self.ending)

    @property
    def generated(self) -> int:
        """Answer tokens that are in the slot now, at least; the last one was sampled and never evaluated."""
        return max(0, int(self.usage.get("completion_tokens", self.deltas)) - 1)

    def report(self, prompt: str, window: int, load: LoadParams | None) -> Report:
        """The Report of a stream that came to its end."""
        details = self.usage.get("prompt_tokens_details") or {}
        return Report(
            finish=self.finish,
            usage=Usage(
                self.usage.get("prompt_tokens"), self.usage.get("completion_tokens"), details.get("cached_tokens")
            ),
            stats=_stats(self.timings, load),
            window=window,
            model=self.model,
            stop_string=self.ending.get("stopping_word") or None,
            prompt=prompt,
            response={"usage": self.usage, "timings": self.timings, "finish_reason": self.finish, **self.ending},
        )

    def partial(self, prompt_tokens: int, prompt: str, window: int, load: LoadParams | None) -> Report:
        """The Report of a stream that ended early."""
        return _partial(self.timings, prompt_tokens, prompt, window, load)


@dataclass
class _RawAnswer:
    """What the chunks of `/completion` add up to."""

    route = "/completion"
    tools: ToolCalls = field(default_factory=ToolCalls)
    tokens: int = 0
    timings: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)

    def take(self, chunk: dict[str, Any]) -> Iterator[Event]:
        """The events of one chunk."""
        self.timings = chunk.get("timings", self.timings)
        if "prompt_progress" in chunk:
            yield _progress(chunk["prompt_progress"])
            return
        self.tokens += len(chunk["tokens"])
        if chunk["content"] or "completion_probabilities" in chunk:
            yield TextDelta(chunk["content"], tuple(chunk.get("completion_probabilities", ())))
        if chunk["stop"]:
            self.last = chunk

    @property
    def generated(self) -> int:
        """Answer tokens that are in the slot now; the last one was sampled and never evaluated."""
        return max(0, self.tokens - 1)

    def report(self, prompt: str, window: int, load: LoadParams | None) -> Report:
        """The Report of a stream that came to its end."""
        last = self.last
        timings = last.get("timings", {})
        return Report(
            finish="length" if last.get("stop_type") == "limit" else "stop",
            usage=Usage(last.get("tokens_evaluated"), last.get("tokens_predicted"), timings.get("cache_n")),
            stats=_stats(timings, load),
            window=window,
            model=last.get("model"),
            stop_string=last.get("stopping_word") or None,
            prompt=prompt,
            response={name: value for name, value in last.items() if name not in ("content", "prompt", "tokens")},
        )

    def partial(self, prompt_tokens: int, prompt: str, window: int, load: LoadParams | None) -> Report:
        """The Report of a stream that ended early."""
        return _partial(self.timings, prompt_tokens, prompt, window, load)


def _partial(
    timings: Mapping[str, Any], prompt_tokens: int, prompt: str, window: int, load: LoadParams | None
) -> Report:
    """What the timings of the last chunk say; they count every token, however few deltas their text came in."""
    return Report(
        finish="",
        usage=Usage(prompt_tokens, timings.get("predicted_n", 0), timings.get("cache_n")),
        stats=_stats(timings, load),
        window=window,
        prompt=prompt,
        response={"timings": timings},
    )


def _progress(told: Mapping[str, int]) -> PromptProgress:
    return PromptProgress(processed=told["processed"], total=told["total"], cached=told["cache"])


def _stats(timings: Mapping[str, float], load: LoadParams | None) -> Stats | None:
    """Speed and time as the server measured them; a speed of 0 is llama.cpp's way to say that one token has none."""
    if not timings.get("predicted_n"):
        return None
    return Stats(
        tokens_per_second=timings["predicted_per_second"] or None,
        total_time=timings["predicted_ms"] / 1000,
        gpu_layers=load.gpu_layers if load else None,
        source="server",
    )
