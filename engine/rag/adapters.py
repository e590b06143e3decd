"""Our embedders as LlamaIndex knows them. Importing it takes LlamaIndex's three seconds."""

from __future__ import annotations

from llama_index.core.embeddings import BaseEmbedding

from engine.rag.values import Embedder


def llama_index_embedding(embedder: Embedder) -> BaseEmbedding:
    """A BaseEmbedding that asks this embedder: for LlamaIndex's indexes, retrievers and pipelines."""
    raise NotImplementedError
