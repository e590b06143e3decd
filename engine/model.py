"""One model as it is asked: it streams, renders and counts. Knows neither how it was found nor how it is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.backends.base import Backend, Report, Request
from engine.errors import EngineError
from engine.generation import Generation
from engine.params import Params
from engine.types import Capability, Message, ModelState, Rendered, Result

if TYPE_CHECKING:
    from engine.catalog import ModelCard
    from engine.engine import Engine
    from engine.models.configuration import Configuration


class Model:
    """One model, ready to be asked; cheap to make, loaded at the first question."""

    def __init__(self, engine: Engine, card: ModelCard, backend: Backend, secrets: tuple[str, ...] = ()) -> None:
        self.card = card
        self.backend = backend
        self._engine = engine
        self._secrets = secrets

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this model's backend can do."""
        return self.backend.capabilities

    def stream(
        self,
        messages: Iterable[Message],
        params: Params | None = None,
        *,
        owner: str = "local",
        raw: str | None = None,
        virtual_window: int | None = None,
        interactive: bool = True,
        extra: Mapping[str, Any] | None = None,
        window: Mapping[str, Any] | None = None,
    ) -> Generation:
        """A Generation that has begun; its seed is a number, drawn when `params` has none.

        `raw` is a prompt without template, `virtual_window` a smaller window in tokens, `interactive` False lets
        persons pass; `window` is the record of a plan of engine.window, which goes into the trace.
        """
        request = self.request(messages, params, owner=owner, raw=raw, virtual_window=virtual_window,
                               interactive=interactive, extra=extra, window=window)  # fmt: skip
        return Generation(self.backend, request, model=self.card.id, record=self._record)

    def answer(self, messages: Iterable[Message], params: Params | None = None, **options: Any) -> Result:
        """The whole answer. Raises what `stream` raises before its first event."""
        generation = self.stream(messages, params, **options)
        for _ in generation:
            pass
        return generation.result

    def request(self, messages: Iterable[Message], params: Params | None = None, **options: Any) -> Request:
        """The Request of these arguments; `body`, `render` and `count` then speak of one and the same thing.

        What `params` do not say stands as the model's configuration says, else as its file recommends.
        """
        options["extra"] = options.get("extra") or {}
        return Request(tuple(messages), (params or Params()).over(self.defaults).seeded(), **options)

    @property
    def configuration(self) -> Configuration:
        """What the teacher keeps for this model, as it is now."""
        return self._engine.configuration(self.card)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The parameters that stand where a request says nothing, by name: only those that are not the engine's."""
        return self._engine.defaults(self.card)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body that `stream` would send; no secret in it."""
        return self.backend.body(request)

    def render(self, request: Request) -> Rendered:
        """The exact prompt, its tokens and pieces, without inference. Raises NotSupported."""
        return self.backend.render(request)

    def count(self, request: Request) -> int:
        """Prompt tokens of the request, without inference. Raises NotSupported."""
        return self.backend.count(request)

    def window(self) -> int | None:
        """Tokens that prompt and answer share; from the card while the model is not loaded."""
        if self._engine.asleep(self.card):
            return self.card.window
        return self.backend.window()

    def state(self) -> ModelState:
        """What the model is doing; never loads it."""
        return self._engine.state(self.card)

    def redacted(self, value: Any) -> Any:
        """The JSON value without what looks like a key, and without this model's own."""
        from engine.trace import redact

        return redact(value, self._secrets)

    def unobservable(self) -> str:
        """Why the exact prompt of its requests is not known: `not_observable`, or a Reason of engine.lmslog."""
        endpoint = self.card.endpoint
        if endpoint is None or not self._engine.is_lmstudio(endpoint):
            return "not_observable"
        return self._engine.lms.reason(endpoint.base_url)

    def _record(self, request: Request, report: Report | None, result: Result) -> str | None:
        return self._engine.traces.record(
            request,
            self._with_prompt(request, report, result),
            result,
            backend=self.backend.name,
            model=self.card.id,
            body=self._body_sent(request),
            secrets=self._secrets,
        )

    def _with_prompt(self, request: Request, report: Report | None, result: Result) -> Report | None:
        """The report with the prompt that LM Studio's own log told, where this is LM Studio and it did."""
        endpoint = self.card.endpoint
        if endpoint is None or not self._engine.is_lmstudio(endpoint):
            return report
        said = [message.content for message in request.messages]
        prompt = self._engine.lms.prompt_of(said, (result.stats.wall_time or 0.0) + 1)
        return report if prompt is None else replace(report or Report(result.outcome), prompt=prompt)

    def _body_sent(self, request: Request) -> dict[str, Any]:
        try:
            return self.backend.body(request)
        except EngineError:  # refused before a body was made; the trace says so by its error code
            return {}
