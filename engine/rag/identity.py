"""By what an embedder is known again: the vector that it gives a fixed sentence. Knows no store and no name.

A name and a file say too little: another file under the same name, another model behind the same address, another
pooling or prefix give other vectors; a file that was copied, or a newer version of a package, often the same ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

import numpy as np

from engine.rag.values import Embedder, Vectors

SENTENCE = "Le train de 7 h 42 part de la voie 3 ; the library opens at nine on weekdays."
ALIKE = 0.999  # cosine: builds and processors differ by less, a coarser quantization by more


@dataclass(frozen=True)
class Identity:
    """The sentence's vector, in 16-bit numbers; its length is the embedder's dimension."""

    vector: bytes

    @property
    def fingerprint(self) -> str:
        """Twelve digits for people."""
        return hashlib.sha256(self.vector).hexdigest()[:12]

    @property
    def text(self) -> str:
        """All of it, for a column of text; `of` reads it."""
        return base64.b64encode(self.vector).decode()

    def like(self, other: Identity) -> bool:
        """Whether vectors of the one may be compared with vectors of the other."""
        if len(self.vector) != len(other.vector):
            return False
        ours, theirs = (np.frombuffer(one.vector, "<f2").astype(np.float32) for one in (self, other))
        return float(ours @ theirs) >= ALIKE * float(np.linalg.norm(ours) * np.linalg.norm(theirs))


def identity(embedder: Embedder) -> Identity:
    """The embedder's, for the price of one short passage. Raises what the embedder raises."""
    vectors: Vectors = embedder.passages([SENTENCE])
    return Identity(np.asarray(vectors[0], dtype="<f2").tobytes())


def of(text: str | None) -> Identity | None:
    """What `Identity.text` gave; None where nothing, or nothing that is one, was kept."""
    try:
        vector = base64.b64decode(text or "", validate=True)
    except binascii.Error:
        return None
    return Identity(vector) if vector and len(vector) % 2 == 0 else None
