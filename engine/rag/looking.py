"""A question put to one table of chunks: passages with every score and rank on the way. Knows no owner and no engine.

The threshold is on the scale of evidence: the cosine between question and passage, a little more where the words of the
question stand in the passage (engine.rag.coverage), and what a passage in another language than the question's loses
for that alone (engine.rag.crossing), which the fusion gives back too. The threshold is for the question: when no
passage reaches it, nothing is kept; when one does, those up to SLACK below it are kept with it. It holds for the arms
with vectors, hybrid too: there a passage found by its words alone is given its cosine. The arms "text" and "rerank"
have no scale that compares and keep what they find.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput, BadParameter
from engine.rag.coverage import BONUS, share, stems
from engine.rag.crossing import given_back
from engine.rag.fusion import mmr, normalised, ranked, ranks, rrf, weighted
from engine.rag.values import ARMS, FUSIONS, Chunk, Embedder, Passage, Retrieval, Score, Vectors

if TYPE_CHECKING:
    from engine.rag.rerank import Reranker

Stage = Literal["embed", "vector", "text", "fuse", "rerank", "neighbours"]

RERANKED_MAX = 2000  # chunks that a reranker reads alone for one question
SLACK = 0.04  # of the threshold, for passages beside one that reaches it
QUESTION_MAX = 4000  # characters
RANGES: Mapping[str, tuple[float, float]] = {
    "k": (1, 100),
    "candidates": (1, 1000),
    "weight": (0, 1),
    "threshold": (-1, 1.1),
    "mmr": (0, 1),
    "neighbours": (0, 10),
}
WHOLE = ("k", "candidates", "neighbours")
OPTIONAL = ("threshold", "mmr")


class Table(Protocol):
    """What a search asks of the chunks of a collection (engine.rag.vectorstore.ChunkTable)."""

    def vector(self, vector: NDArray[np.float32], k: int, files: Sequence[str] = ()) -> list[tuple[Chunk, float]]:
        """The k nearest chunks with their cosine."""
        ...

    def text(self, question: str, k: int, files: Sequence[str] = ()) -> list[tuple[Chunk, float]]:
        """The k best chunks by their words with their BM25 score."""
        ...

    def text_vectors(
        self, question: str, k: int, files: Sequence[str] = ()
    ) -> tuple[list[tuple[Chunk, float]], Vectors]:
        """The same, and their vectors row by row."""
        ...

    def chunks(self, file: str | None = None) -> Iterator[Chunk]:
        """Every chunk, or those of a file."""
        ...

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of these chunks, row by row."""
        ...

    def neighbours(self, chunk: Chunk, n: int) -> tuple[Chunk, ...]:
        """Up to n chunks before and n after it."""
        ...


@dataclass(frozen=True)
class Found:
    """What a search found: `passages`, best first; empty is the "0 passages" state, in which no model may be asked.

    `below` candidates were dropped by the threshold, `nearest` is the most evidence seen (None without vectors),
    `seconds` the time of each stage, `query_sent` the text that was looked for.
    """

    passages: tuple[Passage, ...]
    query_sent: str
    retrieval: Retrieval
    below: int = 0
    nearest: float | None = None
    seconds: Mapping[Stage, float] = field(default_factory=dict)


def check(retrieval: Retrieval) -> None:
    """Return where it can be searched so; its values may come from outside, as anything. Raises BadParameter naming the
    field.
    """
    for name, (low, high) in RANGES.items():
        value = getattr(retrieval, name)
        if not (_number(value, name in WHOLE) and low <= value <= high) and not (value is None and name in OPTIONAL):
            raise BadParameter(f"{name}={value}", name=name, value=value, low=low, high=high)
    for name, value, known in (("arm", retrieval.arm, ARMS), ("fusion", retrieval.fusion, FUSIONS)):
        if value not in known:
            raise BadParameter(f"{name}={value!r}", name=name, value=value, low=None, high=None)
    files, reranker = retrieval.files, retrieval.reranker
    if not isinstance(files, tuple) or not all(isinstance(one, str) for one in files):
        raise BadParameter(f"files={files!r}", name="files", value=files, low=None, high=None)
    if not isinstance(reranker, str | None) or (retrieval.arm == "rerank" and not reranker):
        raise BadParameter("a reranker is needed", name="reranker", value=reranker, low=None, high=None)


def _number(value: object, whole: bool) -> bool:
    return isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)


@dataclass
class _Candidates:
    """What one search has gathered so far, by id of the chunk; `by` is the score that orders it."""

    by: Score
    chunks: dict[str, Chunk] = field(default_factory=dict)
    scores: dict[Score, dict[str, float]] = field(default_factory=dict)
    found: dict[Score, dict[str, int]] = field(default_factory=dict)
    seconds: dict[Stage, float] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)  # what each cosine lost to another language

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

    def add(self, score: Score, hits: Sequence[tuple[Chunk, float]]) -> None:
        self.chunks |= {chunk.id: chunk for chunk, _ in hits}
        self.rate(score, {chunk.id: value for chunk, value in hits})

    def rate(self, score: Score, values: dict[str, float]) -> None:
        self.scores[score], self.found[score] = values, ranks(values)

    def order(self) -> list[str]:
        """Ids that are left, best first."""
        scores = self.scores[self.by]
        return ranked({key: scores[key] for key in self.chunks})

    def passage(self, key: str) -> Passage:
        scores = {name: values[key] for name, values in self.scores.items() if key in values}
        return Passage(
            self.chunks[key], scores, {name: place[key] for name, place in self.found.items() if key in place}
        )


