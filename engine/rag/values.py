"""The values that the parts of retrieval hand each other. Knows no library, no store and no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

SplittingKind = Literal["tokens", "sentence", "markdown", "code"]
SPLITTING_KINDS: tuple[SplittingKind, ...] = get_args(SplittingKind)
Arm = Literal["vector", "text", "hybrid", "rerank"]
ARMS: tuple[Arm, ...] = get_args(Arm)
Fusion = Literal["weighted", "rrf"]
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)
Score = Literal["vector", "text", "fused", "rerank", "evidence"]


@dataclass(frozen=True)
class Splitting:
    """How texts are cut: `size` and `overlap` in tokens of the embedder. With `headings` a chunk's vector is also of
    the headings above it (engine.rag.context); collections from before it was measured are without.
    """

    kind: SplittingKind = "tokens"
    size: int = 256
    overlap: int = 26
    headings: bool = True


@dataclass(frozen=True)
class Chunk:
    """A piece of one file: `start` and `end` are characters of the file's text, `page` counts from 1 where the format
    has pages.
    """

    id: str  # the same text at the same place of the same file under the same splitting has the same id
    file: str  # id of the file within its collection
    name: str
    number: int  # from 0, in the order of the file
    text: str
    start: int
    end: int
    tokens: int
    page: int | None = None
    heading: str | None = None


@dataclass(frozen=True)
class Passage:
    """A chunk that a search found: every score and every rank (from 1) that it got on the way; an arm that did not find
    it is absent.
    """

    chunk: Chunk
    scores: Mapping[Score, float] = field(default_factory=dict)
    ranks: Mapping[Score, int] = field(default_factory=dict)
    neighbours: tuple[Chunk, ...] = ()
    collection: str = ""  # id of the collection, where the search knows one


@dataclass(frozen=True)
class Retrieval:
    """How passages are looked for. `candidates` come from each arm, `k` are kept; `weight` is the vectors' share of a
    weighted fusion; below `threshold` (of the vector score's scale, see engine.rag.retrieval) nothing is kept.
    """

    arm: Arm = "hybrid"
    k: int = 5
    candidates: int = 50
    fusion: Fusion = "weighted"
    weight: float = 0.8
    threshold: float | None = None
    mmr: float | None = None  # share of relevance, 0 to 1; None keeps the order
    neighbours: int = 0  # chunks before and after
    reranker: str | None = None
    files: tuple[str, ...] = ()  # only these; empty: all


class Embedder(Protocol):
    """Texts as unit vectors of float32; may be slow: heavy use belongs in a job."""

    @property
    def name(self) -> str:
        """As engine.rag.embedders knows it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when the same name gives other vectors: another version or another file."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    @property
    def tokens_max(self) -> int:
        """What a passage may have by `count`; a longer one is cut by the model or refused."""
        ...

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text, shape (texts, dimensions)."""
        ...

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, shape (dimensions,)."""
        ...

    def count(self, text: str) -> int:
        """Tokens of the text, without what the model adds."""
        ...
