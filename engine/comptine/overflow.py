"""What is left of a prompt that is longer than its window: which tokens a policy keeps, and which verses that leaves.

Policies work on tokens of the rendered prompt, as the real engines do (engine.comptine.behaviours). Knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from engine.errors import BadParameter

OverflowPolicy = Literal["refuse", "keep_end", "cut_middle", "rolling", "ollama"]
OVERFLOW_POLICIES: tuple[OverflowPolicy, ...] = get_args(OverflowPolicy)

OLLAMA_KEEP = 4  # tokens at the beginning that Ollama keeps, its default num_keep

Fate = Literal["whole", "part", "gone"]


@dataclass(frozen=True)
class Kept:
    """What a policy keeps of `total` prompt tokens: `ranges` of token numbers (end excluded), of at most `limit`.

    `refused` is True where the prompt is not sent at all.
    """

    policy: OverflowPolicy
    total: int
    window: int
    limit: int
    ranges: tuple[tuple[int, int], ...]
    refused: bool = False

    @property
    def tokens(self) -> int:
        """Prompt tokens that are sent."""
        return sum(end - start for start, end in self.ranges)

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.tokens == self.total

    def to_dict(self) -> dict[str, Any]:
        """All of it and `tokens`, ready for JSON."""
        return {**asdict(self), "ranges": [list(pair) for pair in self.ranges], "tokens": self.tokens}


def kept(total: int, window: int, policy: OverflowPolicy, *, reserve: int = 0, head: int = 0) -> Kept:
    """What `policy` keeps of a prompt of `total` tokens in a window of `window` tokens.

    * refuse: all or nothing; from a full window on, llama.cpp answers 400.
    * keep_end: the last tokens; the template's head and a system prompt go first.
    * cut_middle: half of the room for the beginning, half for the end (LM Studio truncateMiddle, LongBench v1).
    * rolling: the first `head` tokens (template and system prompt) stay, the oldest after them go.
    * ollama: beyond the window, the first 4 tokens and the end, about half a window in all.

    All but refuse and ollama also leave `reserve` tokens for the answer. Raises BadParameter.
    """
    _check(total, window, policy, reserve)
    if policy == "refuse":
        refused = total >= window
        return Kept(policy, total, window, window - 1, () if refused else ((0, total),), refused)
    if policy == "ollama":
        return _ollama(total, window)
    limit = max(1, window - max(1, reserve))  # a prompt of a whole window would be refused
    if total <= limit:
        return Kept(policy, total, window, limit, ((0, total),))
    first = {"keep_end": 0, "cut_middle": (limit + 1) // 2, "rolling": min(head, limit - 1)}[policy]
    return Kept(policy, total, window, limit, _ends(total, first, limit - first))


def ollama_limit(window: int, keep: int = OLLAMA_KEEP) -> int:
    """Tokens that Ollama leaves of a prompt that is too long: 2050 of a window of 4096."""
    return window - max((window - keep) // 2, 1)


def _ollama(total: int, window: int) -> Kept:
    limit = ollama_limit(window)
    if total < window:
        return Kept("ollama", total, window, limit, ((0, total),))
    return Kept("ollama", total, window, limit, _ends(total, OLLAMA_KEEP, limit - OLLAMA_KEEP))


def _ends(total: int, first: int, last: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in ((0, first), (total - last, total)) if start < end)


def _check(total: int, window: int, policy: str, reserve: int) -> None:
    if policy not in OVERFLOW_POLICIES:
        raise BadParameter(f"no policy {policy}", name="policy", value=policy, low=None, high=None)
    for name, value, low in (("window", window, 2 * OLLAMA_KEEP), ("tokens", total, 0), ("reserve", reserve, 0)):
        if value < low:
            raise BadParameter(f"{name} is {low} or more, not {value}", name=name, value=value, low=low, high=None)


@dataclass(frozen=True)
class Survivors:
    """What the model still reads: the fate of each verse of the rhyme, of the question after it, and of what the
    template puts before everything.
    """

    verses: tuple[Fate, ...]
    question: Fate
    template: Fate

    @property
    def count(self) -> int:
        """Verses that are whole."""
        return self.verses.count("whole")

    def to_dict(self) -> dict[str, Any]:
        """All of it and `count`, ready for JSON."""
        return {**asdict(self), "count": self.count}


def piece_bytes(pieces: Sequence[str | tuple[int, ...]]) -> tuple[bytes, ...]:
    """The bytes of each token's piece."""
    return tuple(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)


