"""What an answer says of which verse, found in its text; also while it is still being written. Judges nothing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Possessive wherever two parts could share what they match: an answer may be a hundred thousand signs of anything.
_WORD = r"[^\W\d_]+(?:[’'-][^\W\d_]+)*"
_MARKS = r"[\s:\"'«“*_]*+"
# "Le nom de carnet 12 est Marin." and what models make of it: other case, marks around the name, the other language.
_NUMBER = r"\b(?:carnet|notebook)\s*+(?:n?[°o]?\s*+)(\d{1,9})[\s*_]*+"
_SENTENCE = rf"{_NUMBER}(?:(?:est|is)\b|[:=]){_MARKS}(?!(?:le|the)\s)({_WORD})"
# "12. Marin", "Vers 12: Marin", "| 12 | Marin |": a line that holds a number and a name alone
_SIGNS = r"[^\w\n]*+"
_LINE = rf"^{_SIGNS}(?:verse?{_SIGNS})?(\d{{1,9}})(?=[^\w\n]*[:.)|=→–-]){_SIGNS}({_WORD}){_SIGNS}$"
_VERSE = re.compile(f"{_SENTENCE}|{_LINE}", re.IGNORECASE | re.MULTILINE)
_BARE = re.compile(rf"\b(?:nom|name)\b[^.\n]{{0,80}}?\b(?:est|is)\s{_MARKS}({_WORD})", re.IGNORECASE)


@dataclass(frozen=True)
class Mention:
    """The answer gives verse `verse` the name `name`, from character `start` to `end`."""

    verse: int
    name: str
    start: int
    end: int


def mentions(answer: str, *, whole: bool = True) -> tuple[Mention, ...]:
    """Every verse that the answer names, in its order, repetitions too; the name is the word in a name's place.

    Where the text may go on (`whole` False) a name at its very end is left out: it may be cut.
    """
    found = (Mention(int(hit[1] or hit[3]), hit[2] or hit[4], *hit.span()) for hit in _VERSE.finditer(answer))
    return tuple(mention for mention in found if whole or mention.end < len(answer))


def bare_name(answer: str, *, whole: bool = True) -> str | None:
    """The name in an answer that gives no verse number: "Le nom est Zoé.", or nothing but "Zoé"."""
    words = re.findall(_WORD, answer)
    hit = _BARE.search(answer)
    name = hit[1] if hit else words[0] if len(words) == 1 else None
    end = hit.end() if hit else len(answer.rstrip())
    return name if name and (whole or end < len(answer)) else None


def composed(text: str) -> str:
    """The text in Unicode's composed form, in which it is read: é in one character or in two is the same letter."""
    return unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """The text without case and accents."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()
