"""How much of a question's own words a passage has: what tells an answer from a text that is merely near. Pure.

An embedder finds something near to any question. Where the words of the question stand in the passage too, the same
cosine is worth more; measured on our own set, adding BONUS · share to it tells questions off topic from others better.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from engine.rag.languages import SMALL_WORDS

BONUS = 0.06  # of cosine, for a passage with all the words
STEM = 7  # characters that two forms of one word share
WORDS_KEPT = 50_000  # whose stems are remembered
_WORD = re.compile(r"[^\W_]{3,}")
_ENDING = re.compile(r"(ements?|ations?|ings?|ees?|es|er|ed|s|e)$")
_ASKING = frozenset(
    ["avoir", "fait", "faire", "faut", "peut", "peuvent", "doit", "doivent", "puis", "may", "must", "should", "could"]
)


def stems(text: str) -> frozenset[str]:
    """The stems of the text's words, French or English, without the small ones, accents and endings."""
    found = map(_stem, set(_WORD.findall(unicodedata.normalize("NFKC", text.casefold()))))
    return frozenset(filter(None, found))


@lru_cache(WORDS_KEPT)
def _stem(word: str) -> str:
    """The stem of a word; "" of a small one."""
    bare = _plain(word)
    return "" if bare in _SMALL else (_ENDING.sub("", bare) if len(bare) > 4 else bare)[:STEM]


def _plain(word: str) -> str:
    """The word without accents."""
    return "".join(one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one))


_SMALL = frozenset(map(_plain, SMALL_WORDS | _ASKING))


def share(question: frozenset[str], passage: frozenset[str]) -> float:
    """The share of the question's stems that the passage has, 0 to 1; 0 where the question has none."""
    return len(question & passage) / len(question) if question else 0.0
