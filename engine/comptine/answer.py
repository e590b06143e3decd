"""What an answer says of which verse, found in its text; also while it is still being written. Judges nothing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_NAME = r"[\s:\"'«“*_]*(?P<name>[^\W\d_]+(?:[’'-][^\W\d_]+)*)"
# "Le nom de carnet 12 est Marin." and what models make of it: other case, marks around the name, the other language.
_VERSE = re.compile(r"\b(?:carnet|notebook)\s*n?[°o]?\s*(?P<number>\d{1,9})\s*(?:est|is|:|=)\s*" + _NAME, re.IGNORECASE)
_BARE = re.compile(r"\b(?:nom|name)\b[^.\n]*?\b(?:est|is)\s+" + _NAME, re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*")


@dataclass(frozen=True)
class Mention:
    """The answer gives verse `verse` the name `name`, from character `start` to `end`."""

    verse: int
    name: str
    start: int
    end: int


def mentions(answer: str, *, whole: bool = True) -> tuple[Mention, ...]:
    """Every verse that the answer names, in its order, repetitions too.

    Where the text may go on (`whole` False) a name at its very end is left out: it may be cut.
    """
    found = (Mention(int(hit["number"]), hit["name"], *hit.span()) for hit in _VERSE.finditer(answer))
    return tuple(mention for mention in found if whole or mention.end < len(answer))


def bare_name(answer: str, *, whole: bool = True) -> str | None:
    """The name in an answer that gives no verse number: "Le nom est Zoé.", or nothing but "Zoé"."""
    words = _WORD.findall(answer)
    hit = _BARE.search(answer)
    name = hit["name"] if hit else words[0] if len(words) == 1 else None
    end = hit.end() if hit else len(answer.rstrip())
    return name if name and (whole or end < len(answer)) else None


def composed(text: str) -> str:
    """The text in Unicode's composed form, in which it is read: é in one character or in two is the same letter."""
    return unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """The text without case and accents."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()
