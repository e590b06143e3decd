"""The chunks of one collection in a LanceDB table: vectors, full text, versions. Knows no owner and no embedder.

Several processes may read while one writes. Raises StoreFailed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.rag.values import Chunk, Vectors

Found = list[tuple[Chunk, float]]


class ChunkTable:
    """One table, made at the first write; before that it is empty. Safe from any thread."""

    def __init__(self, uri: str) -> None: ...

    def write(self, files: Mapping[str, tuple[Sequence[Chunk], Vectors]]) -> None:
        """Replace the chunks of these files (ids), all at once: readers see all old or all new ones."""
        raise NotImplementedError

    def delete(self, files: Sequence[str]) -> None:
        """Forget the chunks of these files."""
        raise NotImplementedError

    def vector(self, vector: NDArray[np.float32], k: int, files: Sequence[str] = (), *, exact: bool = False) -> Found:
        """The k nearest chunks with their cosine, best first; `exact` passes the ANN index by."""
        raise NotImplementedError

    def text(self, question: str, k: int, files: Sequence[str] = ()) -> Found:
        """The k best chunks by their words with their BM25 score, best first; stems of French or English by chunk."""
        raise NotImplementedError

    def chunks(self, file: str | None = None) -> Iterator[Chunk]:
        """Every chunk, of one file in its order."""
        raise NotImplementedError

    def vectors(self) -> tuple[tuple[str, ...], Vectors]:
        """Ids of all chunks and their vectors, row by row."""
        raise NotImplementedError

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of these chunks, in this order."""
        raise NotImplementedError

    def neighbours(self, chunk: Chunk, n: int) -> tuple[Chunk, ...]:
        """Up to n chunks before and n after it in its file, in order, without itself."""
        raise NotImplementedError

    def count(self, file: str | None = None) -> int:
        """How many chunks there are, or the file has."""
        raise NotImplementedError

    def maintain(self) -> None:
        """Merge small pieces, bring the indexes up to date, build the ANN index beyond ANN_ROWS. For jobs: it is slow."""
        raise NotImplementedError
