"""French and English text cut into sentences. Knows no tokens.

Own rules: LlamaIndex's default (NLTK's English model) takes "M. Dupont" for two sentences, and refuses to read its own
data where the installer has hard-linked it, as uv does.
"""

from __future__ import annotations

import re

_SHORT_WORDS = (
    "M", "MM", "Mme", "Mmes", "Mlle", "Me", "Mgr", "Dr", "Pr", "Prof", "St", "Ste", "Mr", "Mrs", "Ms", "Jr", "Sr",
    "art", "al", "av", "ap", "bd", "boul", "cf", "ch", "chap", "col", "dép", "dir", "e.g", "éd", "ed", "env", "etc",
    "ex", "fig", "hab", "i.e", "ibid", "id", "j.-c", "max", "min", "n", "no", "nos", "obs", "op", "p", "par", "pp",
    "réf", "ref", "s", "sect", "sq", "suiv", "t", "tab", "tél", "tel", "vol", "v", "vs", "approx", "dept", "inc",
    "ltd", "co", "eq", "éq", "c.-à-d", "p.ex", "jan", "janv", "févr", "feb", "avr", "juil", "sept", "oct", "nov", "déc",
    "dec",
)  # fmt: skip
_SHORT = frozenset(word.casefold() for word in _SHORT_WORDS)
# An end, closing quotes and brackets, blanks; then something that may begin a sentence
_END = re.compile(
    r"[.!?…。！？]+(?:[”\"'’)\]]|[ \u00a0\u202f]?»)*(?:\s+|(?<=[。！？]))"
    r"(?=[«“\"‘'(\[—–\-•¿¡\s]*[^\W_a-zà-öø-ÿœ])"
    r"|\n\s*\n\s*"
)
_WORD_BEFORE = re.compile(r"([^\W\d_]+(?:[.\-–]+[^\W\d_]+)*)$")


def sentences(text: str) -> list[str]:
    """The text in sentences, each with the blanks after it; joined they are the text again."""
    found, start = [], 0
    for match in _END.finditer(text):
        if not _abbreviates(text, match):
            found.append(text[start : match.end()])
            start = match.end()
    return [*found, text[start:]] if start < len(text) else found


def _abbreviates(text: str, end: re.Match[str]) -> bool:
    """Whether the full stop belongs to a short word or an initial before it."""
    if not end[0].startswith(".") or end[0].startswith(".."):
        return False
    word = _WORD_BEFORE.search(text, max(0, end.start() - 20), end.start())
    return word is not None and (word[1].casefold() in _SHORT or (len(word[1]) == 1 and word[1].isupper()))
