"""Ollama through its own protocol, where the window counts and a prompt that is too long is an error. Knows no
catalogue.

Its `/v1` has no word for the window, and cuts a long prompt in silence. So does `/api/chat`, unless `truncate` and
`shift` are false; versions from before these fields cut all the same. No token is longer than a word: so a prompt with
more words than the window has tokens is refused here, and an answer to fewer tokens than there were words is an error.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.addresses import Reach
from engine.backends.base import Control, Report, Request
from engine.backends.http_errors import too_long
from engine.backends.json_line import JsonLine, root_of, shaped, whole
from engine.backends.windows import Windows
from engine.errors import NotSupported, PromptTooLong, ServerFailed, StreamCut
from engine.types import Capability, Event, Message, ReasoningDelta, Rendered, Stats, TextDelta, ToolCall, Usage

if TYPE_CHECKING:
    from engine.providers import Provider

WINDOW = 8192
OPTIONS: Mapping[str, str] = {"max_tokens": "num_predict"}  # our names where they differ
TOP_LEVEL = frozenset({"format", "keep_alive", "logprobs", "options", "think", "tools", "top_logprobs"})
NANO = 1e9
HALF, SURELY = 0.45, 0.9  # of the window, of the words
_WORD = re.compile(r"\S*\w\S*")


@dataclass(frozen=True)
class Running:
    """One model that is loaded: `window` in tokens as Ollama allocated it, None where its version does not tell."""

    name: str
    window: int | None
    size_bytes: int | None
    expires: str | None


@dataclass(frozen=True)
class Shown:
    """What Ollama knows of a model: `trained` is the longest window it was made for, in tokens."""

    architecture: str | None
    parameters: str | None
    quantization: str | None
    trained: int | None
    capabilities: tuple[str, ...]
    template: str
    licence: str


class OllamaServer:
    """The native routes beside chat. Raises BackendError, and UnknownModel for a model that is not there."""

    def __init__(
        self, base_url: str, key: str | None = None, *, seconds: float | None = 10.0, reach: Reach | None = None
    ) -> None:
        self.root = root_of(base_url)
        self._key = key
        self._seconds = seconds
        self._reach = reach

    def version(self) -> str:
        """Such as "0.33.0"."""
        return str(_told(self._get("/api/version"), "version"))

    @shaped("Ollama")
    def tags(self) -> tuple[str, ...]:
        """The models that are there, by name."""
        return tuple(str(_told(one, "name")) for one in _told(self._get("/api/tags"), "models") or ())

    @shaped("Ollama")
    def ps(self) -> tuple[Running, ...]:
        """The models that are loaded."""
        return tuple(
            Running(
                str(_told(one, "name")), whole(one.get("context_length")), whole(one.get("size")), one.get("expires_at")
            )
            for one in _told(self._get("/api/ps"), "models") or ()
        )

    @shaped("Ollama")
    def show(self, model: str) -> Shown:
        """What is known of one model."""
        told = self._post("/api/show", {"model": model}, model)
        info, details = told.get("model_info") or {}, told.get("details") or {}
        trained = next((value for name, value in info.items() if name.endswith(".context_length")), None)
        return Shown(
            info.get("general.architecture") or details.get("family"),
            details.get("parameter_size"),
            details.get("quantization_level"),
            trained if isinstance(trained, int) else None,
            tuple(told.get("capabilities") or ()),
            told.get("template") or "",
            told.get("license") or "",
        )

    def load(self, model: str, window: int) -> None:
        """Have the model in memory with that window; returns once it is."""
        self._post("/api/generate", {"model": model, "options": {"num_ctx": window}, "stream": False}, model)

    def unload(self, model: str) -> None:
        """Give the model's memory back."""
        self._post("/api/generate", {"model": model, "keep_alive": 0, "stream": False}, model)

    def pull(self, model: str, control: Control | None = None) -> Iterator[tuple[str, int | None, int | None]]:
        """Status, bytes that have come and bytes in all while it fetches a model; both are None where it does not say.

        Ends early where `control` stops it; Ollama keeps what has come. Raises ServerFailed with Ollama's own words.
        """
        body = {"model": model, "stream": True}
        with JsonLine(self.root, self._key, model=model, reach=self._reach) as line:
            done = False
            for told in line.stream("/api/pull", body, control or Control()):
                _no_error(told)
                done = told.get("status") == "success"
                yield str(told.get("status", "")), told.get("completed"), told.get("total")
            if not done and not (control and control.stopped):
                raise StreamCut(f"{self.root} stopped before the end", received=0)

    def _get(self, path: str) -> Any:
        with JsonLine(self.root, self._key, seconds=self._seconds, reach=self._reach) as line:
            return line.get(path)

    def _post(self, path: str, body: Mapping[str, Any], model: str) -> Mapping[str, Any]:
        with JsonLine(self.root, self._key, model=model, seconds=self._seconds, reach=self._reach) as line:
            told = line.post(path, body)
        return told if isinstance(told, dict) else {}


