"""An embedder and a splitter that cost nothing, and the indexing task with them: for tests of what surrounds them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.documents import Document
from engine.engine import Engine
from engine.rag.collections import Collection, Collections
from engine.rag.filling import Filling, Report, Tools
from engine.rag.indexing import keep
from engine.rag.sources import Source
from engine.rag.values import Chunk, Splitting, Vectors
from engine.settings import Settings
from engine.tasks import Progress

INDEX = "tests.standins.rag:index"
EMBEDDER = "hashed"
SMALL = Splitting(size=12, overlap=0)


class Hashed:
    """Each word adds its own direction: texts with the same words are near."""

    name = EMBEDDER
    fingerprint = EMBEDDER
    dimensions = 32
    tokens_max = 512

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.asked: list[str] = []

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text."""
        time.sleep(self.delay)
        self.asked += texts
        return np.stack([self.query(text) for text in texts])

    def query(self, text: str) -> NDArray[np.float32]:
        """The same for questions."""
        whole = np.full(self.dimensions, 1e-3, np.float32)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            whole += np.random.default_rng(seed).normal(size=self.dimensions).astype(np.float32)
        return np.asarray(whole / np.linalg.norm(whole), np.float32)

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())


def cut(document: Document, key: str, splitting: Splitting, count: Callable[[str], int]) -> tuple[Chunk, ...]:
    """So many words each, and where they stand."""
    found: list[Chunk] = []
    at = 0
    words = document.text.split()
    for first in range(0, len(words), splitting.size):
        some = words[first : first + splitting.size]
        start = document.text.index(some[0], at)
        for word in some:
            at = document.text.index(word, at) + len(word)
        text = document.text[start:at]
        number = len(found)
        name = hashlib.sha256(f"{key} {start} {text}".encode()).hexdigest()[:24]
        found.append(Chunk(name, key, document.name, number, text, start, at, count(text)))
    return tuple(found)


def tools(
    embedder: Hashed | None = None, fetch: Callable[[str], tuple[str, bytes]] | None = None
) -> Callable[[], Tools]:
    """What a Filling asks for."""
    made = embedder or Hashed()

    def embed(texts: Sequence[str]) -> Vectors:
        return made.passages(list(texts))

    return lambda: Tools(made, cut, embed, fetch or _no_web)


def fill(collections: Collections, collection: Collection, *sources: Source, make: Any = None) -> Report:
    """The report of an indexing in this process."""
    filling = Filling(collections, collection, make or tools())
    for _ in filling.run(**keep(collections, collection, sources)):
        pass
    return filling.report


def index(
    home: str, collection: str, paths: Sequence[str] = (), addresses: Sequence[str] = (), role: str = "",
    key: str | None = None, storage: Any = None, delay: float = 0.0,
) -> Generator[Progress, None, dict[str, Any]]:  # fmt: skip
    """The task of `engine.rag.indexing`, with these tools."""
    with closing(Engine(Settings(home=Path(home)))) as engine:
        collections = Collections(engine.store, engine.settings)
        work = Filling(collections, collections.any(collection), tools(Hashed(delay)))
        report = yield from work.run(paths, addresses)
    return report.to_dict()


def _no_web(address: str) -> tuple[str, bytes]:
    raise AssertionError(address)
