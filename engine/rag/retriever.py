"""LlamaIndex's retriever over our search, for its query engines. Knows no interface; imports LlamaIndex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from engine.rag.retrieval import search
from engine.rag.values import Passage, Retrieval

if TYPE_CHECKING:
    from engine.engine import Engine


class EngineRetriever(BaseRetriever):
    """Passages of collections (ids) as LlamaIndex nodes, best first; the score is that which ordered them."""

    def __init__(
        self, engine: Engine, owner: str, collections: str | Sequence[str], retrieval: Retrieval | None = None
    ) -> None:
        super().__init__()
        self._engine = engine
        self._owner = owner
        self._collections = collections
        self._retrieval = retrieval

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = search(self._engine, self._owner, self._collections, query_bundle.query_str, self._retrieval)
        return [node(passage) for passage in found.passages]


def node(passage: Passage) -> NodeWithScore:
    """The passage as LlamaIndex has it: file, page and place as metadata, the last score of the search."""
    chunk, scores = passage.chunk, passage.scores
    told = {"file_name": chunk.name, "page": chunk.page, "heading": chunk.heading, "collection": passage.collection}
    text = TextNode(id_=chunk.id, text=chunk.text, start_char_idx=chunk.start, end_char_idx=chunk.end, metadata=told)
    score = next((scores[name] for name in ("rerank", "fused", "vector", "text") if name in scores), None)
    return NodeWithScore(node=text, score=score)