class Ollama:
    """The backend of one of its models; `window` are the tokens to ask for, at most what the model was trained for."""

    name = "ollama"

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str | None,
        provider: Provider,
        *,
        window: int = WINDOW,
        windows: Windows | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.base_url = base_url
        self.model = model
        self.provider = provider
        self.capabilities: frozenset[Capability] = provider.capabilities
        self._root = root_of(base_url)
        self._key = key or None
        self._reach = reach
        self._wanted = window
        self._windows = windows or Windows()

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Thoughts, words and calls as they come, then the Report. Raises PromptTooLong, BackendError."""
        body, answer = self.body(request), _Answer()
        window: int = body["options"]["num_ctx"]
        words = words_of(request.messages)
        if words >= window:
            raise PromptTooLong(None, window)
        with JsonLine(self._root, self._key, model=self.model, reach=self._reach) as line:
            try:
                for told in line.stream("/api/chat", body, control):
                    yield from answer.take(told)
            except PromptTooLong as error:  # it tells no number
                raise PromptTooLong(error.prompt_tokens, error.window or window) from error
        if control.stopped:
            return
        if not answer.last.get("done"):
            raise StreamCut(f"{self._root} stopped before the end", received=answer.received)
        if answer.was_cut(words, window):
            raise PromptTooLong(None, window)
        yield from answer.calls
        yield answer.report(window)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body. Raises NotSupported for a raw prompt, a grammar, and a virtual window: nobody counts the
        tokens beforehand.
        """
        if request.raw is not None:
            raise NotSupported("a raw prompt needs a local model", capability="raw_completion", backend=self.name)
        if request.virtual_window is not None:
            raise NotSupported("a virtual window needs exact counts", capability="exact_count", backend=self.name)
        extra = _extra(request.extra, self.name)
        options = {**self._options(request), "num_ctx": self.window(), **extra.pop("options", {})}
        messages = [_message(message) for message in request.messages]
        body = {"model": self.model, "messages": messages, "options": options, **extra}
        return {**body, "truncate": False, "shift": False, "stream": True}

    def render(self, request: Request) -> Rendered:
        """Never: Ollama shows its prompts to debuggers alone. Raises NotSupported."""
        raise NotSupported("a remote prompt cannot be observed", capability="exact_prompt", backend=self.name)

    def count(self, request: Request) -> int:
        """Never: Ollama has no tokenizer to ask. Raises NotSupported."""
        raise NotSupported("only the server counts", capability="exact_count", backend=self.name)

    def window(self) -> int:
        """The tokens that its requests ask for: those wanted, or fewer where the model was trained for fewer."""
        trained = self._windows.of(self.base_url, self.model, self._trained)
        return self._wanted if trained is None else min(self._wanted, trained)

    def close(self) -> None:
        """Nothing is kept open."""

    def _trained(self) -> int | None:
        server = OllamaServer(self.base_url, self._key, seconds=self._windows.ask_s, reach=self._reach)
        return server.show(self.model).trained

    def _options(self, request: Request) -> dict[str, Any]:
        taken = self.provider.params
        given = {name: value for name, value in request.params.to_llamacpp().items() if name in taken}
        return {OPTIONS.get(name, name): value for name, value in given.items()}


def words_of(messages: Iterable[Message]) -> int:
    """The least tokens that the messages can have: one for each word."""
    return sum(len(_WORD.findall(message.content)) for message in messages)


