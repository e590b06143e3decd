"""The named endpoints of models: /models_list, /models_card, /models_ps, /models_load, /models_unload,
/models_download, /endpoints_test, /keys_create. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import gradio as gr

from apps import host
from apps.gradio_kit import Ui, guard
from engine import instances
from engine.comptine.strictly import followed
from engine.errors import BadInput, BadParameter, EngineError
from engine.jobs import Job
from engine.models.details import details
from engine.models.memory import estimate
from engine.person import Person
from engine.ps import loaded
from engine.runtime.load import KvType

NAMES = {"models_list": "every", "models_card": "card", "models_ps": "ps", "models_load": "load",
         "models_unload": "unload", "models_download": "download", "endpoints_test": "test",
         "keys_create": "create"}  # fmt: skip


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = ModelsEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class ModelsEndpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def every(self, request: gr.Request | None = None) -> list[dict[str, Any]]:
        try:
            person, engine = self._person(request), self._ui.engine
            return [{**card.to_dict(), "state": engine.state(card).name} for card in engine.models(person.role)]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def card(
        self, model: str, context: int = 0, slots: int = 1, kv_type: str = "f16", request: gr.Request | None = None
    ) -> dict[str, Any]:
        try:
            self._person(request)
            card = self._ui.engine.catalog.card(model)
            told: dict[str, Any] = {**card.to_dict(), "state": self._ui.engine.state(card).name}
            if not card.files:
                return told
            found = details(card.files[0].path)
            window = context or card.window or found.trained_context or 1
            needed = estimate(found, window, slots, _kv(kv_type))
            return {**told, "details": found.to_dict(), "memory": needed.to_dict()}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def ps(self, request: gr.Request | None = None) -> list[dict[str, Any]]:
        try:
            self._person(request)
            return [one.to_dict() for one in loaded(self._ui.engine)]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def load(self, model: str, request: gr.Request | None = None) -> dict[str, Any]:
        try:
            found = instances.load(self._ui.engine, model, self._teacher(request).role)
            return found.to_dict() if found is not None else {}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def unload(self, model: str, request: gr.Request | None = None) -> dict[str, bool]:
        try:
            return {"unloaded": instances.unload(self._ui.engine, model, self._teacher(request).role)}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def download(
        self, repository: str, file: str = "", request: gr.Request | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # one update of the stream: bytes so far, then where the model is
        from engine.models.download import start_download
        from engine.models.hub import Hub

        try:
            person, engine = self._teacher(request), self._ui.engine
            found = Hub(engine.settings).repository(repository)
            job = start_download(engine, person.id, found, found.file(file or None), role=person.role)
            yield from self._done(job)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def test(self, endpoint: str, key: str = "", request: gr.Request | None = None) -> list[dict[str, Any]]:
        try:
            person, engine = self._person(request), self._ui.engine
            known = key or engine.visit_keys.of(person.id, f"{endpoint}/model")
            return [one.to_dict() for one in engine.endpoints.test(endpoint, known, role=person.role)]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def create(
        self, name: str = "", days: int = 0, requests_per_day: int = 0, tokens_per_day: int = 0,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        try:
            person = self._teacher(request)
            made, raw = self._ui.engine.keys.create(
                person, name, lifetime=timedelta(days=days) if days else None, role="student",
                requests_per_day=requests_per_day or None, tokens_per_day=tokens_per_day or None,
            )  # fmt: skip
            return {"id": made.id, "name": made.name, "key": raw, "expires": made.expires and made.expires.isoformat()}
        except OverflowError as error:
            wrong = BadParameter(f"days={days}", name="days", value=days, low=1, high=None)
            raise guard(self._ui, wrong) from error
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _done(self, job: Job) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The job as it goes, then its result without the folder; cancelled with this iterator."""
        for now in followed(self._ui.engine, job):
            job = now
            yield {"state": now.state, "done": now.done, "total": now.total, "eta": now.eta}, {}
        self._ui.engine.catalog.look_again()
        told = dict(job.result or {})
        yield {"state": job.state, "done": job.done, "total": job.total, "eta": None}, told

    def _person(self, request: gr.Request | None) -> Person:
        if request is None:
            raise BadInput("no request")
        return self._ui.person(request)

    def _teacher(self, request: gr.Request | None) -> Person:
        return host.require(self._person(request))


def _kv(kind: str) -> KvType:
    """Raises BadParameter."""
    if kind not in (known := get_args(KvType)):
        raise BadParameter(f"kv_type={kind!r}", name="kv_type", value=kind, choices=known, low=None, high=None)
    return kind  # type: ignore[return-value]
