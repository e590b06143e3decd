"""A page of a PDF is drawn with the passage marked, in a process with limits."""

from __future__ import annotations

import struct
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from engine.documents import read
from engine.documents.picture import HEIGHT_MAX, WIDTH, Picture, joined, located, picture
from engine.engine import Engine
from engine.errors import BadFile
from engine.person import LOCAL
from engine.rag.pictures import page_picture
from engine.rag.sources import pasted, upload
from engine.settings import Settings
from tests.documents.files import locked_pdf, pdf
from tests.standins.rag import EMBEDDER, SMALL, fill

LINES = "Le chat dort) Tj 0 -20 Td (sur le tapis rouge) Tj 0 -20 Td (et le chat dort"
DATA = pdf("Bonjour", LINES)


def rows(drawn: Picture) -> list[bytes]:
    """Its lines of RGB pixels, read back from the file."""
    data, at, packed = drawn.png, 8, b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        packed += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += size + 12
    lines = zlib.decompress(packed)
    step = 3 * drawn.width + 1
    assert len(lines) == step * drawn.height
    return [lines[start + 1 : start + step] for start in range(0, len(lines), step)]


def coloured(drawn: Picture) -> list[int]:
    """The numbers of the lines with something that is not grey."""
    return [at for at, row in enumerate(rows(drawn)) if row[0::3] != row[2::3]]


def test_the_passage_is_marked_where_it_stands() -> None:
    page = read("a.pdf", DATA).pages[1]
    before = page[: page.rindex("le chat")]
    drawn = picture("a.pdf", DATA, 2, before, "le chat\ndort")
    assert drawn is not None and (drawn.marks, drawn.width) == (1, WIDTH)
    lines = coloured(drawn)
    scale = WIDTH / 595
    last = (842 - 700 + 40) * scale  # the base line of the third line of text
    assert lines and abs(lines[-1] - last) < 10 * scale and len(lines) < 20 * scale


def test_two_lines_have_two_marks_and_a_strange_text_none() -> None:
    drawn = picture("a.pdf", DATA, 2, "Le chat dort\n", "sur le tapis rouge\net le chat")
    assert drawn is not None and drawn.marks == 2
    plain = picture("a.pdf", DATA, 2, "", "absent")
    assert plain is not None and plain.marks == 0 and not coloured(plain)


@pytest.mark.parametrize(
    ("page", "before", "passage", "found"),
    [
        ("le chat et le chat", "", "le chat", (0, 6)),
        ("le chat et le chat", "le chat et ", "le chat", (11, 17)),
        ("le chat et le chat", "le chat, ou", "le chat", (11, 17)),  # not exactly where it should be
        ("de\u0301ja\u0300-vu\ufffe\r\n ici", "", "déjà-vu ici", (0, 15)),
        ("abc", "", "abd", None),
        ("abc", "", " \n", None),
        ("", "abc", "abc", None),
    ],
)
def test_a_passage_is_found_by_its_letters(page: str, before: str, passage: str, found: object) -> None:
    assert located(page, before, passage) == found


def test_what_has_no_page_has_no_picture() -> None:
    assert picture("a.txt", b"text", 1) is None
    for data, page, reason in ((DATA, 3, "broken"), (locked_pdf(), 1, "encrypted"), (DATA[:40], 1, "broken")):
        with pytest.raises(BadFile) as caught:
            picture("a.pdf", data, page)
        assert caught.value.details["reason"] == reason


@pytest.mark.parametrize("box", ["0 0 1e9 3", "0 0 3 1e9", "0 0 1 1", "5 5 5 5"])
def test_no_page_becomes_a_large_picture(box: str) -> None:
    """A page of no size is an A4 or Letter page for PDFium."""
    data = DATA.replace(b"0 0 595 842", box.encode())
    drawn = picture("a.pdf", data, 1)
    assert drawn is not None
    assert 1 <= drawn.width <= WIDTH + 1 and 1 <= drawn.height <= HEIGHT_MAX + 1


def test_pieces_of_a_line_become_one() -> None:
    line = [(0, 0, 10, 8), (13, 1, 20, 9), (21, 3, 24, 7)]
    assert joined([*line, (0, -20, 10, -12), (200, -20, 210, -12)]) == [
        (0, 0, 24, 9), (0, -20, 10, -12), (200, -20, 210, -12)
    ]  # fmt: skip


def test_a_chunk_of_a_collection_shows_its_page(tmp_path: Path) -> None:
    with closing(Engine(Settings(home=tmp_path))) as engine:
        store = engine.collections
        made = store.create(LOCAL.id, "PDF", EMBEDDER, SMALL)
        fill(store, made, upload("a.pdf", DATA), pasted("b.txt", "Le chat dort."))
        files = {file.name: file.id for file in store.files(LOCAL.id, made.id)}
        start = store.document(LOCAL.id, made.id, files["a.pdf"]).text.index("tapis")
        drawn = page_picture(store, LOCAL.id, made.id, files["a.pdf"], start=start, end=start + 5, page=2)
        assert drawn is not None and drawn.marks == 1
        assert page_picture(store, LOCAL.id, made.id, files["b.txt"], start=0, end=5, page=None) is None
