"""Our embedders as LlamaIndex knows them. Importing it takes LlamaIndex's three seconds."""

from __future__ import annotations

import asyncio

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.embeddings import BaseEmbedding

from engine.rag.values import Embedder
from engine.rag.vectors import BATCH


def llama_index_embedding(embedder: Embedder) -> BaseEmbedding:
    """A BaseEmbedding that asks this embedder: for LlamaIndex's indexes, retrievers and pipelines."""
    return EngineEmbedding(embedder)


class EngineEmbedding(BaseEmbedding):
    """One of our embedders; the asynchronous calls run in a thread."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(model_name=embedder.name, embed_batch_size=BATCH)
        self._embedder = embedder

    @classmethod
    def class_name(cls) -> str:
        """The name in LlamaIndex's files."""
        return "EngineEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return [float(number) for number in self._embedder.query(query)]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [[float(number) for number in row] for row in self._embedder.passages(texts)]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)
