"""What is asked about a rhyme, and the whole prompt with what an ideal answer says. Knows no model and no score."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from engine.comptine.rhyme import Language, Rhyme, Variant, verse
from engine.errors import BadInput, BadParameter
from engine.types import Message

Kind = Literal["range", "single", "intruder", "custom"]
Place = Literal["after", "both"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PLACES: tuple[Place, ...] = get_args(Place)

# None of them is in rhyme.NAMES, so that a name which leaks from the example is known by itself.
EXAMPLE_NAMES = ("Bruno", "Chloé", "Igor", "Nadia", "Victor")
EXAMPLE_INTRUDER = 3

_ASKED: Mapping[Language, Mapping[str, str]] = {
    "fr": {
        "range": "Répète uniquement les informations des vers {first} à {last} dans l’ordre.",
        "single": "Quel est le nom de carnet {first} ?",
        "intruder": "Un seul vers porte un autre nom que tous les autres. Répète uniquement ce vers.",
        "answer": "Le nom de carnet {first} est {name}.",
        "example": "Exemple:",
        "turn": "À toi:",
        "prefix": "Vers {first}: Le nom de carnet {first} est",
    },
    "en": {
        "range": "Repeat only the information of verses {first} to {last} in order.",
        "single": "What is the name of notebook {first}?",
        "intruder": "Only one verse has a name that differs from all the others. Repeat only that verse.",
        "answer": "The name of notebook {first} is {name}.",
        "example": "Example:",
        "turn": "Your turn:",
        "prefix": "Verse {first}: The name of notebook {first} is",
    },
}


@dataclass(frozen=True)
class Question:
    """What is asked: verses `first` to `last` (`range`), verse `first` (`single`), the odd one out (`intruder`), or
    `text` (`custom`, whose answer is judged on verses `first` to `last`, on none where both are 0).

    `shots` 1 puts a solved example before the rhyme; `place` "both" asks before and after it; `prefix` is the beginning
    of the answer, given to the model.
    """

    kind: Kind = "range"
    first: int = 1
    last: int = 10
    shots: Literal[0, 1] = 0
    place: Place = "after"
    prefix: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Prompt:
    """One prompt: `text` is the user's message, `messages` adds the begun answer (`prefix`) where there is one.

    `requested` are the verses asked for, `expected` their names, `count` the verses of the rhyme; `example_names` are
    the names of the solved example; `sha256` is of `text` and `prefix` in UTF-8; `needed_text` is what an ideal answer
    writes after the prefix.
    """

    messages: tuple[Message, ...]
    text: str
    prefix: str | None
    requested: tuple[int, ...]
    expected: Mapping[int, str]
    count: int
    example_names: frozenset[str]
    sha256: str
    needed_text: str
    kind: Kind = "range"
    language: Language = "fr"


def prompt(rhyme: Rhyme, question: Question) -> Prompt:
    """The prompt: example, rhyme and question, an empty line between them, as in the course sheet.

    A range beyond the rhyme is cut at its last verse, in the question too. Raises BadInput where nothing is left of it
    or nothing can be asked, such as an intruder where there is none.
    """
    asked = _within(rhyme, question)
    requested = _requested(rhyme, asked)
    example, names = _example(rhyme, asked)
    text = "\n\n".join((*example, *_asked_of(rhyme.text, _words(asked, rhyme.language), asked.place)))
    prefix = asked.prefix or None
    messages = (Message("user", text), *([Message("assistant", prefix)] if prefix else []))
    return Prompt(
        messages=messages,
        text=text,
        prefix=prefix,
        requested=requested,
        expected={number: rhyme.names[number - 1] for number in requested},
        count=len(rhyme.verses),
        example_names=names,
        sha256=hashlib.sha256((text + (prefix or "")).encode()).hexdigest(),
        needed_text=_answer(rhyme, asked, requested).removeprefix(prefix or ""),
        kind=asked.kind,
        language=rhyme.language,
    )


def answer_prefix(question: Question, language: Language = "fr") -> str:
    """The beginning of the right answer up to its first name, for `Question.prefix`: can it copy, whatever it obeys?"""
    return _ASKED[language]["prefix"].format(first=question.first)


def _within(rhyme: Rhyme, question: Question) -> Question:
    """The question, cut at the last verse of the rhyme. Raises BadInput."""
    count, first, last = len(rhyme.verses), question.first, question.last
    _check(rhyme, question)
    if question.kind == "intruder" or (question.kind == "custom" and first == last == 0):
        return question
    if question.kind == "single":
        last = first
    if not 1 <= first <= min(last, count):
        raise BadInput(f"no verses {first} to {last} in a rhyme of {count}", first=first, last=last, verses=count)
    return replace(question, first=first, last=min(last, count))


def _check(rhyme: Rhyme, question: Question) -> None:
    for name, value, known in (("kind", question.kind, KINDS), ("place", question.place, PLACES)):
        if value not in known:
            raise BadParameter(f"no question of {name} {value}", name=name, value=value, low=None, high=None)
    if question.shots not in (0, 1):
        raise BadParameter("0 or 1 solved example", name="shots", value=question.shots, low=0, high=1)
    if question.kind == "intruder" and rhyme.intruder is None:
        raise BadInput(f"the variant {rhyme.variant} has no intruder to ask for", variant=rhyme.variant)
    if question.kind == "custom" and not (question.text or "").strip():
        raise BadInput("a question of one's own needs its text")
    if question.kind == "custom" and question.shots:
        raise BadInput("a question of one's own has no solved example", shots=question.shots)


def _requested(rhyme: Rhyme, question: Question) -> tuple[int, ...]:
    if question.kind == "intruder":
        assert rhyme.intruder is not None
        return (rhyme.intruder,)
    return tuple(range(question.first, question.last + 1)) if question.first else ()


def _words(question: Question, language: Language) -> str:
    if question.kind == "custom":
        return (question.text or "").strip()
    return _ASKED[language][question.kind].format(first=question.first, last=question.last)


def _asked_of(text: str, words: str, place: Place) -> tuple[str, ...]:
    return (words, text, words) if place == "both" else (text, words)


def _answer(rhyme: Rhyme, question: Question, requested: tuple[int, ...]) -> str:
    if question.kind == "single":
        name = rhyme.names[question.first - 1]
        return _ASKED[rhyme.language]["answer"].format(first=question.first, name=name)
    return "\n".join(rhyme.verses[number - 1] for number in requested)


def _example(rhyme: Rhyme, question: Question) -> tuple[tuple[str, ...], frozenset[str]]:
    """The solved example, of five verses in the rhyme's own variant, and the names in it."""
    if not question.shots:
        return (), frozenset()
    words = _ASKED[rhyme.language]
    small = _small_rhyme(rhyme)
    inner = replace(question, first=2, last=2 if question.kind == "single" else 4, shots=0, prefix=None)
    asked = _asked_of(small.text, _words(inner, rhyme.language), question.place)
    solved = _answer(small, inner, _requested(small, inner))
    return (words["example"], *asked, solved, words["turn"]), frozenset(small.names)


def _small_rhyme(rhyme: Rhyme) -> Rhyme:
    names = EXAMPLE_NAMES if rhyme.variant == "names" else tuple(EXAMPLE_NAMES[0] for _ in EXAMPLE_NAMES)
    intruder = EXAMPLE_INTRUDER if rhyme.variant == "intruder" else None
    if intruder:
        names = (*names[: intruder - 1], EXAMPLE_NAMES[1], *names[intruder:])
    verses = tuple(verse(number, name, rhyme.language) for number, name in enumerate(names, 1))
    variant: Variant = rhyme.variant
    return Rhyme(verses, names, rhyme.refrain, variant, rhyme.language, rhyme.seed, intruder)
