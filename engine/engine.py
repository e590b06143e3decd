"""The facade: one Engine per process opens models by name. Knows no interface."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from engine.backends.base import Backend
from engine.errors import AccessDenied, BadInput, StoreFailed
from engine.model import Model
from engine.params import Params
from engine.parts import Parts, part
from engine.settings import Settings
from engine.types import ModelState

if TYPE_CHECKING:
    from engine.catalog import Endpoint, ModelCard
    from engine.models.configuration import Configuration
    from engine.rag.retrieval import Embedders
    from engine.runtime.attach import AttachedRuntime
    from engine.runtime.load import LoadParams
    from engine.runtime.supervisor import LocalRuntime

log = logging.getLogger(__name__)


class Engine(Parts):
    """Everything that one process shares: store, traces, people, catalogue, runtimes, jobs. Parts open at first use.

    With `serve` it is the one that others attach to and has `settings.slots` slots. Without, it attaches to a serving
    one on the same data folder, or else starts a worker of its own, with one slot unless the settings name a number.
    """

    def __init__(self, settings: Settings | None = None, *, serve: bool = False) -> None:
        super().__init__(settings, serve=serve)
        self._models: dict[str, Model] = {}
        self._runtimes: dict[str, LocalRuntime] = {}
        self._elsewhere: dict[str, AttachedRuntime] = {}

    @part
    def embedders(self) -> Embedders:
        """Embedders of questions."""
        from engine.rag.retrieval import Embedders

        return Embedders(self)

    def is_lmstudio(self, endpoint: Endpoint) -> bool:
        """Whether that endpoint is LM Studio."""
        from engine.lmslog import is_lmstudio

        return is_lmstudio(endpoint.provider.id, endpoint.base_url)

    def models(self, role: Literal["teacher", "student"] = "teacher") -> tuple[ModelCard, ...]:
        """The models that somebody of that role can choose; files for embedding or reranking are none of them."""
        return tuple(card for card in self.catalog.cards() if card.kind == "chat" and self.may_load(card, role))

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
        environment and loopback addresses are the teacher's, unless the teacher opened the endpoint to students. Nor
        does a student load a file of another program's that the teacher has neither opened nor configured. Raises
        UnknownModel, AccessDenied.
        """
        card = self.catalog.card(model_id or self.settings.model)
        if card.endpoint:
            key = key or (self.visit_keys.of(owner, card.model) if owner else None)
            return self._remote(card, card.endpoint, key, role)
        with self._lock:
            model = self._models.get(card.id)
            if model is None:
                self.admit(card, role)
            if model is None or self._outdated(card):
                model = self._models[card.id] = Model(self, card, self._backend(card))
            return model

    def key_for(self, card: ModelCard, owner: str, role: Literal["teacher", "student"]) -> str | None:
        """The key that the model of this card needs in another process, for `JobQueue.submit(secrets=)`: the one that
        the person brought for this visit, else the one that is known here, where they may use it; None for a local one.
        """
        if card.endpoint is None:
            return None
        row = card.endpoint.provider
        brought = self.visit_keys.of(owner, card.model)
        return brought or (row.key_of(card.endpoint.base_url) if role == "teacher" or row.students else None)

    def may_load(self, card: ModelCard, role: Literal["teacher", "student"]) -> bool:
        """Whether somebody of that role may have this model of this machine loaded: a student none that lies about in
        other programs' folders, for it was put there for other ends, and may fill the memory that a class needs; unless
        the teacher has opened or configured it.
        """
        from engine.models.discovery import SOURCES

        foreign = card.source in SOURCES and card.backend == "llamacpp"
        return role == "teacher" or not foreign or card.id in self._models or card.id in self._configured()

    def admit(self, card: ModelCard, role: Literal["teacher", "student"]) -> None:
        """Return if somebody of that role may have this model loaded. Raises AccessDenied."""
        if not self.may_load(card, role):
            raise AccessDenied(f"{card.id} is the teacher's to open", role="teacher")

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

    def _backend(self, card: ModelCard) -> Backend:
        if card.backend == "echo":
            from engine.backends.echo import Echo

            return Echo()
        if card.backend == "recorded":
            from engine.compare.demo import backend

            return backend(card.id)
        from engine.backends.llamacpp import LlamaCpp

        return LlamaCpp(self._attached(card) or self._local(card))

    def _remote(
        self, card: ModelCard, endpoint: Endpoint, key: str | None, role: Literal["teacher", "student"]
    ) -> Model:
        row = endpoint.provider
        self.endpoints.admit(row, key, role)
        if self.is_lmstudio(endpoint):
            self.lms.listen(endpoint.base_url)
        backend, secrets = self.remotes.open(row, endpoint.model, key, reach=self.endpoints.reach(row, role))
        return Model(self, card, backend, secrets)

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
        runtime.ttl = self.configuration(card).load.ttl_s
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
        given: dict[str, Any] = {"slots": self.plain_slots, "batch": settings.batch, **self.computing.wishes()}
        given |= configuration.load.wishes() | {"context": card.window or settings.window}
        if settings.strict_reproducibility:
            given["slots"] = 1
        if configuration.prompt.template:
            given["chat_template"] = source(configuration.prompt.template)
        return LoadParams(path=str(path), alias=card.id, **given)
