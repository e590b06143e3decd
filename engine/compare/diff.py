"""Two texts word by word: what is the same, what only one of them has. Bounded in time, whatever the texts are. Knows
no model and no interface.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Literal

Kind = Literal["same", "removed", "added"]

# A word, a run of white space or a sign; joined again they are the text
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
STEPS = 3_000_000  # comparisons of two words: about a second
_Range = tuple[int, int, int, int]


@dataclass(frozen=True)
class Piece:
    """A stretch of text: `same` is in both, `removed` in the first only, `added` in the second only."""

    kind: Kind
    text: str


def word_diff(a: str, b: str) -> tuple[Piece, ...]:
    """The pieces that lead from `a` to `b`: without the added ones they are `a`, without the removed ones `b`.

    Where comparing would take longer than about a second, what is left counts as different.
    """
    ours, theirs = TOKEN.findall(a), TOKEN.findall(b)
    return _pieces(ours, theirs, sorted(_matches(ours, theirs)))


def likeness(pieces: Iterable[Piece]) -> float:
    """How much of both texts is the same, from 0 to 1, by characters without white space; 1 for two empty texts."""
    counted = {"same": 0, "removed": 0, "added": 0}
    for piece in pieces:
        counted[piece.kind] += len("".join(piece.text.split()))
    same = 2 * counted["same"]
    whole = same + counted["removed"] + counted["added"]
    return same / whole if whole else 1.0


def _matches(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int, int]]:
    """Where equal stretches begin in both, and their lengths; the longest first as difflib does it, but the whole of
    the texts before their parts, so that what a limit leaves out are details.
    """
    head, tail = _shared(a, b)
    found = [(0, 0, head)] if head else []
    if tail:
        found.append((len(a) - tail, len(b) - tail, tail))
    matcher = SequenceMatcher(str.isspace, a, b)
    places = matcher.b2j  # type: ignore[attr-defined]  # typeshed does not know it
    work = [0, *accumulate(1 + len(places.get(token, ())) for token in a)]
    left: deque[_Range] = deque([(head, len(a) - tail, head, len(b) - tail)])
    budget = STEPS
    while left:
        first, last, other, end = left.popleft()
        budget -= work[last] - work[first] + 1
        if budget < 0:
            break
        match = matcher.find_longest_match(first, last, other, end)
        if match.size:
            found.append((match.a, match.b, match.size))
            rest = [(first, match.a, other, match.b), (match.a + match.size, last, match.b + match.size, end)]
            left.extend(part for part in rest if part[0] < part[1] and part[2] < part[3])
    return found


def _shared(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How many tokens at the beginning and at the end are the same in both."""
    most = min(len(a), len(b))
    head = next((place for place in range(most) if a[place] != b[place]), most)
    tail = next((place for place in range(most - head) if a[-1 - place] != b[-1 - place]), most - head)
    return head, tail


def _pieces(a: Sequence[str], b: Sequence[str], matches: Sequence[tuple[int, int, int]]) -> tuple[Piece, ...]:
    """Neighbours of a kind in one piece; white space alone between two changes belongs to both of them."""
    told: list[tuple[str, str, str]] = []  # removed, added, and what is the same after them
    here, there = 0, 0
    for mine, other, size in [*matches, (len(a), len(b), 0)]:
        gone, come, same = "".join(a[here:mine]), "".join(b[there:other]), "".join(a[mine : mine + size])
        here, there = mine + size, other + size
        if told and not gone and not come:
            told[-1] = (told[-1][0], told[-1][1], told[-1][2] + same)
        elif told and told[-1][2].isspace() and any(told[-1][:2]):
            before, after, space = told.pop()
            told.append((before + space + gone, after + space + come, same))
        else:
            told.append((gone, come, same))
    kinds: tuple[Kind, ...] = ("removed", "added", "same")
    return tuple(Piece(kind, text) for group in told for kind, text in zip(kinds, group, strict=True) if text)
