"""The named endpoints of the documents: /documents_index, /documents_search, /documents_ask, /documents_evaluate.

Knows no widget. Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any, get_args

import gradio as gr

from apps.gradio_api import message_of
from apps.gradio_documents.uploads import read_all, uploaded
from apps.gradio_kit import Ui, guard
from engine.cli.rag_search import record
from engine.comptine.strictly import followed
from engine.engine import Engine
from engine.errors import BadInput, EngineError
from engine.jobs import Job
from engine.params import Params
from engine.person import Person
from engine.rag import indexing, sources
from engine.rag.answering import Answering, Grounded, answer
from engine.rag.chatting import retrieval
from engine.rag.collections import Collection
from engine.rag.embedders import admit_choice
from engine.rag.evaluation import Configuration, Hit, standard
from engine.rag.grounding import MODES
from engine.rag.retrieval import Asking, default, search
from engine.rag.values import Retrieval, Splitting
from engine.types import TextDelta

NAMES = {"documents_index": "index", "documents_search": "search", "documents_ask": "ask",
         "documents_evaluate": "evaluate"}  # fmt: skip
FIRST = "Documents"  # what a collection is called that nobody named


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = DocumentsEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class DocumentsEndpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def index(
        self,
        collection: str = "",
        files: list[dict[str, Any]] | None = None,
        texts: dict[str, str] | None = None,
        addresses: list[str] | None = None,
        options: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # one update of the stream: how far it is, then what was read
        try:
            engine, person = self._ui.engine, self._person(request)
            brought = (*uploaded(files or ()), *_typed(texts, addresses))
            found = _target(engine, person, collection, options)
            for job in followed(engine, indexing.start(engine, person.id, found.id, brought)):
                yield _how_far(job), {}
            yield _how_far(job), self._read(person, found.id, job)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def search(
        self,
        question: str,
        collection: str = "",
        options: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        try:
            engine, person = self._ui.engine, self._person(request)
            ids = _chosen(engine, person, collection)
            wanted = _retrieval(engine, person, ids, options)
            return record(search(engine, person.id, ids, question, wanted, asking=Asking(person.role)))
        except EngineError as error:
            raise guard(self._ui, error) from error

    def ask(
        self,
        question: str,
        collection: str = "",
        mode: str = "documents_only",
        history: list[dict[str, str]] | None = None,
        model: str = "",
        params: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:  # one update of the stream: text so far beside the passages, then everything
        try:
            engine, person = self._ui.engine, self._person(request)
            if mode not in MODES:
                raise BadInput(f"mode is one of {', '.join(MODES)}", name="mode", value=mode)
            ids = _chosen(engine, person, collection)
            work = answer(
                engine, person.id, ids, question, model=self._ui.model(model, person), params=Params(params),
                retrieval=_retrieval(engine, person, ids, options), mode=mode,
                history=[message_of(turn) for turn in history or ()], language=self._ui.lang,
            )  # fmt: skip
            yield from _answered(work)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def evaluate(
        self,
        questions: dict[str, Any] | None = None,
        collection: str = "",
        configurations: list[dict[str, Any]] | None = None,
        hit: str = "document",
        request: gr.Request | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # one update of the stream: how far it is, then all that was measured
        from engine.rag.evaluating import start

        try:
            engine, person = self._ui.engine, self._person(request)
            if hit not in get_args(Hit):
                raise BadInput(f"hit is one of {', '.join(get_args(Hit))}", name="hit", value=hit)
            known = engine.collections.find(person.id, collection) if collection else None
            job = start(
                engine, person.id, _questions(engine, questions), _configurations(configurations, known),
                hit,
                collection=known.id if known else None, role=person.role,
            )  # fmt: skip
            for now in followed(engine, job):
                yield _how_far(now), {}
            yield _how_far(now), now.result or {}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _read(self, person: Person, collection_id: str, job: Job) -> dict[str, Any]:
        store = self._ui.engine.collections
        files = [asdict(replace(file, error=None)) | {"error": file.error and dict(file.error)}
                 for file in store.files(person.id, collection_id)]  # fmt: skip
        shown = [{name: value for name, value in file.items() if name not in ("stamp", "root")} for file in files]
        return {"collection": asdict(store.get(person.id, collection_id)), "files": shown, "report": job.result}

    def _person(self, request: gr.Request | None) -> Person:
        if request is None:
            raise BadInput("no request")
        return self._ui.person(request)


def _answered(work: Answering) -> Iterator[tuple[str, dict[str, Any]]]:
    """The passages, the growing answer, and in the end both with every mark. Raises what ended it before a word."""
    text, passages = "", dict[str, Any]()
    with closing(iter(work)) as events:
        for event in events:
            if isinstance(event, Grounded):
                passages = {"grounding": event.grounding.record()}
            elif isinstance(event, TextDelta):
                text += event.text
            yield text, passages  # while nothing comes too: who has gone is noticed at a yield
    answered = work.answered
    if answered.result.error and not answered.text:
        raise answered.result.error
    yield answered.text, answered.to_dict()


def _target(engine: Engine, person: Person, name: str, options: Mapping[str, Any] | None) -> Collection:
    """The collection of that name or id, made where there is none. Raises BadInput, AccessDenied."""
    readable = engine.collections.list(person.id)
    named = [one for one in readable if (name or FIRST) in (one.name, one.id) and (name or one.owner == person.id)]
    if not named:
        return _made(engine, person, name or FIRST, options or {})
    if options:
        raise BadInput("a collection keeps its embedder and its cutting", name="options", value=str(options)[:200])
    return engine.collections.mine(person.id, named[0].id)


def _made(engine: Engine, person: Person, name: str, options: Mapping[str, Any]) -> Collection:
    cut = {field: value for field, value in options.items() if field in Splitting.__dataclass_fields__}
    embedder = options.get("embedder")
    wrong = [field for field in options if field not in cut and field != "embedder"]
    if wrong or not isinstance(embedder, str | None):
        raise BadInput("options are embedder, kind, size, overlap", name="options", value=str(options)[:200])
    if embedder is not None:
        admit_choice(embedder, engine, person.role)
    return engine.collections.create(person.id, name, embedder, Splitting(**cut))


def _typed(texts: Mapping[str, str] | None, addresses: list[str] | None) -> Iterator[sources.Source]:
    for name, text in (texts or {}).items():
        if not isinstance(text, str):
            raise BadInput("texts are texts by name", name="texts", value=str(text)[:200])
        yield sources.pasted(name, text)
    for address in addresses or ():
        yield sources.url(str(address))


def _chosen(engine: Engine, person: Person, name: str) -> list[str]:
    """Ids of the collections to look in: the one of that name or id, else all that are the person's own."""
    if name:
        return [engine.collections.find(person.id, name).id]
    return [one.id for one in engine.collections.list(person.id) if one.owner == person.id]


