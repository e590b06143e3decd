"""The table of chunks: written whole, found by vector and by word, kept in versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import StoreFailed
from engine.rag.languages import language
from engine.rag.values import Chunk, Vectors
from engine.rag.vectorstore import ChunkTable
from tests.standins.rag import Hashed

FRENCH = "Les chevaux mangeaient dans l’été de la Côte d’Azur"
ENGLISH = "The horses were running quickly through the old towns"
TABLE = "1914 1918 1939"
HASHED = Hashed()


def chunk(key: str, text: str, number: int = 0, file: str = "a", page: int | None = None) -> Chunk:
    return Chunk(f"{file}{key}", file, f"{file}.md", number, text, 10 * number, 10 * number + len(text), 9, page, "T")


def vectors(*chunks: Chunk) -> Vectors:
    return HASHED.passages([one.text for one in chunks])


def put(table: ChunkTable, *chunks: Chunk) -> None:
    files = {one.file for one in chunks}
    of = {file: tuple(one for one in chunks if one.file == file) for file in files}
    table.write({file: (found, vectors(*found)) for file, found in of.items()})


@pytest.fixture
def table(tmp_path: Path) -> ChunkTable:
    return ChunkTable(str(tmp_path / "db"))


def test_a_table_that_was_never_written_is_empty(table: ChunkTable) -> None:
    assert table.vector(HASHED.query("x"), 3) == [] and table.text("x", 3) == []
    assert list(table.chunks()) == [] and table.vectors()[0] == () and table.counts() == {}
    assert table.count() == table.indexed() == 0 and table.neighbours(chunk("1", "x"), 2) == ()
    table.delete(["a"])
    table.maintain()
    table.tag("v1")
    table.drop()


def test_chunks_come_back_as_they_were(table: ChunkTable) -> None:
    one, two = chunk("1", FRENCH, page=3), chunk("2", 'it\'s "quoted" \n é', 1, "b'é")
    put(table, one, two)
    assert {found.id: found for found in table.chunks()} == {one.id: one, two.id: two}
    assert list(table.chunks("b'é")) == [two] and (table.count(), table.count("a")) == (2, 1)
    assert table.counts() == {"a": 1, "b'é": 1}


def test_vectors_rank_by_cosine(table: ChunkTable) -> None:
    chunks = [chunk(str(n), text, n) for n, text in enumerate((FRENCH, ENGLISH, TABLE))]
    put(table, *chunks)
    asked = HASHED.query(ENGLISH)
    found = table.vector(asked, 3)
    assert [one.id for one, _ in found] == [chunks[n].id for n in np.argsort(-(vectors(*chunks) @ asked))]
    assert [score for _, score in found] == pytest.approx(sorted(vectors(*chunks) @ asked, reverse=True), abs=1e-5)
    ids, matrix = table.vectors()
    assert matrix == pytest.approx(vectors(*(next(one for one in chunks if one.id == key) for key in ids)))
    assert table.vectors_of([chunks[2].id, chunks[0].id]) == pytest.approx(vectors(chunks[2], chunks[0]))
    with pytest.raises(StoreFailed):
        table.vectors_of(["none"])


@pytest.mark.parametrize("maintained", [False, True], ids=["fresh", "indexed"])
def test_words_are_found_by_their_stems_in_both_languages(table: ChunkTable, maintained: bool) -> None:
    put(table, chunk("f", FRENCH), chunk("e", ENGLISH, 1), chunk("t", TABLE, 2))
    if maintained:
        table.maintain()
    for question, expected in (
        ("cheval", "af"),
        ("ete", "af"),
        ("L’ÉTÉ", "af"),
        ("cote", "af"),
        ("horse", "ae"),
        ("town", "ae"),
        ("1918", "at"),
    ):
        assert [one.id for one, _ in table.text(question, 5)] == [expected], question
    found, matrix = table.text_vectors("cheval town", 5)
    assert found == table.text("cheval town", 5) and {one.id for one, _ in found} == {"af", "ae"}
    assert matrix == pytest.approx(vectors(*(one for one, _ in found)))
    for question in ("le la les", "", " ", 'a"b(:*', "rien"):
        assert table.text(question, 5) == table.text_vectors(question, 5)[0] == [], question
    first, *rest = table.text("quel cheval mangeait l'été", 5)
    assert first[1] > 0 and not rest


def test_only_in_some_files(table: ChunkTable) -> None:
    put(table, chunk("1", FRENCH), chunk("1", FRENCH, 0, "b"), chunk("1", FRENCH, 0, "c"))
    asked = HASHED.query(FRENCH)
    for found in (
        table.vector(asked, 9, ["b"]),
        table.vector(asked, 9, ["b"], exact=True),
        table.text("été", 9, ["b"]),
    ):
        assert [one.file for one, _ in found] == ["b"]
    assert {one.file for one, _ in table.text("été", 9, ["b", "c"])} == {"b", "c"}


def test_a_file_is_replaced(table: ChunkTable, tmp_path: Path) -> None:
    reader = ChunkTable(str(tmp_path / "db"))
    put(table, *(chunk(str(n), f"{FRENCH} {n}", n) for n in range(4)), chunk("1", ENGLISH, 0, "b"))
    assert reader.counts() == {"a": 4, "b": 1}
    put(table, chunk("1", f"{FRENCH} 1", 1), chunk("9", "autre", 9))
    assert reader.counts() == {"a": 2, "b": 1}
    table.write({"a": ((), np.zeros((0, 32), np.float32)), "c": ((chunk("1", "x", 0, "c"),), vectors(chunk("1", "x")))})
    assert reader.counts() == {"b": 1, "c": 1}
    table.write({"b": ((), np.zeros((0, 32), np.float32))})
    assert reader.counts() == {"c": 1}
    table.delete(["c"])
    assert reader.count() == 0


def test_neighbours(table: ChunkTable) -> None:
    chunks = [chunk(str(n), f"mot {n}", n) for n in range(6)]
    put(table, *chunks, chunk("x", "autre", 2, "b"))
    assert table.neighbours(chunks[2], 2) == (chunks[0], chunks[1], chunks[3], chunks[4])
    assert table.neighbours(chunks[0], 1) == (chunks[1],) and table.neighbours(chunks[0], 0) == ()


def test_versions_are_kept_and_come_back(table: ChunkTable) -> None:
    put(table, chunk("1", FRENCH))
    table.tag("v1")
    put(table, chunk("2", ENGLISH))
    table.tag("v2")
    table.delete(["a"])
    table.maintain()
    assert table.count() == 0 and table.labels() == ("v1", "v2")
    table.restore("v1")
    assert [one.text for one in table.chunks()] == [FRENCH] and [one.id for one, _ in table.text("cheval", 3)] == ["a1"]
    put(table, chunk("3", TABLE, 0, "b"))
    assert table.count() == 2
    table.untag("v1")
    table.untag("v1")
    assert table.labels() == ("v2",)


def test_beyond_a_size_an_index_answers_and_new_chunks_are_found_too(tmp_path: Path) -> None:
    table = ChunkTable(str(tmp_path / "db"), ann_rows=500)
    chunks = [chunk(str(n), f"mot{n % 40} mot{n % 7} mot{n}", n) for n in range(600)]
    put(table, *chunks[:400])
    assert not table.build_ann() and table.indexed() == 0
    put(table, *chunks)
    assert table.build_ann() and table.indexed() == 600
    assert not table.build_ann()
    put(table, chunk("new", "tout autre chose", 0, "b"))
    assert table.vector(HASHED.query("tout autre chose"), 1)[0][0].id == "bnew"
    table.maintain()
    hits = 0
    for number in range(0, 600, 30):
        asked = HASHED.query(chunks[number].text)
        exact = {one.id for one, _ in table.vector(asked, 10, exact=True)}
        hits += len(exact & {one.id for one, _ in table.vector(asked, 10)})
    assert hits >= 0.95 * 20 * 10


def test_vectors_of_another_size_are_refused(table: ChunkTable) -> None:
    put(table, chunk("1", FRENCH))
    with pytest.raises(StoreFailed):
        table.vector(np.ones(7, np.float32), 3)
    with pytest.raises(StoreFailed):
        table.write({"a": ((chunk("1", FRENCH),), np.ones((1, 7), np.float32))})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FRENCH, "french"),
        (ENGLISH, "english"),
        (TABLE, "french"),
        ("Où est-il ?", "french"),
        ("Where is it?", "english"),
    ],
)
def test_languages(text: str, expected: str) -> None:
    assert language(text) == expected
    assert language(TABLE, "english") == "english"
