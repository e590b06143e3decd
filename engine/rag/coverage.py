"""How much of a question's own words a passage has: what tells an answer from a text that is merely near. Pure.

An embedder finds something near to any question. Where the words of the question stand in the passage too, the same
cosine is worth more; measured on our own set, adding BONUS · share to it tells questions off topic from others better.
"""

from __future__ import annotations

import re
import unicodedata

from engine.rag.languages import SMALL_WORDS

BONUS = 0.06  # of cosine, for a passage with all the words
STEM = 7  # characters that two forms of one word share
_WORD = re.compile(r"[^\W_]{3,}")
_ENDING = re.compile(r"(ements?|ations?|ings?|ees?|es|er|ed|s|e)$")
_ASKING = frozenset(
    ["avoir", "fait", "faire", "faut", "peut", "peuvent", "doit", "doivent", "puis", "may", "must", "should", "could"]
)


def stems(text: str) -> frozenset[str]:
    """The stems of the text's words, French or English, without the small ones, accents and endings."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return frozenset(_stem(word) for word in _WORD.findall(plain) if word not in _SMALL)


def _stem(word: str) -> str:
    return (_ENDING.sub("", word) if len(word) > 4 else word)[:STEM]


_SMALL = frozenset(
    "".join(one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one))
    for word in SMALL_WORDS | _ASKING
)


def share(question: frozenset[str], passage: frozenset[str]) -> float:
    """The share of the question's stems that the passage has, 0 to 1; 0 where the question has none."""
    return len(question & passage) / len(question) if question else 0.0
