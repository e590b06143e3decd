"""The rhyme is the sheet's, byte for byte; its variants are settled by the seed and share their first verses."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.comptine.answer import plain
from engine.comptine.question import EXAMPLE_NAMES
from engine.comptine.rhyme import CONSTANT, LANGUAGES, MAX_VERSES, NAMES, Rhyme, Variant, rhyme
from engine.comptine.score import likeness
from engine.errors import BadInput, BadParameter

# for i in $(seq 1 69); do printf 'Vers %d: Le nom de carnet %d est Marin.\n' $i $i; done, then
# printf 'Refrain: Récapitule tous les carnets vus jusqu’ici.', both into sha256sum and wc -c
BY_HAND = {
    69: ("848b3172c86af306b152010889f00541904313ad1abb5fe898f653f02e4e9dd5", 2796),
    100: ("a6b59219ea0bd3af15b790624486214c9ac5f4d045c5f1cfa81c98becd6331be", 4038),
}

GOLDEN_NAMES = ("Nicolas", "Lucie", "Pierre", "Hélène", "Élise", "Fabrice", "Camille", "Adèle")
GOLDEN_INTRUDER = (9, "Camille")

rhymes = st.builds(
    rhyme,
    st.integers(3, 130),
    st.sampled_from(["constant", "names", "intruder"]),
    seed=st.integers(0, 2**32),
    language=st.sampled_from(LANGUAGES),
)


@pytest.mark.parametrize("count", BY_HAND)
def test_bytes_of_the_sheet(count: int) -> None:
    data = rhyme(count).text.encode()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == BY_HAND[count]


def test_english() -> None:
    assert rhyme(2, language="en").text.splitlines() == [
        "Verse 1: The name of notebook 1 is Marin.",
        "Verse 2: The name of notebook 2 is Marin.",
        "Refrain: Recall all the notebooks seen so far.",
    ]


def test_names_of_a_seed_never_change() -> None:
    # run files of earlier versions must replay
    assert rhyme(8, "names", seed=1).names == GOLDEN_NAMES
    found = rhyme(20, "intruder", seed=1)
    assert (found.intruder, found.names[(found.intruder or 0) - 1]) == GOLDEN_INTRUDER


def test_languages_share_their_names() -> None:
    assert rhyme(50, "names", seed=7).names == rhyme(50, "names", seed=7, language="en").names


def test_names_are_told_apart_whatever_their_case_and_accents() -> None:
    every = [*NAMES, CONSTANT, *EXAMPLE_NAMES]
    assert len({plain(name) for name in every}) == len(every) == 46
    assert all(name.isalpha() for name in every)
    assert max(likeness(a, b) for a in every for b in every if a != b) < 0.7


@given(rhymes)
@settings(max_examples=60, deadline=None)
def test_shape(made: Rhyme) -> None:
    lines = made.text.split("\n")
    assert lines == [*made.verses, made.refrain]
    for number, (line, name) in enumerate(zip(made.verses, made.names, strict=True), 1):
        head, _, tail = line.partition(": ")
        assert head.split() == ["Vers" if made.language == "fr" else "Verse", str(number)]
        assert tail.endswith(f" {name}.") and tail.split()[-3] == str(number)


@given(rhymes)
@settings(max_examples=60, deadline=None)
def test_variants(made: Rhyme) -> None:
    others = {number for number, name in enumerate(made.names, 1) if name != CONSTANT}
    if made.variant == "constant":
        assert not others and made.intruder is None
    elif made.variant == "intruder":
        assert others == {made.intruder}
    else:
        assert len(others) == len(made.names) and made.intruder is None
        rounds = [made.names[i : i + len(NAMES)] for i in range(0, len(made.names), len(NAMES))]
        assert all(len(set(turn)) == len(turn) and set(turn) <= set(NAMES) for turn in rounds)


@given(st.sampled_from(["constant", "names"]), st.integers(0, 99), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=40, deadline=None)
def test_a_shorter_rhyme_is_the_beginning_of_a_longer_one(variant: Variant, seed: int, a: int, b: int) -> None:
    short, long = rhyme(min(a, b), variant, seed=seed), rhyme(max(a, b), variant, seed=seed)
    assert long.verses[: len(short.verses)] == short.verses


def test_seeds_differ() -> None:
    drawn = [rhyme(10, "names", seed=seed).names for seed in range(10)]
    assert all(a != b for a, b in pairwise(sorted(drawn)))
    assert len({rhyme(100, "intruder", seed=seed).intruder for seed in range(20)}) > 10


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": MAX_VERSES + 1}, {"variant": "rhymes"},
                                   {"language": "de"}, {"seed": -1}])  # fmt: skip
def test_what_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadParameter):
        rhyme(**{"count": 5, **wrong})  # type: ignore[arg-type]


def test_no_intruder_among_two() -> None:
    with pytest.raises(BadInput):
        rhyme(2, "intruder")
