"""What is found in an answer: the ways in which models write a verse, and what is none."""

from __future__ import annotations

import pytest

from engine.comptine.answer import bare_name, mentions, plain


def read(text: str, *, whole: bool = True) -> list[tuple[int, str]]:
    return [(mention.verse, mention.name) for mention in mentions(text, whole=whole)]


@pytest.mark.parametrize("line", [
    "Vers 12: Le nom de carnet 12 est Zoé.", "Vers 12 : Le nom de carnet 12 est Zoé", "le nom de CARNET 12 est Zoé,",
    "Le nom de carnet n° 12 est « Zoé ».", "Le carnet 12 est Zoé.", "Carnet 12 : Zoé", "**Carnet 12** est Zoé",
    "The name of notebook 12 is **Zoé**.", "12. Zoé", "12) Zoé", "- 12: Zoé.", "Vers 12: Zoé", "| 12 | Zoé |",
    "**Vers 12** : Zoé", "Verse 12 - Zoé", "Carnet 12: le nom de carnet 12 est Zoé",
    "Vers 1: Le nom de carnet 12 est Zoé",
])  # fmt: skip
def test_ways_to_write_a_verse(line: str) -> None:
    assert read(f"Voici :\n{line}\nRefrain") == [(12, "Zoé")]


@pytest.mark.parametrize("text", ["", "Vers 12: Le nom de carnet", "vers 1 à 12 dans l’ordre.", "12 vers", "En 2026.",
                                  "Le terme de 12 est Zoé.", "1. Le nom est Zoé.",
                                  "Le carnet 12 estime."])  # fmt: skip
def test_what_is_no_verse(text: str) -> None:
    assert read(text) == []


def test_order_and_repetitions_are_kept() -> None:
    assert read("2. Zoé\nLe nom de carnet 1 est Léo. Le nom de carnet 2 est Zoé.") == [
        (2, "Zoé"),
        (1, "Léo"),
        (2, "Zoé"),
    ]


def test_a_name_that_may_be_cut_is_left_out() -> None:
    text = "Le nom de carnet 1 est Jean-Loup. Le nom de carnet 2 est Ma"
    assert read(text) == [(1, "Jean-Loup"), (2, "Ma")]
    assert read(text, whole=False) == [(1, "Jean-Loup")]
    assert read(text + "\n", whole=False) == [(1, "Jean-Loup"), (2, "Ma")]
    assert read("Vers 1: Le", whole=False) == []


def test_a_bare_name() -> None:
    assert bare_name("Le nom du carnet est « Zoé ».") == bare_name(" Zoé\n") == "Zoé"
    assert bare_name("Je ne sais pas.") is None
    assert bare_name("Zo", whole=False) is None


def test_plain() -> None:
    assert plain("ÉLISE") == plain("élise") == "elise"


@pytest.mark.parametrize(
    "sign", ["-", " ", "1", "a", "nom ", "1:", "*_", "carnet ", "carnet 1 ", "a-", "\n-", ": ", "vers "]
)
def test_any_answer_is_read_in_one_pass(sign: str) -> None:
    text = "Le nom de carnet 1 est " + sign * 100_000 + "!"  # quadratic reading would take this test's time limit
    mentions(text)
    mentions("1" + text)
    bare_name(text)
