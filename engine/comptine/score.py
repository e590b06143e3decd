"""How well an answer repeats the verses asked for: pure functions of the answer and the prompt. Knows no model.

A verse counts by its first mention; later ones are duplicates. Recall (the rates) and obedience are separate: a model
that repeats the right verses and then goes on has full recall and does not obey.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from engine.comptine.answer import Mention, bare_name, composed, mentions, plain
from engine.comptine.question import Prompt

State = Literal["exact", "drift", "wrong", "missing", "not_reached", "out_of_range", "invented", "duplicate"]
STATES: tuple[State, ...] = get_args(State)

DRIFT = 0.7  # a name this near to the right one has drifted; farther, it is another one
DISTINCT_TRIGRAMS = 0.3
COMPRESSION = 5.0
JUDGED_WORDS = 8  # fewer words outside of verses say nothing about repetition


@dataclass(frozen=True)
class Score:
    """The marks of one answer; the three rates are in [0, 1], None where the answer did not fit into the window
    (`budget`) or nothing was asked for.

    * strict: share of requested verses whose name is the right one, case and accents included
    * normalized: the same without case and accents; normalized - strict is the drift "Marin" to "marin"
    * fuzzy: mean likeness of names, 1 - edit distance / longer length, without case and accents; a missing one is 0
    * omissions: requested verses that are not named
    * out_of_range: verses of the rhyme that are named and were not requested
    * invented: verses named that the rhyme does not have
    * duplicates: mentions of a verse that had been named before
    * in_order: the verses are first named in increasing order; False where none is
    * first_drift: the first requested verse whose name is not strictly right, or missing; None where all are right
    * obedience: requested verses only, one at least, and then it stopped by itself
    * example_leak: names of the solved example in the answer, each counted once
    * gibberish: no verse can be read from it, or what stands outside of verses only repeats itself
    * budget: prompt and ideal answer did not fit into the window together: no fault of the model's memory
    """

    strict: float | None
    normalized: float | None
    fuzzy: float | None
    omissions: int
    out_of_range: int
    invented: int
    duplicates: int
    in_order: bool
    first_drift: int | None
    obedience: bool
    example_leak: int
    gibberish: bool
    budget: bool


@dataclass(frozen=True)
class Mark:
    """One cell of the strip: a verse, how it fared, and the name that was `said` (None where none was)."""

    verse: int
    state: State
    said: str | None


def score(answer: str, prompt: Prompt, *, finished: bool, budget: bool = False) -> Score:
    """The Score of `answer`, the model's text after the prefix. `finished` says that the model stopped by itself."""
    text = _with_prefix(answer, prompt)
    found = read(text, prompt, whole=finished)
    first = _first(found)
    said = {number: first.get(number) for number in prompt.requested}
    extra = [number for number in first if number not in prompt.expected]
    invented = sum(not 1 <= number <= prompt.count for number in extra)
    rated = not budget and bool(prompt.requested)
    return Score(
        strict=_mean(_strict(said, prompt)) if rated else None,
        normalized=_mean(_normalized(said, prompt)) if rated else None,
        fuzzy=_mean(_fuzzy(said, prompt)) if rated else None,
        omissions=sum(name is None for name in said.values()),
        out_of_range=len(extra) - invented,
        invented=invented,
        duplicates=len(found) - len(first),
        in_order=bool(first) and list(first) == sorted(first),
        first_drift=next((n for n in prompt.requested if said[n] != composed(prompt.expected[n])), None),
        obedience=finished and bool(first) and not extra,
        example_leak=_leak(text, prompt),
        gibberish=_gibberish(text, found),
        budget=budget,
    )


