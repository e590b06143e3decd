"""Question sets: SQuAD, CSV, what is refused, and our own samples."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadFile
from engine.rag.questions import read_questions, samples, to_csv

FAQ = Path(__file__).parents[3] / "shared" / "data" / "french_faq.json"


def squad(*paragraphs: dict[str, Any]) -> bytes:
    return json.dumps(
        {"version": "x", "data": [{"title": "t", "paragraphs": [entry]} for entry in paragraphs]}
    ).encode()


def test_squad_contexts_are_documents_and_equal_ones_are_one() -> None:
    ask = {"question": "Où ?", "id": "7", "answers": [{"text": "Ici", "answer_start": 0}, {"text": "Ici"}]}
    never = {"question": "Quand ?", "answers": [], "is_impossible": True}
    found = read_questions("q.json", squad({"context": "Ici.", "qas": [ask]}, {"context": "Ici.", "qas": [never]}))
    assert [source.text for source in found.sources] == ["Ici."]
    first, second = found.questions
    assert (first.id, first.answers, first.kind) == ("7", ("Ici",), "answerable")
    assert (second.id, second.answers, second.kind) == ("2", (), "unanswerable")
    assert first.document == second.document == found.sources[0].name


def test_csv_with_documents_of_its_own_or_of_a_collection() -> None:
    table = "\ufeffQuestion;Answer;Context\nOù ?;ici | là;C’est ici ou là.\n;;\n"
    found = read_questions("q.csv", table.encode())
    assert found.questions[0].answers == ("ici", "là")
    assert found.questions[0].document == found.sources[0].name
    only = read_questions("q.csv", b"question,document,kind\nWho?,a.pdf,unanswerable\nWhy?,,off_topic\n")
    assert [(asked.document, asked.kind) for asked in only.questions] == [
        ("a.pdf", "unanswerable"),
        (None, "off_topic"),
    ]
    assert only.sources == ()


def test_questions_written_in_a_page_come_back_from_their_csv() -> None:
    asked = samples().questions
    assert read_questions("q.csv", to_csv(asked).encode()).questions == asked


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe", "not_utf8"),
        (b"{", "json"),
        (b"[" * 100_000, "json"),
        (b'{"data": [{"title": "x"}]}', "format"),
        (b'{"data": []}', "no_questions"),
        (b"a,b\n1,2\n", "format"),
        (b"question\n", "no_questions"),
        (b"question,kind\nWho?,odd\n", "format"),
        (b"", "no_questions"),
    ],
)
def test_what_is_no_question_set_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as raised:
        read_questions("file", data)
    assert raised.value.details["reason"] == reason


def test_our_samples_are_whole() -> None:
    found = samples()
    texts = {source.name: source.text for source in found.sources}
    assert len(texts) == 12
    assert Counter(asked.kind for asked in found.questions) == {"answerable": 45, "off_topic": 15, "unanswerable": 15}
    for asked in found.of("answerable"):
        assert asked.document is not None and asked.answers
        assert all(texts[asked.document].count(answer) == 1 for answer in asked.answers), asked
    assert all(asked.document in texts and not asked.answers for asked in found.of("unanswerable"))
    assert all(asked.document is None and not asked.answers for asked in found.of("off_topic"))


def test_the_french_questions_beside_the_project() -> None:
    if not FAQ.exists():
        pytest.skip("no question set beside the project")
    found = read_questions(FAQ.name, FAQ.read_bytes())
    assert (len(found.questions), len(found.sources)) == (256, 254)
    titles = {asked.text for asked in found.questions}
    assert not any(title in source.name for source in found.sources for title in titles)
