"""Vectors of passages, computed once: by embedder and hash of the text in one SQLite file. Knows no chunk and no
collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from engine.rag.values import Embedder, Vectors
from engine.settings import Settings


class VectorCache:
    """The cache of one data folder, for several threads and processes at once; bounded by
    `settings.vector_cache_mb`, the longest unused go first. A damaged file is begun anew. Use as a context manager or
    `close()`.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        raise NotImplementedError

    @classmethod
    def of(cls, settings: Settings) -> VectorCache:
        """The cache below the data folder of these settings."""
        raise NotImplementedError

    def get(self, fingerprint: str, texts: Sequence[str]) -> dict[str, Vectors]:
        """The vectors that are there, by text."""
        raise NotImplementedError

    def put(self, fingerprint: str, vectors: Mapping[str, Vectors]) -> None:
        """Keep these, at once."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def embed(embedder: Embedder, texts: Sequence[str], cache: VectorCache | None = None) -> Vectors:
    """One unit vector per text, in order, shape (texts, dimensions); equal texts and cached ones are computed once.

    Batches of texts of like length, each in the cache as soon as it is there: whoever is killed goes on from there.
    Heavy: for jobs, a few hundred texts per call.
    """
    raise NotImplementedError
