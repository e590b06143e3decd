"""Measures of retrieval and of answers as pure functions. Knows no store, no model and no interval.

`hits` tells of each place of a result list, best first, whether it holds what was looked for. Several passages of the
right document are several hits; `relevant` is how many there are to find.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

# SQuAD drops a, an, the; FQuAD (arXiv 2002.06071) drops the French ones
ARTICLES = frozenset(["a", "an", "the", "le", "la", "les", "l", "un", "une", "des", "du", "de", "d", "au", "aux"])
WORDS = re.compile(r"\w+")


def recall_at(hits: Sequence[bool], k: int) -> float:
    """1.0 where one of the first `k` is a hit, else 0.0."""
    return float(any(hits[:k]))


def reciprocal_rank(hits: Sequence[bool]) -> float:
    """1 / place of the first hit, 0.0 without one."""
    return next((1 / place for place, hit in enumerate(hits, 1) if hit), 0.0)


def ndcg_at(hits: Sequence[bool], k: int, relevant: int = 1) -> float:
    """Discounted gain of the hits among the first `k`, as a share of what `relevant` hits on top would give; 0 to 1."""
    gain = sum(1 / math.log2(place + 1) for place, hit in enumerate(hits[:k], 1) if hit)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(k, max(relevant, sum(hits[:k]))) + 1))
    return gain / ideal if ideal else 0.0


def words(text: str) -> list[str]:
    """The text's words as SQuAD compares them: lower case, no punctuation, no article of French or English."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in WORDS.findall(folded) if word not in ARTICLES]


def exact_match(answer: str, expected: Collection[str]) -> float:
    """1.0 where the answer's words are those of one of the expected, else 0.0. None expected: right when empty."""
    return float(any(words(answer) == words(right) for right in expected or ("",)))


def token_f1(answer: str, expected: Collection[str]) -> float:
    """The best F1 of the answer's words with one of the expected, 0 to 1. None expected: 1.0 when empty."""
    return max(_f1(words(answer), words(right)) for right in expected or ("",))


def _f1(found: list[str], right: list[str]) -> float:
    if not found or not right:
        return float(found == right)
    common = sum((Counter(found) & Counter(right)).values())
    return 2 * common / (len(found) + len(right))