def marks(answer: str, prompt: Prompt, finished: bool) -> tuple[Mark, ...]:
    """The strip: requested verses in their order, then the extra mentions as they came.

    Works on an answer under way too: what it has not come to is not_reached, what it skipped is missing.
    """
    found = read(_with_prefix(answer, prompt), prompt, whole=finished)
    first = _first(found)
    reached = max((number for number in first if number in prompt.expected), default=0)
    strip = [_mark(number, first.get(number), prompt, finished or number < reached) for number in prompt.requested]
    seen: set[int] = set()
    for mention in found:
        state = _extra_state(mention.verse, prompt, mention.verse in seen)
        seen.add(mention.verse)
        if state:
            strip.append(Mark(mention.verse, state, mention.name))
    return tuple(strip)


def read(text: str, prompt: Prompt, *, whole: bool = True) -> tuple[Mention, ...]:
    """What the text, prefix included, says of which verse; to the question about one verse a bare name will do."""
    found = mentions(text, whole=whole)
    if not found and prompt.kind == "single":
        name = bare_name(text, whole=whole)
        return (Mention(prompt.requested[0], name, 0, len(text)),) if name else ()
    return found


def likeness(said: str, right: str) -> float:
    """1 - edit distance / longer length, without case and accents: "mari" for "Marin" is 0.8."""
    a, b = plain(said), plain(right)
    return 1 - distance(a, b) / max(len(a), len(b), 1)


def distance(a: str, b: str) -> int:
    """Levenshtein's: letters to insert, delete or replace to make `b` of `a`."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        above, row = row, [i]
        for j, other in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (letter != other)))
    return row[-1]


def _with_prefix(answer: str, prompt: Prompt) -> str:
    prefix, answer = composed(prompt.prefix or ""), composed(answer)
    return answer if answer.startswith(prefix) else prefix + answer  # some servers send it back, some do not


def _first(found: tuple[Mention, ...]) -> dict[int, str]:
    """The first name of every verse, in the order of the answer."""
    first: dict[int, str] = {}
    for mention in found:
        first.setdefault(mention.verse, mention.name)
    return first


def _strict(said: Mapping[int, str | None], prompt: Prompt) -> list[float]:
    return [float(name == composed(prompt.expected[number])) for number, name in said.items()]


def _normalized(said: Mapping[int, str | None], prompt: Prompt) -> list[float]:
    return [float(name is not None and plain(name) == plain(prompt.expected[n])) for n, name in said.items()]


def _fuzzy(said: Mapping[int, str | None], prompt: Prompt) -> list[float]:
    return [0.0 if name is None else likeness(name, prompt.expected[number]) for number, name in said.items()]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _leak(text: str, prompt: Prompt) -> int:
    words = {word for word in _words(plain(text))}
    return sum(plain(name) in words for name in prompt.example_names)


def _gibberish(text: str, found: tuple[Mention, ...]) -> bool:
    if not found:
        return True
    rest = _outside(text, found)
    words = _words(rest)
    if len(words) < JUDGED_WORDS:
        return False
    trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
    packed = rest.encode()
    repeats = len(trigrams) / trigrams.total() < DISTINCT_TRIGRAMS
    return repeats or len(packed) / len(zlib.compress(packed)) > COMPRESSION


def _outside(text: str, found: tuple[Mention, ...]) -> str:
    """The lines that name no verse: a rhyme repeats itself by nature, what surrounds it should not."""
    spans = {text.count("\n", 0, mention.start + 1) for mention in found}
    return "\n".join(line for number, line in enumerate(text.split("\n")) if number not in spans)


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text).split()


def _mark(number: int, said: str | None, prompt: Prompt, passed: bool) -> Mark:
    if said is None:
        return Mark(number, "missing" if passed else "not_reached", None)
    right = composed(prompt.expected[number])
    state: State = "exact" if said == right else "drift" if likeness(said, right) > DRIFT else "wrong"
    return Mark(number, state, said)


def _extra_state(number: int, prompt: Prompt, again: bool) -> State | None:
    if again:
        return "duplicate"
    if number in prompt.expected:
        return None
    return "out_of_range" if 1 <= number <= prompt.count else "invented"
