"""The marks in an answer that name passages, `[2]` or `[1, 3]`, and how right they are. Knows no model and no store."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any

from engine.rag.grounding import Grounding

RANGE_MAX = 20  # [1-9] names all between; [1990-2020] is no mark
_MARK = re.compile(r"(?<!\w)[\[【]\s*(\d{1,3}(?:\s*(?:[,;]|-|–|et|and|&)\s*\d{1,3})*)\s*[\]】](?!\(|:\s*http)")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*(?:\s*[\[【][\d\s,;–-]+[\]】])*")
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class Citation:
    """One mark: `numbers` in the order written, `start` and `end` are characters of the answer; `unknown` are those of
    the numbers that no passage has.
    """

    numbers: tuple[int, ...]
    start: int
    end: int
    unknown: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Correctness:
    """How right the cited passages are: `right` of `cited` different passages are among the `relevant` ones; `unknown`
    numbers no passage has.
    """

    cited: int
    right: int
    relevant: int
    unknown: int

    @property
    def precision(self) -> float | None:
        """The right ones' share of what is cited, a number that no passage has included; None where nothing is."""
        total = self.cited + self.unknown
        return self.right / total if total else None

    @property
    def recall(self) -> float | None:
        """The cited ones' share of the relevant passages; None where none was given to the model."""
        return self.right / self.relevant if self.relevant else None


def citations(answer: str, numbers: Collection[int]) -> tuple[Citation, ...]:
    """The marks in the answer in their order; `numbers` are those that passages have. Those in code are none."""
    code = [match.span() for match in _CODE.finditer(answer)]
    found = []
    for match in _MARK.finditer(answer):
        named = _numbers(match[1])
        if named and not any(start <= match.start() < end for start, end in code):
            unknown = tuple(number for number in named if number not in numbers)
            found.append(Citation(named, match.start(), match.end(), unknown))
    return tuple(found)


def unmarked(answer: str) -> str:
    """The answer without its marks."""
    return _MARK.sub("", answer)


def cited(found: Collection[Citation]) -> tuple[int, ...]:
    """The numbers of passages that are cited, each once, in the order in which they come."""
    return tuple(dict.fromkeys(n for one in found for n in one.numbers if n not in one.unknown))


def correctness(found: Collection[Citation], grounding: Grounding, relevant: Callable[[str], bool]) -> Correctness:
    """How right these marks are, where `relevant` tells of a passage's text whether it holds the answer."""
    right = {source.number for source in grounding.sources if relevant(source.text)}
    named = cited(found)
    unknown = {number for one in found for number in one.unknown}
    return Correctness(len(named), len(right & set(named)), len(right), len(unknown))


def support(answer: str, citation: Citation, grounding: Grounding) -> float | None:
    """The share, 0 to 1, of the words of the mark's sentence that its passages have; None where there are none.

    Words of three letters and more, whatever their accents: a low share is a reason to read the passage, no verdict.
    """
    sentence = _sentence(answer, citation)
    said = _words(_MARK.sub(" ", sentence))
    texts = [source.text for n in citation.numbers if (source := grounding.source(n)) is not None]
    if not said or not texts:
        return None
    return len(said & _words(" ".join(texts))) / len(said)


def _sentence(answer: str, citation: Citation) -> str:
    for match in _SENTENCE.finditer(answer):
        if match.start() <= citation.start < match.end():
            return match[0]
    return answer[: citation.start]


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return set(_WORD.findall("".join(one for one in plain if not unicodedata.combining(one))))


def _numbers(inside: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in re.split(r"[,;&]|et|and", inside):
        first, dash, last = (re.sub("–", "-", part)).partition("-")
        low, high = int(first), int(last) if dash else int(first)
        if high - low > RANGE_MAX or high < low:
            return ()
        numbers += range(low, high + 1)
    return tuple(dict.fromkeys(numbers))
