"""A search over a table in memory: every score and rank on the way, threshold, variety, neighbours, rerankers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput, BadParameter
from engine.rag.coverage import BONUS, share, stems
from engine.rag.looking import RERANKED_MAX, Found, look
from engine.rag.retrieval import default, together
from engine.rag.values import Chunk, Retrieval, Vectors

COSINES = {"a": 0.9, "b": 0.86, "c": 0.8, "d": 0.1}
BM25 = {"d": 9.0, "b": 3.0}


def chunk(key: str, number: int = 0) -> Chunk:
    return Chunk(key, f"f-{key}", f"{key}.md", number, f"text of {key}", 0, 9, 3)


class Table:
    """Four chunks whose cosines with the question are COSINES and whose BM25 are given."""

    def __init__(self, near: Sequence[str] = "abcd") -> None:
        self.near = near

    def vector(self, vector: Any, k: int, files: Sequence[str] = ()) -> list[tuple[Chunk, float]]:
        return [(chunk(key), COSINES[key]) for key in self.near if not files or f"f-{key}" in files][:k]

    def text(self, question: str, k: int, files: Sequence[str] = ()) -> list[tuple[Chunk, float]]:
        return [(chunk(key), score) for key, score in BM25.items() if not files or f"f-{key}" in files][:k]

    def text_vectors(
        self, question: str, k: int, files: Sequence[str] = ()
    ) -> tuple[list[tuple[Chunk, float]], Vectors]:
        hits = self.text(question, k, files)
        return hits, self.vectors_of([chunk.id for chunk, _ in hits])

    def chunks(self, file: str | None = None) -> Iterator[Chunk]:
        return iter([chunk(key) for key in COSINES if file in (None, f"f-{key}")])

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        rows = [[COSINES[key], (1 - COSINES[key] ** 2) ** 0.5] for key in ids]
        return np.asarray(rows, np.float32)

    def neighbours(self, chunk: Chunk, n: int) -> tuple[Chunk, ...]:
        return tuple(Chunk(f"{chunk.id}+{step}", "f", "n", step, "", 0, 0, 0) for step in range(1, n + 1))


class Embedder:
    name, dimensions, tokens_max, fingerprint = "fake", 2, 100, "fake"

    def passages(self, texts: list[str]) -> Vectors:
        raise AssertionError("a search embeds no passage")

    def query(self, text: str) -> Any:
        return np.asarray([1, 0], np.float32)

    def count(self, text: str) -> int:
        return len(text.split())


class Backwards:
    """Prefers what comes last in the alphabet."""

    name = "backwards"

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [float(ord(text[-1])) for text in texts]


def found(retrieval: Retrieval, table: Table | None = None, **options: Any) -> Found:
    return look(table or Table(), Embedder(), "  what   now? ", retrieval, **options)


def keys(found: Found) -> list[str]:
    return [passage.chunk.id for passage in found.passages]


def test_each_arm_alone() -> None:
    near = found(Retrieval("vector", k=2))
    assert keys(near) == ["a", "b"] and near.query_sent == "what now?"
    assert near.passages[1].scores["vector"] == 0.86 and near.passages[1].ranks["vector"] == 2
    words = found(Retrieval("text"))
    assert keys(words) == ["d", "b"] and "vector" not in words.passages[0].scores
    assert "embed" not in words.seconds and words.nearest is None


def test_a_known_vector_changes_no_other_arm() -> None:
    known = np.asarray([1, 0], np.float32)
    assert keys(found(Retrieval("text"), vector=known)) == ["d", "b"]


def test_hybrid_shows_all_scores_and_ranks() -> None:
    both = found(Retrieval(weight=0.5, k=4))
    # a .5·1, b .5·(.76/.8) + .5·(1/3), c .5·(.7/.8), d .5·0 + .5·1
    assert keys(both) == ["b", "a", "d", "c"]
    fused = [passage.scores["fused"] for passage in both.passages]
    assert fused == pytest.approx([0.475 + 1 / 6, 0.5, 0.5, 0.4375])
    assert both.passages[0].ranks == {"vector": 2, "text": 2, "fused": 1, "evidence": 2}


def test_a_passage_found_by_its_words_alone_is_given_its_cosine_but_no_rank_for_it() -> None:
    passages = {one.chunk.id: one for one in found(Retrieval(weight=0.5, k=4), Table("abc")).passages}
    assert passages["d"].scores["vector"] == pytest.approx(0.1)
    assert "vector" not in passages["d"].ranks


def test_the_threshold_is_for_the_question() -> None:
    none = found(Retrieval(threshold=0.95))
    assert (none.passages, none.below, none.nearest) == ((), 4, pytest.approx(0.9))
    some = found(Retrieval("vector", threshold=0.89))
    assert keys(some) == ["a", "b"] and some.below == 2  # b lies within the slack, c and d do not


def test_evidence_counts_the_questions_own_words() -> None:
    asked = look(Table(), Embedder(), "Where is the text?", Retrieval("vector"))
    assert asked.nearest == pytest.approx(0.9 + BONUS)


def test_stems_of_both_languages() -> None:
    assert stems("Les températures élevées") & stems("la température élevée") == stems("température élevée")
    assert stems("heating the kilns") & stems("a kiln heated") == {"heat", "kiln"}
    assert stems("le la the of") == frozenset()
    assert share(frozenset(), stems("kiln")) == 0.0


def test_variety_neighbours_and_files() -> None:
    varied = found(Retrieval("vector", k=2, mmr=0.3))
    assert keys(varied) == ["a", "d"]
    assert [one.id for one in found(Retrieval("vector", k=1, neighbours=2)).passages[0].neighbours] == ["a+1", "a+2"]
    assert keys(found(Retrieval(files=("f-b",)))) == ["b"]


def test_a_reranker_after_the_search_and_alone() -> None:
    after = found(Retrieval("vector", k=4, candidates=3), reranker=Backwards())
    assert keys(after) == ["c", "b", "a"]
    assert after.passages[0].ranks == {"vector": 3, "evidence": 3, "rerank": 1}
    alone = found(Retrieval("rerank", k=4, reranker="x"), reranker=Backwards())
    assert keys(alone) == ["d", "c", "b", "a"] and set(alone.passages[0].scores) == {"rerank"}


def test_a_reranker_alone_reads_no_library() -> None:
    class Large(Table):
        def chunks(self, file: str | None = None) -> Iterator[Chunk]:
            return (chunk(str(number)) for number in range(RERANKED_MAX + 1))

    with pytest.raises(BadInput) as raised:
        found(Retrieval("rerank", reranker="x"), Large(), reranker=Backwards())
    assert raised.value.details["reason"] == "too_many_chunks"


@pytest.mark.parametrize(
    "name,value",
    [
        *[("k", 0), ("weight", 1.1), ("mmr", -0.1), ("arm", "x"), ("fusion", "x")],
        *[("k", 2.5), ("k", True), ("k", None), ("weight", "0.5"), ("threshold", float("nan")), ("mmr", [1])],
        *[("arm", ["vector"]), ("files", "a.txt"), ("files", (1,)), ("reranker", 3)],
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(BadParameter) as raised:
        found(Retrieval(**{name: value}))
    assert raised.value.details["name"] == name


def test_an_empty_question_and_a_missing_reranker() -> None:
    with pytest.raises(BadInput):
        look(Table(), Embedder(), "  ", Retrieval())
    with pytest.raises(BadParameter):
        found(Retrieval("rerank"))


def test_of_several_collections_comes_the_first_of_each_first() -> None:
    one, other = found(Retrieval("vector", k=2)), found(Retrieval("vector", k=2), Table("cd"))
    both = together([other, one])
    assert keys(both) == ["a", "c"]
    assert both.nearest == pytest.approx(0.9)
    assert default("unknown").threshold is None
