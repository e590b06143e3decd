"""Endpoints that speak OpenAI's Responses and no chat completions any more, such as Perplexity. Knows no catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.addresses import Reach
from engine.backends.base import Control, Report, Request
from engine.backends.http_errors import hidden, too_long
from engine.backends.json_line import JsonLine
from engine.errors import NotSupported, ServerFailed, StreamCut
from engine.params import BY_NAME
from engine.types import Capability, Event, ReasoningDelta, Rendered, TextDelta, Usage

if TYPE_CHECKING:
    from engine.providers import Provider

TEXT = "response.output_text.delta"
THOUGHTS = frozenset({"response.reasoning_text.delta", "response.reasoning_summary_text.delta"})
ENDS = {"response.completed": "stop", "response.incomplete": "length"}


class Responses:
    """The backend of one model at one address; `provider` says what its host accepts."""

    name = "responses"

    def __init__(
        self, base_url: str, model: str, key: str | None, provider: Provider, *, reach: Reach | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.model = model
        self.provider = provider
        self.capabilities: frozenset[Capability] = provider.capabilities
        self._key = key or None
        self._reach = reach

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Thoughts and words as they come, then the Report."""
        answer = _Answer(self._key)
        with JsonLine(self.base_url, self._key, model=self.model, reach=self._reach) as line:
            for told in line.stream("/responses", self.body(request), control):
                yield from answer.take(told)
        if control.stopped:
            return
        if not answer.finish:
            raise StreamCut(f"{self.base_url} stopped before the end", received=answer.received)
        yield answer.report(self.provider.window)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body, parameters that the host refuses left out. Raises NotSupported for a raw prompt, and for a
        virtual window: nobody counts the tokens beforehand.
        """
        if request.raw is not None:
            raise NotSupported("a raw prompt needs a local model", capability="raw_completion", backend=self.name)
        if request.virtual_window is not None:
            raise NotSupported("a virtual window needs exact counts", capability="exact_count", backend=self.name)
        given = {name: value for name, value in request.params.to_llamacpp().items() if name in self.provider.params}
        limit = given.pop("max_tokens", -1)
        fields = {BY_NAME[name].openai or name: value for name, value in given.items()}
        if limit != -1:
            fields["max_output_tokens"] = limit
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        return {"model": self.model, "input": messages, **fields, **request.extra, "stream": True}

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
        """Nothing is kept open."""


@dataclass
class _Answer:
    """What the events of a stream add up to."""

    key: str | None
    finish: str | None = None
    received: int = 0
    whole: Mapping[str, Any] = field(default_factory=dict)

    def take(self, told: Mapping[str, Any]) -> Iterator[Event]:
        """The events of one object. Raises ServerFailed, PromptTooLong for one that is an error."""
        kind, piece = told.get("type"), told.get("delta")
        if kind in ("error", "response.failed"):
            error = (told.get("response") or {}).get("error") or told.get("error") or told
            words = f"{error.get('code') or ''} {error.get('message') or ''}".strip()
            raise too_long(words) or ServerFailed(hidden(words, self.key)[:500], status=None)
        if kind == TEXT and isinstance(piece, str):
            self.received += len(piece)
            yield TextDelta(piece)
        elif kind in THOUGHTS and isinstance(piece, str):
            yield ReasoningDelta(piece)
        elif kind in ENDS:
            self.finish, self.whole = ENDS[kind], told.get("response") or {}

    def report(self, window: int | None) -> Report:
        """The Report of a stream that came to its end."""
        used = self.whole.get("usage") or {}
        usage = Usage(
            used.get("input_tokens"),
            used.get("output_tokens"),
            (used.get("input_tokens_details") or {}).get("cached_tokens"),
            (used.get("output_tokens_details") or {}).get("reasoning_tokens"),
        )
        response = {"status": self.whole.get("status"), "usage": used}
        return Report(self.finish or "stop", usage, window=window, model=self.whole.get("model"), response=response)
