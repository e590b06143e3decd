"""The facade: one Engine per process opens models by name; a Model streams, renders and counts. Knows no interface."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from engine.backends.base import Backend, Report, Request
from engine.errors import BadInput, EngineError, StoreFailed
from engine.generation import Generation
from engine.params import Params
from engine.settings import Settings
from engine.types import Capability, Message, ModelState, Rendered, Result

if TYPE_CHECKING:
    from engine.catalog import Catalog, Endpoint, ModelCard
    from engine.chats import Chats
    from engine.endpoints import Endpoints
    from engine.jobs import JobQueue
    from engine.keys import Keys
    from engine.library import Library
    from engine.lmslog import LmsLog
    from engine.metrics import Metrics
    from engine.models.configuration import Configuration, Configurations
    from engine.models.folders import Folders
    from engine.people import People
    from engine.providers import Provider
    from engine.published import Published
    from engine.rag.collections import Collections
    from engine.rag.retrieval import Embedders
    from engine.remotes import Remotes
    from engine.requestlog import RequestLog
    from engine.runtime.attach import AttachedRuntime
    from engine.runtime.load import LoadParams
    from engine.runtime.supervisor import LocalRuntime, Supervisor
    from engine.sampling.microscope import Microscope
    from engine.serving import Serving
    from engine.store import Store
    from engine.trace import Traces
    from engine.values import Values
    from engine.visit_keys import VisitKeys


log = logging.getLogger(__name__)

T = TypeVar("T")


class _part(cached_property[T]):
    """A part that opens once, whichever thread asks first; from Python 3.12 on cached_property has no lock."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        with instance._lock:
            found: T = super().__get__(instance, owner)
            return found


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


