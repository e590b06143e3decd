"""The numbered rhyme, byte for byte as in the course sheet, and its variants. Knows no question and no model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from engine.errors import BadInput, BadParameter

Variant = Literal["constant", "names", "intruder"]
Language = Literal["fr", "en"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
LANGUAGES: tuple[Language, ...] = get_args(Language)

MAX_VERSES = 20_000
CONSTANT = "Marin"  # everybody's name in the course sheet

# First names of one word; none is CONSTANT, none is near to it or to another, and the examples of questions use others.
NAMES = (
    "Adèle", "Antoine", "Basile", "Camille", "Clara", "Damien", "Edgar", "Élise", "Fabrice", "Flore",
    "Gaspard", "Hélène", "Hugo", "Inès", "Jeanne", "Jules", "Karim", "Laure", "Léon", "Lucie",
    "Mathilde", "Moussa", "Nicolas", "Noé", "Odile", "Olivier", "Pauline", "Pierre", "Quentin", "Raphaël",
    "Rémi", "Rose", "Samuel", "Sophie", "Théo", "Ursule", "Valentin", "Wanda", "Yvonne", "Zoé",
)  # fmt: skip

_VERSE: Mapping[Language, str] = {
    "fr": "Vers {number}: Le nom de carnet {number} est {name}.",
    "en": "Verse {number}: The name of notebook {number} is {name}.",
}
_REFRAIN: Mapping[Language, str] = {
    "fr": "Refrain: Récapitule tous les carnets vus jusqu’ici.",
    "en": "Refrain: Recall all the notebooks seen so far.",
}


@dataclass(frozen=True)
class Rhyme:
    """One rhyme: `names[i]` stands in verse i + 1; `intruder` is the number of the verse that differs from all others.

    Two rhymes of one variant and seed share their first verses, however long they are, unless there is an intruder.
    """

    verses: tuple[str, ...]
    names: tuple[str, ...]
    refrain: str
    variant: Variant
    language: Language
    seed: int
    intruder: int | None = None

    @property
    def text(self) -> str:
        """The rhyme, one verse a line, the refrain last, without a newline at the end."""
        return "\n".join((*self.verses, self.refrain))


def rhyme(count: int, variant: Variant = "constant", *, seed: int = 0, language: Language = "fr") -> Rhyme:
    """The rhyme of `count` verses.

    `constant` has the sheet's one name; `names` draws from NAMES, all forty before one returns; `intruder` has one
    other name at one verse. Which ones is settled by `seed`. Raises BadParameter, BadInput for an intruder among fewer
    than three.
    """
    _check(count, variant, seed, language)
    intruder = 1 + _number(seed, "intruder verse", count) % count if variant == "intruder" else None
    names = _drawn(count, seed) if variant == "names" else [CONSTANT] * count
    if intruder:
        names[intruder - 1] = NAMES[_number(seed, "intruder name") % len(NAMES)]
    verses = tuple(verse(number, name, language) for number, name in enumerate(names, 1))
    return Rhyme(verses, tuple(names), _REFRAIN[language], variant, language, seed, intruder)


def verse(number: int, name: str, language: Language = "fr") -> str:
    """One verse, without newline."""
    return _VERSE[language].format(number=number, name=name)


def _check(count: int, variant: str, seed: int, language: str) -> None:
    if not 1 <= count <= MAX_VERSES:
        raise BadParameter(
            f"a rhyme has 1 to {MAX_VERSES} verses, not {count}", name="verses", value=count, low=1, high=MAX_VERSES
        )
    if variant not in VARIANTS:
        raise BadParameter(f"no variant {variant}", name="variant", value=variant, low=None, high=None)
    if language not in LANGUAGES:
        raise BadParameter(f"no rhyme in {language}", name="language", value=language, low=None, high=None)
    if seed < 0:
        raise BadParameter(f"a seed is 0 or more, not {seed}", name="seed", value=seed, low=0, high=None)
    if variant == "intruder" and count < 3:
        raise BadInput("among fewer than three verses none differs from the others", verses=count)


def _drawn(count: int, seed: int) -> list[str]:
    rounds = range(-(-count // len(NAMES)))
    return [name for turn in rounds for name in sorted(NAMES, key=lambda name: _number(seed, turn, name))][:count]


def _number(seed: int, *what: object) -> int:
    """A number that looks random and is the same on every Python and every machine."""
    return int.from_bytes(hashlib.sha256(repr((seed, *what)).encode()).digest()[:8], "big")