def _extra(extra: Mapping[str, Any], backend: str) -> dict[str, Any]:
    """The fields beside messages and parameters, in Ollama's words where OpenAI and llama.cpp have others."""
    told = dict(extra)
    if "grammar" in told:
        raise NotSupported("a grammar needs a llama.cpp server", capability="grammar", backend=backend)
    if (schema := told.pop("json_schema", None)) is not None:
        told["format"] = schema
    if form := told.pop("response_format", None):
        schema = (form.get("json_schema") or {}).get("schema")
        told |= {"format": schema or "json"} if form.get("type") in ("json_object", "json_schema") else {}
    if (effort := told.pop("reasoning_effort", None)) is not None:
        told["think"] = effort if effort in ("low", "medium", "high") else effort != "none"
    return {name: value for name, value in told.items() if name in TOP_LEVEL}


def _message(message: Message) -> dict[str, Any]:
    """The message in Ollama's shape: arguments of calls are objects, images stand beside the text."""
    told = message.to_dict()
    if isinstance(parts := told["content"], list):
        texts = [part["text"] for part in parts if part.get("type") == "text"]
        told |= {"content": "\n".join(texts), "images": [_image(part) for part in parts if "image_url" in part]}
    if calls := told.get("tool_calls"):
        told["tool_calls"] = [_call(call.get("function") or {}) for call in calls]
    return told


def _image(part: Mapping[str, Any]) -> str:
    """The base64 text of an image that came as a data URL."""
    return str(part["image_url"]["url"]).partition("base64,")[2]


def _call(function: Mapping[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments") or "{}"
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError):  # a model's arguments are what it wrote
            arguments = json.loads(arguments)
    return {"function": {"name": function.get("name"), "arguments": arguments}}


@dataclass
class _Answer:
    """What the objects of a stream add up to; `last` is the one that says `done`."""

    last: Mapping[str, Any] = field(default_factory=dict)
    calls: list[ToolCall] = field(default_factory=list)
    received: int = 0

    def take(self, told: Mapping[str, Any]) -> Iterator[Event]:
        """The events of one object. Raises ServerFailed, PromptTooLong for one that is an error."""
        _no_error(told)
        message = told.get("message") or {}
        if thought := message.get("thinking"):
            yield ReasoningDelta(thought)
        logprobs = tuple(told.get("logprobs") or ())
        if (text := message.get("content")) or logprobs:
            self.received += len(text or "")
            yield TextDelta(text or "", logprobs)
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            arguments = json.dumps(function.get("arguments") or {}, ensure_ascii=False)
            number = call.get("id") or f"call_{len(self.calls)}"
            self.calls.append(ToolCall(number, str(function.get("name", "")), arguments))
        if told.get("done"):
            self.last = told

    def was_cut(self, words: int, window: int) -> bool:
        """Whether a prompt of so many words was cut in silence: fewer tokens were read, and yet half a window of them.

        Fewer than that may be what an old version had not read before; a new one tells these apart, and cuts nothing.
        """
        read = self.last.get("prompt_eval_count") or 0
        told = "prompt_eval_cached_count" in self.last
        return not told and HALF * window <= read < SURELY * words

    def report(self, window: int) -> Report:
        """The Report of a stream that came to its end; counts that were not told are None, never 0."""
        told = self.last
        reason = "tool_calls" if self.calls else told.get("done_reason") or "stop"
        spent, written = told.get("eval_duration"), told.get("eval_count")
        return Report(
            finish=str(reason),
            # an old version counts no token that it had read before, and none at all is told as a missing field
            usage=Usage(told.get("prompt_eval_count") or None, written, told.get("prompt_eval_cached_count")),
            stats=Stats(written / spent * NANO, total_time=spent / NANO, source="server")
            if spent and written
            else None,
            window=window,
            model=told.get("model"),
            response={name: value for name, value in told.items() if name != "message"},
        )


def _no_error(told: Mapping[str, Any]) -> None:
    """Raises what an object in a stream that is an error stands for."""
    if error := told.get("error"):
        raise too_long(str(error)) or ServerFailed(str(error)[:500], status=None)


def _told(body: Any, name: str) -> Any:
    """A field of an object. Raises ServerFailed where this is none: somebody else answers at that address."""
    if not isinstance(body, dict) or name not in body:
        raise ServerFailed("this is not Ollama", status=None)
    return body[name]