def survivors(pieces: Sequence[bytes], kept: Kept, message: str, rhyme: str, verses: Sequence[str]) -> Survivors:
    """Which verses the kept tokens still hold: `pieces` are those of the whole rendered prompt, `message` is the user's
    text in it, `rhyme` the part of that which holds the `verses`, one a line.
    """
    alive = [span for start, end in kept.ranges for span in [_span(pieces, start, end)]]
    whole = b"".join(pieces)
    begin = max(0, whole.find(message.encode()))
    at = begin + max(0, message.encode().rfind(rhyme.encode()))
    end_of_rhyme, end = at + len(rhyme.encode()), begin + len(message.encode())
    fates = tuple(_fate(span, alive) for span in _lines(at, verses))
    return Survivors(fates, _fate((end_of_rhyme, end), alive), _fate((0, begin), alive))


def text_of(pieces: Sequence[bytes], kept: Kept) -> str:
    """The text of the kept tokens; parts of a character at a cut are left out."""
    return b"".join(b"".join(pieces[start:end]) for start, end in kept.ranges).decode(errors="ignore")


def _span(pieces: Sequence[bytes], start: int, end: int) -> tuple[int, int]:
    """Bytes of the prompt that these tokens are."""
    first = sum(map(len, pieces[:start]))
    return first, first + sum(map(len, pieces[start:end]))


def _lines(at: int, verses: Sequence[str]) -> Iterator[tuple[int, int]]:
    for verse in verses:
        length = len(verse.encode())
        yield at, at + length
        at += length + 1


def _fate(span: tuple[int, int], alive: Sequence[tuple[int, int]]) -> Fate:
    shared = sum(max(0, min(span[1], end) - max(span[0], start)) for start, end in alive)
    if shared >= span[1] - span[0]:
        return "whole"
    return "part" if shared else "gone"


@dataclass(frozen=True)
class Bisection:
    """The last number for which something holds (None: for none), and the `steps` that found it: number, held."""

    last: int | None
    steps: tuple[tuple[int, bool], ...]


def bisect(holds: Callable[[int], bool], low: int = 1, high: int = 20_000) -> Bisection:
    """The last number from `low` to `high` for which `holds`, which must be true up to some number and false after it.

    `last` is `high` where it always holds. Doubles until it fails, then halves: 2 log2(last) calls.
    """
    steps: list[tuple[int, bool]] = []

    def tried(number: int) -> bool:
        steps.append((number, holds(number)))
        return steps[-1][1]

    good, bad, number = low - 1, high + 1, low
    while number <= high and tried(number):
        good, number = number, min(2 * number, high) if number < high else high + 1
    bad = min(bad, number)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if tried(middle) else (good, middle)
    return Bisection(good if good >= low else None, tuple(steps))


def last_prompt(tokens: Callable[[int], int], window: int, *, low: int = 1, high: int = 20_000) -> Bisection:
    """The longest rhyme, in verses, whose prompt of `tokens(verses)` is not refused: fewer tokens than the window."""
    return bisect(lambda verses: tokens(verses) < window, low, high)


def last_answer(
    tokens: Callable[[int], int], needed: Callable[[int], int], window: int, *, low: int = 1, high: int = 20_000
) -> Bisection:
    """The longest rhyme, in verses, whose prompt leaves the `needed(verses)` answer tokens room in the window."""
    return bisect(lambda verses: tokens(verses) + needed(verses) <= window, low, high)
