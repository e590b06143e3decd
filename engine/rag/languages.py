"""Which of the two languages of the full-text index a text is in. Knows no index."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["french", "english"]
_WORDS = re.compile(r"[^\W\d_]+")
# Words that stand in every paragraph of one language and hardly in the other ("a", "on", "or", "me" are in both)
_FRENCH = (
    "le la les un une des du de et est sont dans que qui pour par sur avec pas ne ce cette ces au aux il elle ils "
    "elles nous vous je se son sa ses leur leurs ou où mais plus comme être été avait l d qu n s c j quel quelle "
    "quels quelles comment pourquoi quand combien y en"
)
_ENGLISH = (
    "the of and to is are was were in that which who for by with not it its this these those he she they we you i "
    "his her their our your or but more as be been had has have at from an what where when how why many much does "
    "did do can will would there if"
)
_OF_FRENCH, _OF_ENGLISH = frozenset(_FRENCH.split()), frozenset(_ENGLISH.split())
SMALL_WORDS = _OF_FRENCH | _OF_ENGLISH


def language(text: str, otherwise: Language = "french") -> Language:
    """The language whose small words the text has more of; `otherwise` where neither leads, as in a table."""
    return spoken(text) or otherwise


def spoken(text: str) -> Language | None:
    """The language whose small words the text has more of; None where neither leads."""
    words = _WORDS.findall(text.lower())
    french = sum(map(_OF_FRENCH.__contains__, words))
    english = sum(map(_OF_ENGLISH.__contains__, words))
    if french == english:
        return None
    return "french" if french > english else "english"
