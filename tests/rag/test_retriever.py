"""A passage as LlamaIndex sees it."""

from __future__ import annotations

from engine.rag.retriever import node
from engine.rag.values import Chunk, Passage


def test_a_passage_becomes_a_node_with_its_place_and_the_score_that_ordered_it() -> None:
    chunk = Chunk("id", "f", "a.pdf", 0, "text", 3, 7, 1, page=2)
    found = node(Passage(chunk, {"vector": 0.9, "fused": 0.7, "evidence": 0.91}, collection="c"))
    assert (found.node_id, found.text, found.score) == ("id", "text", 0.7)
    assert found.metadata["file_name"] == "a.pdf" and found.metadata["page"] == 2
    assert node(Passage(chunk)).score is None
