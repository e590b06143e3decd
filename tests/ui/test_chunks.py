"""Chunks and passages as JSON of texts and numbers alone, and what a browser may report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.ui import chunks, passages
from apps.ui.chunks import CHUNK_COLUMNS, SHOWN, chunk_data, chunk_rows, screens, shared, summary
from apps.ui.i18n import LANGUAGES, Language, words
from apps.ui.passages import opened_of, passage_data
from engine.rag.values import Chunk
from tests.standins import passages as standin

EN = words("en")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_stretches_are_the_text(lang: Language) -> None:
    data = json.loads(json.dumps(chunk_data(standin.TEXT, standin.chunks(), words(lang))))
    assert "".join(piece["text"] for piece in data["pieces"]) == standin.TEXT
    assert [piece["chunks"] for piece in data["pieces"]] == [[0], [], [1], [1, 2], [2]]
    assert [piece["begins"] for piece in data["pieces"]] == [[1], [], [2], [3], []]


def test_a_summary_counts_what_stands_there_twice() -> None:
    told = summary(standin.chunks(), EN)
    assert told.startswith("3 chunks · 7 to 9 tokens, 8 on average · ")
    assert shared(standin.chunks()) == [0, 0, 22] and shared(()) == []
    assert summary((), EN) == "0 chunks"


def test_a_table_has_all_of_it() -> None:
    rows = [dict(zip(CHUNK_COLUMNS, row, strict=True)) for row in chunk_rows(standin.chunks())]
    assert [(row["number"], row["shared"], row["page"]) for row in rows] == [(1, 0, 1), (2, 0, 2), (3, 22, 3)]


def test_a_long_document_is_looked_at_screen_by_screen() -> None:
    text = "mot " * (SHOWN // 2)
    cut = [Chunk(f"c{at}", "f", "a", at, "", at * 3000, min(len(text), at * 3000 + 3100), 700) for at in range(14)]
    assert screens(text) == 2 and screens("") == 1
    parts = [chunk_data(text, cut, EN, screen)["pieces"] for screen in range(2)]
    assert ["".join(piece["text"] for piece in part) for part in parts] == [text[:SHOWN], text[SHOWN:]]
    assert parts[1][0]["begins"] == []
    assert [begun for part in parts for piece in part for begun in piece["begins"]] == list(range(1, 15))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_passages_have_all_scores_on_one_scale(lang: Language) -> None:
    data = json.loads(json.dumps(passage_data(standin.sources(), words(lang))))
    first, second = data["passages"]
    assert (first["number"], first["place"]) == (1, "été.pdf, p. 3")
    assert [round(score["share"], 3) for score in first["scores"]] == [1, 1, 1]
    assert [round(score["share"], 3) for score in second["scores"]] == [0.5, 0.2]
    assert second["warnings"] and not first["warnings"]


@pytest.mark.parametrize("told", [None, "0", True, -1, 2, {"opened": 2}, {"opened": "1"}, {}, [1]])
def test_what_is_not_offered_opens_nothing(told: Any) -> None:
    assert opened_of(told, standin.sources()) is None


def test_what_is_offered_opens() -> None:
    found = standin.sources()
    assert opened_of({"opened": 1}, found) == found[1] and opened_of(0, found) == found[0]


def test_nothing_in_the_scripts_reads_html() -> None:
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
        assert risky not in chunks.script() + passages.script()
    assert "url(" not in chunks.style() + passages.style()