def look(
    table: Table, embedder: Embedder, question: str, retrieval: Retrieval, *,
    reranker: Reranker | None = None, vector: NDArray[np.float32] | None = None,
) -> Found:  # fmt: skip
    """The passages of one table; `vector` is the question's where it is known. Raises BadInput, BadParameter."""
    check(retrieval)
    query = " ".join(question.split())[:QUESTION_MAX]
    if not query:
        raise BadInput("an empty question", reason="empty_question")
    found = _Candidates(by="fused" if retrieval.arm == "hybrid" else retrieval.arm)
    if retrieval.arm == "rerank":
        found.chunks = {chunk.id: chunk for chunk in _all(table, retrieval.files)}
    elif retrieval.arm == "text":
        with found.timed("text"):
            found.add("text", table.text(query, retrieval.candidates, retrieval.files))
    else:
        _near(found, table, embedder, query, vector, retrieval)
    below = _drop(found, retrieval, query)
    nearest = max(found.scores.get("evidence", {}).values(), default=None)
    if reranker is not None and found.chunks:
        _rerank(found, reranker, query)
    passages = [found.passage(key) for key in _kept(found, table, retrieval)]
    with found.timed("neighbours"):
        passages = [_surrounded(passage, table, retrieval.neighbours) for passage in passages]
    return Found(tuple(passages), query, retrieval, below, nearest, found.seconds)


def _near(
    found: _Candidates, table: Table, embedder: Embedder, query: str, vector: NDArray[np.float32] | None,
    retrieval: Retrieval,
) -> None:  # fmt: skip
    """The nearest chunks; with the arm "hybrid" those with the question's words too, looked up meanwhile."""

    def words() -> tuple[list[tuple[Chunk, float]], Vectors]:
        with found.timed("text"):
            return table.text_vectors(query, retrieval.candidates, retrieval.files)

    with ThreadPoolExecutor(1, "words") as beside:
        worded = beside.submit(words) if retrieval.arm == "hybrid" else None
        if vector is None:
            with found.timed("embed"):
                vector = embedder.query(query)
        with found.timed("vector"):
            found.add("vector", table.vector(vector, retrieval.candidates, retrieval.files))
    cosines: list[float] | None = None
    if worded is not None:
        hits, rows = worded.result()
        found.add("text", hits)
        cosines = [float(row @ vector) for row in rows]
    with found.timed("fuse"):
        found.back = given_back(embedder.name, query, {key: one.text for key, one in found.chunks.items()})
        if cosines is not None:
            _fuse(found, cosines, retrieval)


def _fuse(found: _Candidates, cosines: Sequence[float], retrieval: Retrieval) -> None:
    """`cosines` are those of the chunks found by their words, in their order."""
    near, words = found.scores["vector"], found.scores["text"]
    likely = {key: cosine + found.back[key] for key, cosine in near.items()}
    fused = rrf([likely, words]) if retrieval.fusion == "rrf" else weighted(likely, words, retrieval.weight)
    found.rate("fused", fused)
    # of those found by their words alone it is shown and meets the threshold; a rank among the nearest they have not
    near |= {key: cosine for key, cosine in zip(words, cosines, strict=True) if key not in near}


def _all(table: Table, files: Sequence[str]) -> list[Chunk]:
    every = (chunk for file in files for chunk in table.chunks(file)) if files else table.chunks()
    chunks = list(islice(every, RERANKED_MAX + 1))
    if len(chunks) > RERANKED_MAX:
        raise BadInput(f"more than {RERANKED_MAX} chunks", reason="too_many_chunks", limit=RERANKED_MAX)
    return chunks


def _drop(found: _Candidates, retrieval: Retrieval, query: str) -> int:
    """How many candidates are dropped: all, where none reaches the threshold, else those far below it."""
    cosines = found.scores.get("vector")
    if cosines is None or not found.chunks:
        return 0
    asked = stems(query)
    evidence = {
        key: cosines[key] + found.back[key] + BONUS * share(asked, stems(f"{chunk.heading or ''} {chunk.text}"))
        for key, chunk in found.chunks.items()
    }
    found.rate("evidence", evidence)
    if retrieval.threshold is None:
        return 0
    floor = retrieval.threshold - SLACK if max(evidence.values()) >= retrieval.threshold else math.inf
    kept = {key: chunk for key, chunk in found.chunks.items() if evidence[key] >= floor}
    dropped = len(found.chunks) - len(kept)
    found.chunks = kept
    return dropped


def _rerank(found: _Candidates, reranker: Reranker, query: str) -> None:
    with found.timed("rerank"):
        keys = list(found.chunks) if found.by == "rerank" else found.order()
        scores = reranker.scores(query, [found.chunks[key].text for key in keys])
        found.rate("rerank", dict(zip(keys, scores, strict=True)))
        found.by = "rerank"


def _kept(found: _Candidates, table: Table, retrieval: Retrieval) -> list[str]:
    """Ids of the k passages in their order."""
    order = found.order() if found.chunks else []
    if retrieval.mmr is None or len(order) < 2:
        return order[: retrieval.k]
    order = order[: max(retrieval.k, retrieval.candidates)]
    relevance = normalised({key: found.scores[found.by][key] for key in order})
    chosen = mmr([relevance[key] for key in order], table.vectors_of(order), retrieval.mmr, retrieval.k)
    return [order[place] for place in chosen]


def _surrounded(passage: Passage, table: Table, n: int) -> Passage:
    return replace(passage, neighbours=tuple(table.neighbours(passage.chunk, n))) if n else passage
