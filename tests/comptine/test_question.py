"""Prompts as the sheet writes them: the parts, their order, what is expected, and what cannot be asked."""

from __future__ import annotations

import hashlib

import pytest

from engine.comptine.question import EXAMPLE_NAMES, Place, Question, answer_prefix, prompt
from engine.comptine.rhyme import LANGUAGES, NAMES, Language, rhyme
from engine.errors import BadInput
from engine.types import Message

ASKED = "Répète uniquement les informations des vers 1 à 30 dans l’ordre."


def test_the_prompt_of_the_sheet() -> None:
    made = prompt(rhyme(69), Question(first=1, last=30))
    assert made.text == rhyme(69).text + "\n\n" + ASKED
    assert made.messages == (Message("user", made.text),)
    assert made.requested == tuple(range(1, 31))
    assert made.needed_text == "\n".join(rhyme(30).verses)
    assert made.sha256 == hashlib.sha256(made.text.encode()).hexdigest()
    assert (made.count, made.prefix, made.example_names) == (69, None, frozenset())


def test_asked_before_and_after() -> None:
    made = prompt(rhyme(69), Question(first=1, last=30, place="both"))
    assert made.text == ASKED + "\n\n" + rhyme(69).text + "\n\n" + ASKED


def test_english() -> None:
    made = prompt(rhyme(9, language="en"), Question(first=2, last=4))
    assert made.text.endswith("\n\nRepeat only the information of verses 2 to 4 in order.")
    assert made.needed_text.startswith("Verse 2: The name of notebook 2 is Marin.\nVerse 3: ")


def test_one_verse() -> None:
    one = rhyme(9, "names", seed=1)
    made = prompt(one, Question("single", first=4))
    assert made.text.endswith("\n\nQuel est le nom de carnet 4 ?")
    assert made.requested == (4,)
    assert made.expected == {4: one.names[3]}
    assert made.needed_text == f"Le nom de carnet 4 est {one.names[3]}."


def test_the_intruder() -> None:
    odd = rhyme(9, "intruder", seed=1)
    made = prompt(odd, Question("intruder"))
    assert made.requested == (odd.intruder,)
    assert made.needed_text == odd.verses[(odd.intruder or 0) - 1]


@pytest.mark.parametrize(("first", "last", "requested"), [(0, 0, ()), (2, 3, (2, 3))])
def test_a_question_of_ones_own(first: int, last: int, requested: tuple[int, ...]) -> None:
    made = prompt(rhyme(5), Question("custom", first, last, text="Combien ? "))
    assert made.text.endswith("\n\nCombien ?")
    assert made.requested == requested


def test_a_range_beyond_the_rhyme_is_cut_in_the_question_too() -> None:
    made = prompt(rhyme(5), Question(first=1, last=10))
    assert made.requested == (1, 2, 3, 4, 5)
    assert "vers 1 à 5 dans" in made.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", ["constant", "names", "intruder"])
@pytest.mark.parametrize("place", ["after", "both"])
def test_one_shot(variant: str, language: Language, place: Place) -> None:
    made = prompt(rhyme(12, variant, seed=2, language=language), Question(first=1, last=6, shots=1, place=place))  # type: ignore[arg-type]
    bare = prompt(rhyme(12, variant, seed=2, language=language), Question(first=1, last=6, place=place))  # type: ignore[arg-type]
    assert made.text.endswith(bare.text)
    assert made.needed_text == bare.needed_text
    example = made.text.removesuffix(bare.text)
    assert made.example_names and made.example_names <= set(EXAMPLE_NAMES)
    assert all(name in example for name in made.example_names)
    assert not any(name in bare.text for name in made.example_names)


def test_names_of_the_example_are_nobody_elses() -> None:
    assert not set(EXAMPLE_NAMES) & set(NAMES)


def test_a_begun_answer() -> None:
    asked = Question(first=3, last=4)
    begun = Question(first=3, last=4, prefix=answer_prefix(asked))
    made = prompt(rhyme(9), begun)
    assert made.messages[-1] == Message("assistant", "Vers 3: Le nom de carnet 3 est")
    assert made.needed_text == " Marin.\nVers 4: Le nom de carnet 4 est Marin."
    assert made.sha256 != prompt(rhyme(9), asked).sha256


@pytest.mark.parametrize("wrong", [
    Question(first=6, last=9), Question(first=0), Question(first=4, last=2), Question("single", first=6),
    Question("intruder"), Question("custom", text=" "), Question("custom", text="?", shots=1),
    Question("riddle"), Question(place="before"), Question(shots=2),  # type: ignore[arg-type]
])  # fmt: skip
def test_what_cannot_be_asked(wrong: Question) -> None:
    with pytest.raises(BadInput):
        prompt(rhyme(5), wrong)
