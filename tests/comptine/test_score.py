"""Metrics on the answers that the sheet quotes, on small answers made for one metric each, and their laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.comptine.guided import QUOTED
from engine.comptine.question import Prompt, Question, answer_prefix, prompt
from engine.comptine.rhyme import LANGUAGES, NAMES, VARIANTS, rhyme, verse
from engine.comptine.score import Mark, Score, distance, likeness, marks, score

# What the sheet tells of one-shot: at 14 Marin becomes marin, at 28 mari appears, the whole rhyme is repeated
TOLD = "\n".join(verse(n, "Marin" if n < 14 else "marin" if n < 28 else "mari") for n in range(1, 101))

FOUR = prompt(rhyme(10, "names", seed=1), Question(first=1, last=4))  # Nicolas, Lucie, Pierre, Hélène
IDEAL = score(FOUR.needed_text, FOUR, finished=True)


def said(*verses: tuple[int, str]) -> str:
    return "\n".join(verse(number, name) for number, name in verses)


GOOD = ((1, "Nicolas"), (2, "Lucie"), (3, "Pierre"), (4, "Hélène"))


def test_the_answer_that_the_sheet_quotes() -> None:
    asked = prompt(rhyme(160), Question(first=1, last=30))
    assert score(QUOTED, asked, finished=True) == Score(
        strict=0.0, normalized=0.0, fuzzy=0.0, omissions=30, out_of_range=0, invented=0, duplicates=0, in_order=False,
        first_drift=1, obedience=False, example_leak=0, gibberish=True, budget=False,
    )  # fmt: skip
    assert {mark.state for mark in marks(QUOTED, asked, True)} == {"missing"}


def test_the_answer_that_the_sheet_tells() -> None:
    asked = prompt(rhyme(100), Question(first=1, last=30))
    assert score(TOLD, asked, finished=True) == Score(
        strict=13 / 30, normalized=27 / 30, fuzzy=pytest.approx((27 + 3 * 0.8) / 30), omissions=0, out_of_range=70,
        invented=0, duplicates=0, in_order=True, first_drift=14, obedience=False, example_leak=0, gibberish=False,
        budget=False,
    )  # fmt: skip
    strip = marks(TOLD, asked, True)
    assert [mark.state for mark in strip[:30]] == ["exact"] * 13 + ["drift"] * 17
    assert strip[27] == Mark(28, "drift", "mari")
    assert {mark.state for mark in strip[30:]} == {"out_of_range"} and len(strip) == 100


def test_the_ideal_answer() -> None:
    assert Score(1.0, 1.0, 1.0, 0, 0, 0, 0, True, None, True, 0, False, False) == IDEAL


@pytest.mark.parametrize(("answer", "changes"), [
    (said(*GOOD[:3]), {"strict": 0.75, "normalized": 0.75, "fuzzy": 0.75, "omissions": 1, "first_drift": 4}),
    (said(GOOD[0], (2, "lucie"), *GOOD[2:]), {"strict": 0.75, "first_drift": 2}),
    (said(*GOOD[:3], (4, "Helene")), {"strict": 0.75, "first_drift": 4}),
    (said(*GOOD[:3], (4, "He\u0301le\u0300ne")), {}),  # the same name in another Unicode form
    (said((1, "Nicole"), *GOOD[1:]), {"strict": 0.75, "normalized": 0.75, "fuzzy": (3 + 5 / 7) / 4, "first_drift": 1}),
    (said(*GOOD, (5, "Élise"), (6, "Zoé")), {"out_of_range": 2, "obedience": False}),
    (said(*GOOD, (11, "Zoé"), (0, "Zoé")), {"invented": 2, "in_order": False, "obedience": False}),
    (said(*GOOD, GOOD[0]), {"duplicates": 1}),
    (said(*GOOD[::-1]), {"in_order": False}),
    (said(*GOOD) + "\nRefrain: Récapitule tous les carnets vus jusqu’ici.", {}),
], ids=[
    "omission", "case", "accent", "unicode", "fuzzy", "range", "invented", "duplicate", "order", "refrain",
])  # fmt: skip
def test_one_fault_moves_its_own_metrics_alone(answer: str, changes: dict[str, object]) -> None:
    assert score(answer, FOUR, finished=True) == replace(IDEAL, **changes)  # type: ignore[arg-type]


def test_only_an_answer_that_stopped_obeys() -> None:
    assert score(FOUR.needed_text + "\n", FOUR, finished=False) == replace(IDEAL, obedience=False)


def test_a_repeated_verse_counts_by_its_first_mention() -> None:
    found = score(said((1, "Zoé"), *GOOD), FOUR, finished=True)
    assert (found.strict, found.duplicates, found.first_drift) == (0.75, 1, 1)


def test_names_that_leak_from_the_example() -> None:
    asked = prompt(rhyme(10, "names", seed=1), Question(first=1, last=4, shots=1))
    found = score(said((1, "bruno"), (2, "Chloé"), (3, "Chloé"), GOOD[3]), asked, finished=True)
    assert found.example_leak == 2
    assert score("Brunot, Nadiane", asked, finished=True).example_leak == 0


@pytest.mark.parametrize(("answer", "expected"), [
    ("", True),
    ("Je ne sais pas.", True),
    (said(*GOOD) * 30, False),  # duplicates, not gibberish
    (said(*GOOD) + "\n" + "la la la " * 30, True),
    (said(*GOOD) + "\nVoici donc les quatre vers que tu voulais, dans leur ordre, sans un mot de plus ni de moins,"
     " tels que la comptine les donne au commencement.", False),
], ids=["empty", "prose", "repeated", "babble", "talk"])  # fmt: skip
def test_gibberish(answer: str, expected: bool) -> None:
    assert score(answer, FOUR, finished=True).gibberish is expected


def test_an_answer_that_could_not_fit_has_no_rates() -> None:
    assert score("", FOUR, finished=False, budget=True) == Score(
        None, None, None, 4, 0, 0, 0, False, 1, False, 0, True, True
    )


def test_nothing_asked_for_has_no_rates() -> None:
    asked = prompt(rhyme(5), Question("custom", 0, 0, text="Combien ?"))
    found = score("Cinq.", asked, finished=True)
    assert (found.strict, found.normalized, found.fuzzy, found.first_drift) == (None, None, None, None)
    assert marks("Cinq.", asked, True) == ()


@pytest.mark.parametrize("answer", [
    "Nicolas", "Nicolas.", "Le nom est Nicolas.", "Le nom de carnet 1 est Nicolas.", "Le nom de carnet est « Nicolas »",
    "**Nicolas**", "The name is Nicolas.",
])  # fmt: skip
def test_one_verse_needs_no_number(answer: str) -> None:
    asked = prompt(rhyme(10, "names", seed=1), Question("single", first=1))
    assert score(answer, asked, finished=True) == IDEAL


def test_of_a_range_a_bare_name_is_not_enough() -> None:
    assert score("Nicolas", FOUR, finished=True).omissions == 4


@pytest.mark.parametrize("echoed", [False, True])
def test_a_begun_answer_counts_whole(echoed: bool) -> None:
    begun = prompt(rhyme(10, "names", seed=1), Question(first=1, last=4, prefix=answer_prefix(Question(first=1))))
    answer = (begun.prefix or "") * echoed + begun.needed_text
    assert score(answer, begun, finished=True) == IDEAL


def test_the_strip_while_it_fills() -> None:
    partial = said(GOOD[0], (3, "pierre"), (7, "Zoé"), (1, "Zoé")) + "\nVers 4: Le nom de carnet 4 est Hél"
    assert marks(partial, FOUR, False) == (
        Mark(1, "exact", "Nicolas"), Mark(2, "missing", None), Mark(3, "drift", "pierre"), Mark(4, "not_reached", None),
        Mark(7, "out_of_range", "Zoé"), Mark(1, "duplicate", "Zoé"),
    )  # fmt: skip
    assert marks(partial, FOUR, True)[3] == Mark(4, "wrong", "Hél")
    assert marks("", FOUR, False) == tuple(Mark(n, "not_reached", None) for n in (1, 2, 3, 4))
    assert marks(said((99, "Zoé")) + "\n", FOUR, False)[-1] == Mark(99, "invented", "Zoé")


prompts = st.builds(
    lambda count, variant, seed, language, first, length, shots, place: prompt(
        rhyme(count, variant, seed=seed, language=language),
        Question(first=min(first, count), last=min(first + length, count), shots=shots, place=place),
    ),
    st.integers(3, 60), st.sampled_from(VARIANTS), st.integers(0, 50), st.sampled_from(LANGUAGES),
    st.integers(1, 60), st.integers(0, 30), st.sampled_from([0, 1]), st.sampled_from(["after", "both"]),
)  # fmt: skip
answers = st.lists(st.tuples(st.integers(0, 70), st.sampled_from(["Marin", "marin", "mari", *NAMES])), max_size=30)


@given(prompts)
@settings(max_examples=60, deadline=None)
def test_the_ideal_answer_of_every_prompt_is_perfect(asked: Prompt) -> None:
    assert score(asked.needed_text, asked, finished=True) == IDEAL
    assert {mark.state for mark in marks(asked.needed_text, asked, True)} == {"exact"}


@given(prompts, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_moves_nothing_but_order(asked: Prompt, chance: object) -> None:
    lines = asked.needed_text.split("\n")
    chance.shuffle(lines)  # type: ignore[attr-defined]
    found = score("\n".join(lines), asked, finished=True)
    assert replace(found, in_order=True) == IDEAL
    assert found.in_order is ("\n".join(lines) == asked.needed_text)


@given(prompts, answers)
@settings(max_examples=80, deadline=None)
def test_rates_are_ordered_and_counts_add_up(asked: Prompt, verses: list[tuple[int, str]]) -> None:
    found = score(said(*verses), asked, finished=True)
    assert 0 <= (found.strict or 0) <= (found.normalized or 0) <= (found.fuzzy or 0) <= 1
    named = len(asked.requested) - found.omissions
    assert named + found.out_of_range + found.invented + found.duplicates == len(verses)
    assert (found.first_drift is None) is (found.strict == 1)


@given(prompts, answers)
@settings(max_examples=60, deadline=None)
def test_saying_it_twice_only_adds_duplicates(asked: Prompt, verses: list[tuple[int, str]]) -> None:
    once, twice = (score(said(*verses, *more), asked, finished=True) for more in ((), verses))
    assert replace(twice, duplicates=once.duplicates) == once
    assert twice.duplicates == once.duplicates + len(verses)


@given(prompts, answers)
@settings(max_examples=60, deadline=None)
def test_strip_and_score_agree(asked: Prompt, verses: list[tuple[int, str]]) -> None:
    states = [mark.state for mark in marks(said(*verses), asked, True)]
    found = score(said(*verses), asked, finished=True)
    assert states.count("exact") / len(asked.requested) == found.strict
    assert states.count("missing") == found.omissions
    assert (states.count("out_of_range"), states.count("invented")) == (found.out_of_range, found.invented)
    assert states.count("duplicate") == found.duplicates


@given(prompts, st.integers(0, 2000))
@settings(max_examples=60, deadline=None)
def test_a_strip_never_takes_back_what_it_showed(asked: Prompt, cut: int) -> None:
    partial = marks(asked.needed_text[:cut], asked, False)
    whole = marks(asked.needed_text, asked, True)
    assert all(a == b or a.state == "not_reached" for a, b in zip(partial, whole, strict=True))


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=60, deadline=None)
def test_distance_is_a_metric(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a) <= max(len(a), len(b))
    assert (distance(a, b) == 0) is (a == b)
    assert 0 <= likeness(a, b) <= 1


@given(st.text(max_size=400))
@settings(max_examples=80, deadline=None)
def test_any_text_can_be_scored(text: str) -> None:
    for finished in (True, False):
        score(text, FOUR, finished=finished)
        marks(text, FOUR, finished)
