"""Texts as long as one likes, recombined from our samples, and vectors for them that cost nothing. Measures nothing."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.rag.identity import SENTENCE
from engine.rag.questions import samples
from engine.rag.values import Embedder, Vectors

SAMPLES = files("engine.rag.samples")
NOISE = 0.2  # of a vector's length: passages of other sentences of one document lie so far apart
CHARACTERS = 870  # of new text in a chunk of the default splitting
CHUNKS_OF_FILE = 100
_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_SHORT = 25  # characters: headings


def documents() -> list[list[str]]:
    """The sentences of each sample."""
    texts = [one.read_text(encoding="utf-8") for one in SAMPLES.iterdir() if one.name.endswith(".md")]
    return [sentences(text) for text in sorted(texts)]


def sentences(text: str) -> list[str]:
    """The sentences of a text without its headings."""
    return [one.strip() for one in _ENDS.split(text) if len(one) > _SHORT and not one.startswith("#")]


def questions() -> list[str]:
    """The samples' questions, those without an answer too."""
    return [one.text for one in samples().questions]


def write(folder: Path, chunks: int, seed: int) -> None:
    """Markdown files that are split into about so many chunks, all different."""
    chance, pools = random.Random(seed), documents()
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, chunks, CHUNKS_OF_FILE):
        size = CHARACTERS * min(CHUNKS_OF_FILE, chunks - first)
        text = "\n\n".join(_paragraphs(chance, pools, size))
        (folder / f"{seed}-{first:06}.md").write_text(text, encoding="utf-8")


def _paragraphs(chance: random.Random, pools: list[list[str]], size: int) -> Iterator[str]:
    """A paragraph has sentences of one document, and a number that makes it another than all others."""
    while size > 0:
        some = chance.sample(chance.choice(pools), 6)
        paragraph = f"{' '.join(some)} Dossier {chance.randrange(10**6)}."
        size -= len(paragraph)
        yield paragraph


def vectors_of_sentences(embedder: Embedder) -> dict[str, NDArray[np.float32]]:
    """What the real embedder says of every sentence."""
    every = [sentence for document in documents() for sentence in document]
    return dict(zip(every, embedder.passages(every), strict=True))


class Averaged:
    """An embedder in the place of another: the mean of the known sentences in a text, and noise of its own."""

    def __init__(self, like: Embedder, known: Mapping[str, NDArray[np.float32]]) -> None:
        self.name, self.dimensions, self.tokens_max = like.name, like.dimensions, like.tokens_max
        self.fingerprint = f"{like.fingerprint} averaged"
        self.count, self.query, self._real = like.count, like.query, like.passages
        self._known = known
        self._middle = np.mean(list(known.values()), axis=0)

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text."""
        if texts == [SENTENCE]:  # by which the real one knows the collection for its own
            return self._real(texts)
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> NDArray[np.float32]:
        found = [self._known[one] for one in sentences(text) if one in self._known]
        whole = np.mean(found, axis=0) if found else self._middle
        chance = np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))
        whole = whole + NOISE * chance.normal(size=self.dimensions) / self.dimensions**0.5
        return np.asarray(whole / np.linalg.norm(whole), np.float32)
