"""The strips' JSON, and what a browser may report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.ui.i18n import LANGUAGES, Language, words
from apps.ui.strips import Choice, choice_of, scored_data, script, style, token_data
from tests.standins.strips import pieces, scored


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_json_holds_texts_and_numbers_alone(lang: Language) -> None:
    data = json.loads(json.dumps([token_data(pieces(), words(lang)), scored_data(scored(), words(lang))]))
    assert [piece["shown"] for piece in data[0]["pieces"]] == [piece.shown for piece in pieces()]
    assert [token["p"] for token in data[1]["tokens"][:2]] == [0.97, 0.62]
    assert len(data[1]["labels"]["levels"]) == 5
    assert data[0]["pieces"][2]["breaks"] is True


def test_nothing_in_the_script_reads_html() -> None:
    for risky in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
    ):
        assert risky not in script()
    assert "url(" not in style() and "@import" not in style()


@pytest.mark.parametrize(
    "told",
    [
        None, "x", [], {}, {"position": 1}, {"position": "1", "text": " chat?"}, {"position": True, "text": " chat?"},
        {"position": 99, "text": " chat?"}, {"position": -1, "text": " chat?"}, {"position": 1, "text": "rm -rf"},
        {"position": 1, "text": ""}, {"position": 1, "text": "<F0>"}, {"position": 1, "text": ["x"]},
    ],
)  # fmt: skip
def test_what_the_strip_does_not_offer_is_no_choice(told: Any) -> None:
    assert choice_of(told, scored()) is None


def test_what_it_offers_is() -> None:
    assert choice_of({"position": 1, "text": " chat?"}, scored()) == Choice(1, " chat?")
