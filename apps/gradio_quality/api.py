"""The named endpoints of quality: /quality_perplexity, /quality_quantizations, /quality_speed, /quality_questions.

Knows no widget. Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from apps.gradio_documents.uploads import read_all
from apps.gradio_kit import Ui, guard
from apps.ui.quality import documents
from engine.comptine.strictly import followed
from engine.engine import Engine
from engine.errors import BadInput, EngineError
from engine.jobs import Job
from engine.person import Person
from engine.quality import asking
from engine.quality.evaluating import METHODS
from engine.quality.measuring import keep
from engine.quality.quantizations import KINDS

NAMES = {"quality_perplexity": "perplexity", "quality_quantizations": "quantizations", "quality_speed": "speed",
         "quality_questions": "questions"}  # fmt: skip
Ask = Callable[[Engine, Person], Job]


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = QualityEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class QualityEndpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def perplexity(
        self, text: str, model: str = "", window: int = 512, request: gr.Request | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # one update of the stream: how far it is, then the result
        yield from self._done(
            lambda engine, person: asking.ask_text(engine, person, str(text), model or None, window), request
        )

    def quantizations(
        self, kinds: list[str] | None = None, text: str = "", model: str = "", window: int = 512,
        request: gr.Request | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
        def ask(engine: Engine, person: Person) -> Job:
            return asking.ask_quantizations(engine, person, text or documents(), kinds or KINDS, model or None, window)

        yield from self._done(ask, request)

    def speed(
        self, plan: dict[str, Any] | None = None, model: str = "", request: gr.Request | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        yield from self._done(
            lambda engine, person: asking.ask_speed(engine, person, plan or {}, model or None), request
        )

    def questions(
        self, set: str = "fr", file: dict[str, Any] | None = None, methods: list[str] | None = None, model: str = "",
        limit: int = asking.ITEMS_MAX, request: gr.Request | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
        def ask(engine: Engine, person: Person) -> Job:
            chosen = tuple(one for one in METHODS if one in (methods or METHODS))
            if methods and len(chosen) != len(methods):
                raise BadInput(f"methods are {', '.join(METHODS)}", name="methods", value=methods)
            ((name, source),) = read_all([file]) if file else (("", set),)
            return asking.ask_questions(engine, person, source, model or None, chosen if methods else (), name=name,
                                        limit=max(1, limit))  # fmt: skip

        yield from self._done(ask, request)

    def _done(self, ask: Ask, request: gr.Request | None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The job as it goes, then its result, which is kept; cancelled with this iterator."""
        try:
            if request is None:
                raise BadInput("no request")
            job = ask(self._ui.engine, self._ui.person(request))
            for now in followed(self._ui.engine, job):
                job = now
                yield _how_far(now), {}
            keep(self._ui.engine, job)
            yield _how_far(job), dict(job.result)
        except EngineError as error:
            raise guard(self._ui, error) from error


def _how_far(job: Job) -> dict[str, Any]:
    return {"state": job.state, "done": job.done, "total": job.total, "eta": job.eta}
