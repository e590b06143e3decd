"""An evaluation from question file to results: documents indexed aside, every configuration asked. Knows no interface.

Each pair of embedder and splitting is indexed once, into a table that is gone afterwards; with a collection given its
own table is asked, whatever the configurations say of cutting.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.errors import BadFile, BadInput, EngineError
from engine.rag.evaluation import (
    ANCHOR_OVERLAP,
    ANCHOR_SIZE,
    MEASURES,
    Configuration,
    Hit,
    Measured,
    Outcome,
    compare,
    measure,
    query_vectors,
    table,
)  # fmt: skip
from engine.rag.identity import identity
from engine.rag.questions import QuestionSet, Source, read_questions, samples
from engine.rag.retrieval import Asking, powers
from engine.rag.values import Chunk, Embedder, Splitting
from engine.settings import Settings
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job
    from engine.rag.vectorstore import ChunkTable

TASK = "engine.rag.evaluating:evaluate"
SAMPLES = "samples"  # in place of a file: our own set
FILES_AT_ONCE = 64  # documents embedded and written together
ASKED_AT_ONCE = 16  # questions between two tellings of progress


def keep(settings: Settings, data: bytes, suffix: str = ".json") -> Path:
    """A file of the data folder with an uploaded question set, for a job to read."""
    path = settings.home / "questions" / f"{hashlib.sha256(data).hexdigest()[:32]}{suffix}"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def question_set(file: str) -> QuestionSet:
    """The set in that file; `samples` is our own. Raises BadFile."""
    if file == SAMPLES:
        return samples()
    try:
        return read_questions(Path(file).name, Path(file).read_bytes())
    except OSError as error:
        raise BadFile(f"{file} cannot be read: {error.strerror}", path=file, reason=str(error.strerror)) from error


def start(
    engine: Engine, owner: str, file: str, configurations: Sequence[Configuration], hit: Hit = "document", *,
    collection: str | None = None, role: Literal["teacher", "student"] = "teacher", key: str | None = None,
    answers: int = 0, model: str | None = None,
) -> Job:  # fmt: skip
    """The job that measures them: `file` is what `keep` gave, or `samples`; `collection` (id) is asked in place of the
    set's own documents. Its result is that of `results`; with `answers`, that `model` answers so many of the questions
    under the first configuration, and `result["answers"]` says how well (engine.rag.quality).

    Raises at once BadFile of the questions, BadInput, NotFound, and what opening that model raises.
    """
    asked = question_set(file)
    if not configurations:
        raise BadInput("no configuration to measure", reason="no_configuration")
    if collection is None and not asked.sources:
        raise BadInput(f"{asked.name} brings no documents", reason="no_documents")
    brought = None
    if collection is not None:
        brought = engine.visit_keys.of(owner, engine.collections.get(owner, collection).embedder)
    args: dict[str, Any] = {"home": str(engine.settings.home), "file": file, "hit": hit, "owner": owner}
    args |= {"collection": collection, "role": role, "configurations": [one.to_dict() for one in configurations]}
    secrets = {"key": key or brought}
    if answers:
        card = engine.model(model, key, role=role, owner=owner).card
        args |= {"answers": answers, "model": card.id}
        secrets["model_key"] = key or engine.key_for(card, owner, role)
    return engine.jobs.submit(owner, TASK, args, f"rag {len(asked.questions)}", secrets=secrets)


def evaluate(
    home: str, file: str, configurations: Sequence[Mapping[str, Any]], hit: Hit = "document", owner: str = "",
    collection: str | None = None, role: Literal["teacher", "student"] = "teacher", key: str | None = None,
    answers: int = 0, model: str | None = None, model_key: str | None = None,
) -> Generator[Progress, None, dict[str, Any]]:  # fmt: skip
    """The task: results of all configurations, their comparisons in pairs and the table. Progress is in documents
    indexed, questions asked and answers written.
    """
    from engine.engine import Engine

    wanted, asked = [Configuration.from_dict(one) for one in configurations], question_set(file)
    with closing(Engine(Settings(home=Path(home)))) as engine:
        work = run(engine, asked, wanted, hit=hit, asking=Asking(role, key), owner=owner, collection=collection)
        more = min(answers, len(asked.questions))
        told, done = yield from _beside(work, more)
        found = results(told)
        if more:
            from engine.rag.quality import judged

            try:
                opened = engine.model(model, model_key, role=role)
                for one in judged(engine, owner, opened, asked, wanted[0], more, collection):
                    found["answers"] = {"model": model, **one}
                    yield Progress(done + len(one["answers"]), done + more)
            except EngineError as error:  # what was found does not depend on a model
                found["answers"] = {"model": model, **found.get("answers", {}), "error": error.to_dict()}
    return found


def _beside(
    work: Generator[Progress, None, tuple[Measured, ...]], more: int
) -> Generator[Progress, None, tuple[tuple[Measured, ...], float]]:
    """What the work returns and how much it did, so many more being told as to do."""
    done = 0.0
    while True:
        try:
            step = next(work)
        except StopIteration as ended:
            return ended.value, done
        done = step.done
        yield Progress(done, None if step.total is None else step.total + more)


def run(
    engine: Engine, asked: QuestionSet, configurations: Sequence[Configuration], *, hit: Hit = "document",
    asking: Asking | None = None, owner: str = "", collection: str | None = None,
) -> Generator[Progress, None, tuple[Measured, ...]]:  # fmt: skip
    """What every configuration finds, in their order, measured in this process.

    Raises BadInput (no configuration, no question, no documents), and what embedders, rerankers and search raise.
    """
    if not configurations:
        raise BadInput("no configuration to measure", reason="no_configuration")
    if collection is None and not asked.sources:
        raise BadInput(f"{asked.name} brings no documents", reason="no_documents")
    work = _Work(engine, asked, hit, asking or Asking(), owner, collection)
    with ExitStack() as stack:
        return (yield from work.all(configurations, stack))


def results(measured: Sequence[Measured]) -> dict[str, Any]:
    """Everything ready for JSON: `metrics` of the first configuration, all configurations, the first against each."""
    first = measured[0]
    rest = measured[1:]
    compared = {
        one.configuration.name: {name: compare(first, one, name).to_dict() for name in MEASURES} for one in rest
    } if first.values("mrr") else {}  # fmt: skip
    return {
        "metrics": {name: value.value for name, value in first.metrics().items()},
        "intervals": {name: value.to_dict() for name, value in first.metrics().items()},
        "questions": len(first.outcomes),
        "chunks": first.chunks,
        "configurations": [one.to_dict() for one in measured],
        "first_minus": compared,
        "table": table(measured) if first.values("mrr") else [],
    }


@dataclass
class _Work:
    engine: Engine
    asked: QuestionSet
    hit: Hit
    asking: Asking
    owner: str
    collection: str | None
    done: int = 0

    def all(
        self, configurations: Sequence[Configuration], stack: ExitStack
    ) -> Generator[Progress, None, tuple[Measured, ...]]:
        """Every configuration; tables and vectors of questions are made once each."""
        tables: dict[tuple[str, Splitting | None], ChunkTable] = {}
        embedders: dict[str, Embedder] = {}
        if self.collection is not None:
            configurations = [self._as_it_is(one) for one in configurations]
        cuts = dict.fromkeys((one.embedder, one.splitting) for one in configurations)
        indexed = 0 if self.collection is not None else len(cuts) * len(self.asked.sources)
        total = indexed + len(configurations) * len(self.asked.questions)
        for name, cut in cuts:
            made = embedders.setdefault(name, self._embedder(name)) if name not in embedders else embedders[name]
            for step in self._table(made, cut, stack, tables, (name, cut)):
                yield Progress(step, total)
        vectors = {name: query_vectors(made, self.asked.questions) for name, made in embedders.items()}
        found = []
        for one in configurations:
            chunks = tables[one.embedder, one.splitting]
            outcomes: list[Outcome] = []
            for outcome in measure(
                chunks, embedders[one.embedder], self.asked.questions, one.retrieval, hit=self.hit, cut=one.cut,
                reranker=self._reranker(one), vectors=vectors[one.embedder],
            ):  # fmt: skip
                outcomes.append(outcome)
                self.done += 1
                if len(outcomes) % ASKED_AT_ONCE == 0:
                    yield Progress(self.done, total)
            found.append(Measured(one, chunks.count(), tuple(outcomes)))
        yield Progress(total, total)
        return tuple(found)

    def _as_it_is(self, one: Configuration) -> Configuration:
        known = self.engine.collections.get(self.owner, self.collection or "")
        return replace(one, embedder=known.embedder, splitting=known.splitting)

    def _embedder(self, name: str) -> Embedder:
        from engine.rag.embedders import embedder

        asking = self.asking if self.collection is None else powers(name, self.asking)
        threads = self.engine.settings.threads
        return embedder(name, self.engine, key=asking.key, role=asking.role, threads=threads)

    def _reranker(self, one: Configuration) -> Any:
        from engine.rag.rerank import reranker

        named = one.retrieval.reranker
        return reranker(named, self.engine, role=self.asking.role) if named else None

    def _table(
        self, embedder: Embedder, cut: Splitting | None, stack: ExitStack, tables: dict[Any, ChunkTable], place: Any
    ) -> Iterator[int]:
        if self.collection is not None:
            known = self.engine.collections.get(self.owner, self.collection)
            self.engine.collections.check_embedder(known, identity(embedder))
            tables[place] = self.engine.collections.table(known, known.embedder)
            return
        tables[place] = made = stack.enter_context(_aside(self.engine.settings))
        for written in indexed(made, embedder, cut, self.asked.sources, self.engine.settings):
            self.done += written
            yield self.done


@contextmanager
def _aside(settings: Settings) -> Iterator[ChunkTable]:
    """An empty table in a folder that is removed afterwards."""
    from engine.rag.vectorstore import ChunkTable

    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home, prefix="evaluation-", ignore_cleanup_errors=True) as folder:
        yield ChunkTable(folder)


def indexed(
    made: ChunkTable, embedder: Embedder, cut: Splitting | None, sources: Sequence[Source], settings: Settings
) -> Iterator[int]:
    """Number of documents written, some at a time; vectors come from the cache of the data folder where they can."""
    from engine.documents import Document
    from engine.rag.context import embedded
    from engine.rag.splitting import WordCount, split
    from engine.rag.vectors import VectorCache, embed

    count = WordCount(embedder.count)
    known = embedded(cut or Splitting(headings=False), embedder)
    with VectorCache.of(settings) as cache:
        for at in range(0, len(sources), FILES_AT_ONCE):
            files: dict[str, tuple[Chunk, ...]] = {}
            for number, source in enumerate(sources[at : at + FILES_AT_ONCE], at):
                document = Document(source.name, source.text, (source.text,))
                key = f"{number:06d}"
                files[key] = by_characters(document, key) if cut is None else split(document, key, cut, count)
            texts = [known(chunk) for chunks in files.values() for chunk in chunks]
            vectors = iter(embed(embedder, texts, cache))
            made.write({key: (chunks, _taken(vectors, len(chunks), embedder)) for key, chunks in files.items()})
            yield len(files)
        made.maintain()


def _taken(vectors: Iterator[Any], number: int, embedder: Embedder) -> Any:
    import numpy as np

    rows = [next(vectors) for _ in range(number)]
    return np.stack(rows) if rows else np.zeros((0, embedder.dimensions), np.float32)


def by_characters(document: Any, key: str) -> tuple[Chunk, ...]:
    """The chunks that most applications begin with: LangChain's recursive splitter at 1000 characters, 200 shared."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=ANCHOR_SIZE, chunk_overlap=ANCHOR_OVERLAP, add_start_index=True
    )
    found = []
    for number, piece in enumerate(splitter.create_documents([document.text])):
        start, text = int(piece.metadata["start_index"]), piece.page_content
        found.append(Chunk(f"{key}-{number}", key, document.name, number, text, start, start + len(text), tokens=0))
    return tuple(found)
