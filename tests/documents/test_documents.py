"""Every format gives its text, page by page; hostile and broken files give one clear error each."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from engine.documents import READABLE, WARNINGS, Document, archive, document, read, reading
from engine.documents.archive import Archive
from engine.documents.document import CHARACTERS_MAX
from engine.documents.markup import read_html
from engine.errors import BadFile
from tests.documents.files import (
    docx,
    drawn,
    epub,
    locked_pdf,
    open_document,
    packed,
    paragraph,
    pdf,
    pptx,
    xlsx,
)

FRENCH_FAQ = Path(__file__).parents[3] / "shared" / "data" / "french_faq.json"


def reason(name: str, data: bytes) -> object:
    """Why the file is refused."""
    with pytest.raises(BadFile) as caught:
        read(name, data)
    assert caught.value.details["path"] == name
    return caught.value.details["reason"]


@pytest.mark.parametrize(
    ("data", "text", "warnings"),
    [
        ("l’été €\r\n日本".encode(), "l’été €\n日本", ()),
        ("\ufeffé".encode(), "é", ()),
        ("é\n日".encode("utf-16"), "é\n日", ()),
        ("bonjour été".encode("utf-16-le"), "bonjour été", ()),
        ("bonjour été".encode("utf-16-be"), "bonjour été", ()),
        ("é日".encode("utf-32"), "é日", ()),
        ("l’été €".encode("cp1252"), "l’été €", ("guessed_encoding",)),
        (b"caf\xe9 \x81", "café \ufffd", ("guessed_encoding", "replaced_characters")),
        ("e\u0301".encode(), "é", ()),
        (b"a\x00b\x1bc" + b" " * 200 + b".", "abc" + " " * 200 + ".", ()),
        (b"if a < b:\n\tprint(1)\n", "if a < b:\n\tprint(1)", ()),
    ],
)
def test_text_in_its_encoding(data: bytes, text: str, warnings: tuple[str, ...]) -> None:
    assert read("a.py", data) == Document("a.py", text, (text,), warnings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.json", "a.py", "a", "a.anything"])
def test_any_name_of_a_text_file_will_do(name: str) -> None:
    assert read(name, b"a,b\n1,2").text == "a,b\n1,2"


def test_code_that_holds_html_stays_code() -> None:
    assert read("page.php", b"<!doctype html><?php echo 1 ?>").text == "<!doctype html><?php echo 1 ?>"


@pytest.mark.skipif(not FRENCH_FAQ.exists(), reason="the shared data are not here")
def test_a_large_json_file() -> None:
    text = FRENCH_FAQ.read_text(encoding="utf-8")
    assert json.loads(read("french_faq.json", FRENCH_FAQ.read_bytes()).text) == json.loads(text)


def test_html_as_its_reader_sees_it() -> None:
    page = """<!doctype html><html><head><meta charset="utf-8"><title>Titre</title><style>p{}</style></head>
    <body><script>alert("no")</script><h2>Partie &eacute;t&eacute;</h2><p>Un <b>mot</b>
    et   deux.<br>Suite</p><ul><li>un<li>deux</ul><table><tr><th>a<th>b</tr><tr><td>1<td>2</tr></table>
    <pre>  x = 1
    y</pre></body></html>"""
    found = read("a.html", page.encode())
    assert found.text == (
        "Titre\n\n## Partie été\n\nUn mot et deux.\nSuite\n\n- un\n- deux\n\na\tb\n\n1\t2\n\n  x = 1\n    y"
    )


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "windows-1252"])
def test_html_says_its_encoding(encoding: str) -> None:
    data = f'<html><head><meta charset="{encoding}"></head><p>été</p>'.encode(encoding)
    assert read("a.htm", data).text == "été"


def test_docx_headings_lists_tables_notes() -> None:
    styles = (
        '<w:style w:styleId="Titre1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:styleId="Titre"><w:name w:val="Title"/></w:style>'
    )
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    table = "<w:tbl>" + "".join(f"<w:tr>{cell.format(f'{r}a')}{cell.format(f'{r}b')}</w:tr>" for r in "12") + "</w:tbl>"
    body = (
        paragraph("Rapport", '<w:pStyle w:val="Titre"/>')
        + paragraph("Partie", '<w:pStyle w:val="Titre1"/><w:numPr/>')
        + paragraph("point", "<w:numPr><w:ilvl/></w:numPr><w:tabs><w:tab/></w:tabs>")
        + "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>"
        "<w:del><w:r><w:delText>no</w:delText></w:r></w:del><w:moveFrom><w:r><w:t>no</w:t></w:r></w:moveFrom><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
        + table
    )
    note = "<w:footnote><w:p><w:r><w:t>une note</w:t></w:r></w:p></w:footnote>"
    found = read("a.docx", docx(body, styles=styles, footnotes=note))
    assert found.text == "# Rapport\n# Partie\n- point\na\tb\nc\n1a\t1b\n2a\t2b\nune note"
    assert (found.pages, found.unit, found.warnings) == ((found.text,), None, ())


def test_pptx_slides_in_the_order_of_the_show() -> None:
    found = read("a.pptx", pptx([drawn("Un", "suite"), drawn("Deux")], notes={1: drawn("dire ceci")}))
    assert found.pages == ("Un\nsuite", "Deux\ndire ceci") and found.unit == "slide"


def test_xlsx_cells_of_every_kind() -> None:
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="[$-40C]d mmm yyyy"/><numFmt numFmtId="165" '
        'formatCode="0.0&quot; days&quot;"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/>'
        '<xf numFmtId="22"/><xf numFmtId="21"/><xf numFmtId="165"/></cellXfs>'
    )
    rows = (
        '<row><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>en ligne</t></is></c></row>'
        '<row><c r="A2"><v>0.30000000000000004</v></c><c r="B2" s="1"><v>46347</v></c>'
        '<c r="C2" s="2"><v>46347.5</v></c><c r="D2" s="3"><v>0.25</v></c>'
        '<c r="E2" s="4"><v>3</v></c><c r="F2" t="b"><v>1</v></c></row>'
        '<row/><row><c r="A4" t="str"><f>A1</f><v>vu</v></c><c r="B4" t="e"><v>#DIV/0!</v></c><c><f>1+1</f></c></row>'
    )
    strings = ["<r><t>par</t></r><r><t>tagé\n</t></r><rPh><t>non</t></rPh>"]
    found = read("a.xlsx", xlsx({"Notes": rows, "Vide": ""}, strings, styles))
    assert found.pages == (
        "# Notes\npartagé\t\ten ligne\n0.3\t2026-11-21\t2026-11-21 12:00:00\t06:00:00\t3\tTRUE\nvu\t#DIV/0!\t=1+1",
    )
    assert (found.unit, found.warnings) == ("sheet", ("formulas_not_computed",))


def test_xlsx_dates_of_an_old_mac() -> None:
    styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
    book = xlsx({"a": '<row><c s="0"><v>1</v></c></row>'}, styles=styles, book='<workbookPr date1904="1"/>')
    assert read("a.xlsx", book).text == "# a\n1904-01-02"


def test_open_document_text() -> None:
    body = (
        '<office:text><text:h text:outline-level="2">Un titre</text:h><text:p>avant <text:span>dedans</text:span>'
        "<text:s text:c='3'/>x<text:tab/>y<text:line-break/>z<office:annotation><text:p>no</text:p></office:annotation>"
        "</text:p><text:list><text:list-item><text:p>élément</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>1</text:p></table:table-cell><table:table-cell>"
        "<text:p>2</text:p></table:table-cell></table:table-row></table:table></office:text>"
    )
    found = read("a.odt", open_document("text", body))
    assert found.text == "## Un titre\navant dedans   x\ty\nz\n- élément\n1\t2"


def test_open_document_sheets_and_slides() -> None:
    cell = '<table:table-cell table:number-columns-repeated="{}">{}</table:table-cell>'
    row = "<table:table-row>" + cell.format(2, "<text:p>z</text:p>") + cell.format(16384, "") + "</table:table-row>"
    body = "".join(f'<table:table table:name="F{n}">{row}</table:table>' for n in "12")
    found = read("a.ods", open_document("spreadsheet", body))
    assert (found.pages, found.unit) == (("# F1\nz\tz", "# F2\nz\tz"), "sheet")
    body = "".join(f'<draw:page draw:name="p{n}"><text:p>{n}</text:p></draw:page>' for n in "12")
    assert read("a.odp", open_document("presentation", body)).pages == ("# p1\n1", "# p2\n2")


def test_epub_chapters_in_the_order_of_the_book() -> None:
    chapters = [f"<html><body><h1>C{n}</h1><p>&eacute;t&eacute;&nbsp;{n}</p></body></html>" for n in range(3)]
    found = read("a.epub", epub(chapters))
    assert found.pages == tuple(f"# C{n}\n\nété\xa0{n}" for n in range(3)) and found.unit == "chapter"


def test_pdf_pages_keep_their_numbers() -> None:
    found = read("a.pdf", pdf("L'été", "", "où l'on va"))
    assert (found.pages, found.unit, found.warnings) == (("L'été", "", "où l'on va"), "page", ())
    assert found.text == "L'été\n\noù l'on va" and found.characters == len(found.text)


@pytest.mark.parametrize(
    ("pages", "warnings"),
    [(("[]",), ("scanned",)), (("texte", "[]"), ("pages_without_text",)), (("",), ("empty",))],
)
def test_a_pdf_of_pictures_is_told(pages: tuple[str, ...], warnings: tuple[str, ...]) -> None:
    assert read("a.pdf", pdf(*pages)).warnings == warnings


def test_contents_are_believed_before_the_name() -> None:
    for name, data in [("a.txt", docx(paragraph("x"))), ("a.xlsx", docx(paragraph("x"))), ("a.pdf", b"x")]:
        found = read(name, data)
        assert (found.text, found.warnings) == ("x", ("wrong_extension",))
    assert read("docx", docx(paragraph("x"))).warnings == ()


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\Users\\x\\passwd", "pass\x00wd\n", "passwd"])
def test_a_name_is_a_name_and_no_path(name: str) -> None:
    assert read(name, b"x").name == "passwd"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b" \n", "empty"),
        ("a.png", b"\x89PNG\r\n\x1a\n123", "image"),
        ("a.webp", b"RIFF\0\0\0\0WEBP", "image"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_office"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        ("a.bin", bytes(range(256)) * 40, "unknown_format"),
        ("a.zip", packed({"a.txt": "x"}), "unknown_format"),
        ("a.docx", docx(paragraph("x"))[:200], "broken"),
        ("a.docx", packed({"word/document.xml": ""}), "broken"),
        ("a.docx", packed({"word/document.xml": "<a><b></a>"}), "broken"),
        ("a.docx", packed({"word/other.xml": "<a/>"}), "broken"),
        ("a.xlsx", packed({"xl/other.xml": "<a/>"}), "broken"),
        ("a.pptx", packed({"ppt/other.xml": "<a/>"}), "broken"),
        ("a.epub", packed({"mimetype": "application/epub+zip"}), "broken"),
        ("a.odt", packed({"mimetype": "application/vnd.oasis.opendocument.text"}), "broken"),
        ("a.odt", packed({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a/>",
                          "META-INF/manifest.xml": "<m><encryption-data/></m>"}), "encrypted"),
        ("a.epub", epub(["x"], encryption="<e><r>text/c.xhtml</r></e>"), "encrypted"),
        ("a.pdf", b"%PDF-1.4\n" + bytes(range(256)) * 40, "broken"),
        ("a.pdf", locked_pdf(), "encrypted"),
        ("a.docx", packed({"word/document.xml": '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>'}),
         "xml_entities"),
        ("a.docx", packed({"word/document.xml": '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'}), "xml_entities"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(name: str, data: bytes, expected: str) -> None:
    assert reason(name, data) == expected


def test_a_zip_that_is_encrypted() -> None:
    data = bytearray(docx(paragraph("x")))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        data[data.index(mark) + (6 if mark[2] == 3 else 8)] |= 1
    assert reason("a.docx", bytes(data)) == "encrypted"


def test_a_file_of_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BYTES_MAX", 10)
    assert reason("a.txt", b"x" * 11) == "too_large"


def test_a_zip_bomb() -> None:
    head = "<w:document xmlns:w='http://w'><w:p><w:t>"
    assert reason("a.docx", packed({"word/document.xml": head + "a" * (archive.BYTES_MAX + 1)})) == "zip_bomb"
    assert reason("a.docx", packed({f"word/{n}": "" for n in range(archive.PARTS_MAX + 1)})) == "zip_bomb"


def test_a_part_may_be_no_larger_than_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "BYTES_MAX", 100)
    (tmp_path / "a").write_bytes(packed({"one": "x" * 60, "two": "y" * 60}))
    with Archive("a", str(tmp_path / "a")) as opened:
        assert opened.read("one") == b"x" * 60
        with pytest.raises(BadFile):
            opened.read("two")


def test_a_child_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WALL_S", 0.01)
    before = {process.pid for process in psutil.Process().children()}
    assert reason("a.docx", docx(paragraph("x"))) == "too_much"
    assert {process.pid for process in psutil.Process().children()} <= before


def test_no_copy_of_the_file_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read("a.docx", docx(paragraph("x")))
    reason("a.docx", packed({"word/document.xml": ""}))
    assert os.listdir(tmp_path) == []


def test_more_text_than_we_keep_is_cut_and_told() -> None:
    found = read("a.docx", docx(paragraph("é" * 1_000_000) * 6))
    assert (found.characters, found.warnings) == (CHARACTERS_MAX, ("cut",))
    rows = '<row><c r="ZZ1"><v>1</v></c></row>' * 30_000
    assert read("a.xlsx", xlsx({"a": rows})).warnings == ("cut",)


def test_too_many_pages_are_cut_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "PAGES_MAX", 2)
    found = document.document("a", document.Found(("1", "2", "3")))
    assert (found.pages, found.warnings) == (("1", "2"), ("cut",))


@pytest.mark.parametrize(
    "text",
    ["<" * 2000, "<!--<!-" * 500, "<a a='" * 500, "&" * 2000, "<script></" * 500, "<![" * 500, "<!" * 500, "<?" * 500,
     "</body></body><body><pre></pre></pre><svg></body>x"],
)  # fmt: skip
def test_bad_html_breaks_nothing(text: str) -> None:
    read_html("a.html", text.encode())


def test_every_warning_can_come() -> None:
    assert set(WARNINGS) == {"scanned", "pages_without_text", "cut", "guessed_encoding", "replaced_characters",
                             "wrong_extension", "formulas_not_computed", "empty"}  # fmt: skip
    assert {"pdf", "docx", "csv", "md"} <= set(READABLE)