class Engine:
    """Everything that one process shares: store, traces, people, catalogue, runtimes, jobs. Parts open at first use.

    With `serve` it is the one that others attach to and has `settings.slots` slots. Without, it attaches to a serving
    one on the same data folder, or else starts a worker of its own, with one slot unless the settings name a number.
    """

    def __init__(self, settings: Settings | None = None, *, serve: bool = False) -> None:
        self.settings = settings or Settings()
        self.serve = serve
        self._lock = threading.RLock()
        self._models: dict[str, Model] = {}
        self._runtimes: dict[str, LocalRuntime] = {}
        self._elsewhere: dict[str, AttachedRuntime] = {}

    @_part
    def store(self) -> Store:
        """The open store."""
        from engine.store import Store

        return Store(self.settings.url)

    @_part
    def traces(self) -> Traces:
        """Every request and answer."""
        from engine.trace import Traces

        return Traces(self.store, self.settings, told=self.metrics.answered)

    @_part
    def people(self) -> People:
        """Who is here."""
        from engine.people import People

        return People(self.store, gone=self._forget)

    @_part
    def keys(self) -> Keys:
        """API keys."""
        from engine.keys import Keys

        return Keys(self.store)

    @_part
    def requests(self) -> RequestLog:
        """What the served API was asked."""
        from engine.requestlog import RequestLog

        return RequestLog(self.store)

    @_part
    def metrics(self) -> Metrics:
        """Counters of this process."""
        from engine.metrics import Metrics

        return Metrics()

    @_part
    def serving(self) -> Serving:
        """The settings of the served API."""
        from engine.serving import Serving

        return Serving(self.values)

    @_part
    def values(self) -> Values:
        """Small settings of persons."""
        from engine.values import Values

        return Values(self.store)

    @_part
    def chats(self) -> Chats:
        """Conversations. The one that serves marks first what was being written when it ended last."""
        from engine.chats import Chats

        chats = Chats(self.store)
        if self.serve:
            chats.recover()
        return chats

    @_part
    def library(self) -> Library:
        """Presets and prompts of persons."""
        from engine.library import Library

        return Library(self.store)

    @_part
    def published(self) -> Published:
        """Presets that are models of the served API."""
        from engine.published import Published

        cards = self.catalog.cards
        return Published(self.library, lambda: [name for card in cards() for name in (card.id, *card.aliases)])

    @_part
    def collections(self) -> Collections:
        """Documents of persons. The one that serves removes first what nobody has any more."""
        from engine.rag.collections import Collections

        collections = Collections(self.store, self.settings)
        if self.serve:
            collections.sweep(starting=True)
        return collections

    @_part
    def embedders(self) -> Embedders:
        """Embedders of questions."""
        from engine.rag.retrieval import Embedders

        return Embedders(self)

    @_part
    def visit_keys(self) -> VisitKeys:
        """Keys for models and embedders that people brought for this visit; stored nowhere."""
        from engine.visit_keys import VisitKeys

        return VisitKeys()

    @_part
    def lms(self) -> LmsLog:
        """LM Studio's log on this machine; read from the first model of its on."""
        from engine.lmslog import LmsLog

        return LmsLog()

    @_part
    def catalog(self) -> Catalog:
        """Which models exist."""
        from engine.catalog import Catalog

        return Catalog(self.settings, self._configured, self._folders, self._endpoints)

    @_part
    def endpoints(self) -> Endpoints:
        """The endpoints that are known, and those that the teacher typed."""
        from engine.endpoints import Endpoints

        allowed = frozenset(self.settings.private_hosts.split())
        return Endpoints(self.values, private_hosts=allowed, changed=self.visit_keys.forget_endpoint)

    @_part
    def remotes(self) -> Remotes:
        """What the models behind endpoints share."""
        from engine.remotes import Remotes

        return Remotes(self.settings.window)

    @_part
    def folders(self) -> Folders:
        """Folders with models that the teacher added."""
        from engine.models.folders import Folders

        return Folders(self.values)

    @_part
    def configurations(self) -> Configurations:
        """What the teacher keeps for models."""
        from engine.models.configuration import Configurations

        return Configurations(self.values)

    @_part
    def runtimes(self) -> Supervisor:
        """The worker processes."""
        from engine.runtime.supervisor import Supervisor

        return Supervisor(self.settings)

    @_part
    def jobs(self) -> JobQueue:
        """Heavy work in niced child processes."""
        from engine.joblog import JobLog
        from engine.jobs import JobQueue

        return JobQueue(JobLog(self.store), self.settings)

    @_part
    def microscope(self) -> Microscope:
        """Looking into local models."""
        from engine.sampling.microscope import Microscope

        return Microscope(self.settings)

    def _configured(self) -> Mapping[str, Configuration]:
        """All configurations; none where the store is broken, so that its models can be chosen all the same."""
        try:
            return self.configurations.all()
        except StoreFailed as error:
            log.warning("configurations cannot be read: %s", error)
            return {}

    def _folders(self) -> tuple[Path, ...]:
        """The added folders; none where the store is broken."""
        try:
            return self.folders.list()
        except StoreFailed as error:
            log.warning("added folders cannot be read: %s", error)
            return ()

    def _forget(self) -> None:
        """Remove what is kept outside the store of people who are gone."""
        self.collections.sweep()
        if "microscope" in self.__dict__:
            self.microscope.clear()

    def is_lmstudio(self, endpoint: Endpoint) -> bool:
        """Whether that endpoint is LM Studio."""
        from engine.lmslog import is_lmstudio

        return is_lmstudio(endpoint.provider.id, endpoint.base_url)

    def models(self) -> tuple[ModelCard, ...]:
        """The models that can be chosen; files for embedding or reranking are none of them."""
        return tuple(card for card in self.catalog.cards() if card.kind == "chat")

    def model(
        self,
        model_id: str | None = None,
        key: str | None = None,
        *,
        role: Literal["teacher", "student"] = "teacher",
        owner: str | None = None,
    ) -> Model:
        """The model of that id or alias; None is the default one. `key` opens a remote one for this call only; without
        one, the key that `owner` brought for this visit does.

        A student reaches a remote one with a key of their own alone, and never a server on this machine: keys of the
        environment and loopback addresses are the teacher's, unless the teacher opened the endpoint to students. Raises
        UnknownModel, AccessDenied.
        """
        card = self.catalog.card(model_id or self.settings.model)
        if card.endpoint:
            key = key or (self.visit_keys.of(owner, card.model) if owner else None)
            return self._remote(card, card.endpoint, key, role)
        with self._lock:
            model = self._models.get(card.id)
            if model is None or self._outdated(card):
                model = self._models[card.id] = Model(self, card, self._backend(card))
            return model

    def configuration(self, card: ModelCard) -> Configuration:
        """What the teacher keeps for the model or the instance of this card; nothing where the store is broken."""
        from engine.models.configuration import NOTHING

        try:
            return self.configurations.get(card.id)
        except StoreFailed as error:  # as with traces: it must not cost an answer
            log.warning("the configuration of %s cannot be read: %s", card.id, error)
            return NOTHING

    def defaults(self, card: ModelCard) -> Mapping[str, Any]:
        """The parameters for this model where a request says nothing: its configuration's, then its file's."""
        from engine.models.deciding import recommended_by

        return {**recommended_by(card), **self.configuration(card).params}

    def params(self, model_id: str, params: Params) -> Params:
        """The parameters as that model would be asked with them; as they are where there is no such model."""
        try:
            return params.over(self.defaults(self.catalog.card(model_id)))
        except BadInput:
            return params

    def wishes(self, model_id: str) -> Configuration:
        """What the teacher keeps for the model of that id or alias; nothing where there is no such model."""
        from engine.models.configuration import NOTHING

        try:
            return self.configuration(self.catalog.card(model_id))
        except BadInput:
            return NOTHING

    def loaded(self, model_id: str) -> LocalRuntime | None:
        """The runtime of a local model, if it has one that is ready."""
        runtime = self._runtimes.get(model_id)
        return runtime if runtime is not None and runtime.state().name == "ready" else None

    def asleep(self, card: ModelCard) -> bool:
        """Whether the model is ours to load and not ready; one that another process serves is not asleep."""
        return card.backend == "llamacpp" and card.id not in self._elsewhere and self.loaded(card.id) is None

    def state(self, card: ModelCard) -> ModelState:
        """What the model of this card is doing."""
        if card.backend != "llamacpp":
            return ModelState("ready")
        runtime = self._runtimes.get(card.id) or self._elsewhere.get(card.id)
        return runtime.state() if runtime else ModelState("unloaded")

    def runtime(self, model_id: str | None = None) -> LocalRuntime | None:
        """The runtime behind a local model, loaded or not; None for every other kind of model."""
        model = self.model(model_id)
        return self._runtimes.get(model.card.id)

    def served(self, model_id: str | None = None) -> LocalRuntime | AttachedRuntime | None:
        """The runtime that answers for a local model, ours or another process's; None for every other kind of model."""
        card = self.model(model_id).card
        return self._runtimes.get(card.id) or self._elsewhere.get(card.id)

    def unload(self, model_id: str) -> None:
        """Stop the model's worker; the next question loads it again, from the best file there is by then."""
        with self._lock:
            self._models.pop(model_id, None)
            runtime = self._runtimes.pop(model_id, None)
        if runtime:
            runtime.stop()

    def close(self) -> None:
        """Stop workers and jobs, close the store."""
        for name in ("jobs", "lms", "microscope", "remotes", "runtimes", "store"):
            if name in self.__dict__:  # a part that was never used is not opened to be closed
                self.__dict__[name].close()

    def _backend(self, card: ModelCard) -> Backend:
        if card.backend == "echo":
            from engine.backends.echo import Echo

            return Echo()
        from engine.backends.llamacpp import LlamaCpp

        return LlamaCpp(self._attached(card) or self._local(card))

    def _remote(
        self, card: ModelCard, endpoint: Endpoint, key: str | None, role: Literal["teacher", "student"]
    ) -> Model:
        from engine.endpoints import admit

        row = endpoint.provider
        admit(row, key, role)
        if row.public_only:
            self.endpoints.check(row)
        if self.is_lmstudio(endpoint):
            self.lms.listen(endpoint.base_url)
        backend, secrets = self.remotes.open(row, endpoint.model, key)
        return Model(self, card, backend, secrets)

    def _endpoints(self) -> Mapping[str, Provider]:
        """The rows by id; those of providers.toml alone where the store is broken."""
        from engine.providers import providers

        try:
            return self.endpoints.rows()
        except StoreFailed as error:
            log.warning("typed endpoints cannot be read: %s", error.message)
            return providers()

    def _attached(self, card: ModelCard) -> AttachedRuntime | None:
        if self.serve:
            return None
        from engine.runtime.attach import attached_runtime

        found = attached_runtime(self.settings, card.id)
        if found is not None:
            self._elsewhere[card.id] = found
        return found

    def _outdated(self, card: ModelCard) -> bool:
        """Whether a model that is not loaded would be loaded in another way by now."""
        runtime = self._runtimes.get(card.id)
        if runtime is None or runtime.state().name in ("ready", "loading"):
            return False
        return runtime.wishes != self.load_params(card)

    def _local(self, card: ModelCard) -> LocalRuntime:
        runtime = self.runtimes.runtime(self.load_params(card), self.configuration(card).load.ttl_s)
        self._runtimes[card.id] = runtime
        return runtime

    @property
    def plain_slots(self) -> int:
        """The slots of a model of which nothing is kept."""
        own = not self.serve and "slots" not in self.settings.model_fields_set
        return 1 if own or self.settings.strict_reproducibility else self.settings.slots

    def load_params(self, card: ModelCard) -> LoadParams:
        """How a local model is loaded: as its configuration wishes, else as the settings say.

        The bundled one is prepared first, which takes two seconds, once.
        """
        from engine.catalog import BUNDLED
        from engine.models.prepare import prepared_file
        from engine.runtime.load import LoadParams
        from engine.templates import source

        settings, configuration = self.settings, self.configuration(card)
        path = prepared_file(settings).path if card.model == BUNDLED else card.files[0].path
        given: dict[str, Any] = {"slots": self.plain_slots, "threads": settings.threads, "batch": settings.batch}
        given |= configuration.load.wishes() | {"context": card.window or settings.window}
        if settings.strict_reproducibility:
            given["slots"] = 1
        if configuration.prompt.template:
            given["chat_template"] = source(configuration.prompt.template)
        return LoadParams(path=str(path), alias=card.id, **given)