def _retrieval(engine: Engine, person: Person, ids: list[str], options: Mapping[str, Any] | None) -> Retrieval | None:
    """The default with what `options` change. Raises BadInput."""
    if not options or not ids:
        return None
    return retrieval(engine, person.id, ids[0], options)


def _questions(engine: Engine, file: dict[str, Any] | None) -> str:
    """The uploaded question set, kept for the job; our own without one."""
    from engine.rag.evaluating import SAMPLES, keep

    if file is None:
        return SAMPLES
    ((name, data),) = read_all([file])
    return str(keep(engine.settings, data, ".csv" if name.lower().endswith(".csv") else ".json"))


def _configurations(given: list[dict[str, Any]] | None, known: Collection | None) -> tuple[Configuration, ...]:
    """What is compared: those given, each over the default, else the standard ones."""
    from engine.rag.embedders import default_embedder

    embedder = known.embedder if known else default_embedder()
    if not given:
        return standard(embedder)
    return tuple(_configuration(number, one, embedder) for number, one in enumerate(given, 1))


def _configuration(number: int, given: Any, embedder: str) -> Configuration:
    if not isinstance(given, dict) or not isinstance(given.get("retrieval", {}), dict):
        raise BadInput("a configuration is an object", name="configurations", value=str(given)[:200])
    named = str(given.get("embedder", embedder))
    start = Configuration(str(number), named, retrieval=default(named)).to_dict()
    return Configuration.from_dict(
        {**start, **given, "retrieval": {**start["retrieval"], **given.get("retrieval", {})}}
    )


def _how_far(job: Job) -> dict[str, Any]:
    return {"done": job.done, "total": job.total, "eta": job.eta, "state": job.state}
