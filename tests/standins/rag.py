"""An embedder and a splitter that cost nothing, and a process that indexes with them: for tests of what surrounds them.

python -m tests.standins.rag PARENT_PID  <<< '{"home", "collection", "paths", "delay", "after"}'
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import child
from engine.documents import Document
from engine.engine import Engine
from engine.rag.collections import Collection, Collections
from engine.rag.filling import Filling, Report, Tools
from engine.rag.identity import SENTENCE
from engine.rag.indexing import keep
from engine.rag.sources import Source
from engine.rag.values import Chunk, Splitting, Vectors
from engine.settings import Settings

EMBEDDER = "hashed"
SMALL = Splitting(size=16, overlap=0)


class Hashed:
    """Each word adds its own direction: texts with the same words are near."""

    name = EMBEDDER
    fingerprint = EMBEDDER
    dimensions = 32
    tokens_max = 512

    def __init__(self, delay: float = 0.0, after: int = 0) -> None:
        self.delay = delay  # seconds of each batch, once it has seen so many passages
        self.after = after
        self.asked: list[str] = []

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text."""
        time.sleep(self.delay if len(self.asked) >= self.after else 0)
        self.asked += [text for text in texts if text != SENTENCE]  # by which it is known, and no passage
        return np.stack([self.query(text) for text in texts])

    def query(self, text: str) -> NDArray[np.float32]:
        """The same for questions."""
        whole = np.full(self.dimensions, 1e-3, np.float32)
        for word in text.lower().split():
            whole += _direction(word)
        return np.asarray(whole / np.linalg.norm(whole), np.float32)

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())


@functools.lru_cache(10_000)
def _direction(word: str) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).normal(size=Hashed.dimensions).astype(np.float32)


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


def main() -> None:
    """The order on standard input, done at the priority of tests: niced, a full machine would never come to it."""
    child.die_with_parent(int(sys.argv[1]))
    order = json.loads(sys.stdin.readline())
    with closing(Engine(Settings(home=Path(order["home"])))) as engine:
        collections = Collections(engine.store, engine.settings)
        made = tools(Hashed(order["delay"], order["after"]))
        filling = Filling(collections, collections.any(order["collection"]), made)
        for progress in filling.run(order["paths"]):
            sys.stdout.write(f"{progress.done}\n")
    sys.stdout.write(json.dumps(filling.report.to_dict()) + "\n")


def _no_web(address: str) -> tuple[str, bytes]:
    raise AssertionError(address)


if __name__ == "__main__":
    main()
