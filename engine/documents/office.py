"""Running text of Word, PowerPoint and OpenDocument files: paragraphs, headings, lists, tables. Knows no Excel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.documents.archive import Archive, Enough, rows
from engine.documents.document import CHARACTERS_MAX, Found
from engine.documents.formats import bad

REPEAT_MAX = 256  # how often OpenDocument's "this cell again" is believed


@dataclass(frozen=True)
class Dialect:
    """Names of elements: `text` holds characters (None: every paragraph does), `skipped` is left out with all in it,
    each of `breaks` begins a page.
    """

    text: str | None
    skipped: frozenset[str]
    breaks: str | None = None


OPEN_XML = Dialect("t", frozenset({"tabs", "moveFrom", "Fallback", "instrText", "pPrChange", "fld"}))
OPEN_DOCUMENT = Dialect(None, frozenset({"tracked-changes", "annotation", "note-citation", "forms", "master-styles"}))

_PARAGRAPHS = ("p", "h")
_ROWS = ("tr", "table-row")
_CELLS = ("tc", "table-cell", "covered-table-cell")
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "line-break": "\n", "noBreakHyphen": "-"}


@dataclass
class _Paragraph:
    mark: str = ""
    parts: list[str] = field(default_factory=list)


class Flow:
    """The lines of a part as its elements come; a table's row is one line, its cells apart by tabs."""

    def __init__(self, dialect: Dialect, headings: Mapping[str, int] | None = None) -> None:
        self._dialect = dialect
        self._headings = headings or {}
        self._pages: list[list[str]] = [[]]
        self._paragraphs: list[_Paragraph] = []
        self._rows: list[list[str]] = []
        self._cells: list[tuple[list[str], int]] = []
        self._skipping = 0
        self._texts = 0
        self._item = False
        self._size = 0

    def pages(self) -> tuple[str, ...]:
        """The text of each page."""
        texts = ("\n".join(lines) for lines in self._pages)
        return tuple(texts) if len(self._pages) == 1 else tuple(texts)[1:]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """See Handler."""
        if self._skipping or name in self._dialect.skipped:
            self._skipping += 1
        elif name in _PARAGRAPHS:
            self._paragraphs.append(_Paragraph(self._mark(name, attributes)))
        elif name in _ROWS:
            self._rows.append([])
        elif name in _CELLS:
            self._cells.append(([], min(REPEAT_MAX, _count(attributes.get("number-columns-repeated")))))
        elif name == self._dialect.text:
            self._texts += 1
        elif name == self._dialect.breaks:
            self._pages.append([f"# {attributes['name']}"] if attributes.get("name") else [])
        else:
            self._inside(name, attributes)

    def end(self, name: str) -> None:
        """See Handler."""
        if self._skipping:
            self._skipping -= 1
        elif name in _PARAGRAPHS and self._paragraphs:
            paragraph = self._paragraphs.pop()
            text = "".join(paragraph.parts)
            self._emit(f"{paragraph.mark}{text}" if text.strip() else "")
        elif name in _CELLS and self._cells:
            lines, repeated = self._cells.pop()
            if self._rows:
                self._rows[-1] += [" ".join(line.replace("\n", " ") for line in lines if line)] * repeated
        elif name in _ROWS and self._rows:
            self._emit("\t".join(self._rows.pop()).rstrip("\t"))
        elif name == self._dialect.text:
            self._texts -= 1

    def characters(self, text: str) -> None:
        """See Handler."""
        if self._paragraphs and not self._skipping and (self._texts or self._dialect.text is None):
            self._paragraphs[-1].parts.append(text)

    def _inside(self, name: str, attributes: dict[str, str]) -> None:
        if name == "list-item":
            self._item = True
        elif not self._paragraphs:
            return
        elif name in _SIGNS:
            self._paragraphs[-1].parts.append(_SIGNS[name])
        elif name == "s":
            self._paragraphs[-1].parts.append(" " * min(REPEAT_MAX, _count(attributes.get("c"))))
        elif name == "pStyle" and (level := self._headings.get(attributes.get("val", ""))):
            self._paragraphs[-1].mark = "#" * level + " "
        elif name == "numPr" and not self._paragraphs[-1].mark:
            self._paragraphs[-1].mark = "- "

    def _mark(self, name: str, attributes: dict[str, str]) -> str:
        item, self._item = self._item, False
        if name == "h":
            return "#" * min(6, _count(attributes.get("outline-level"))) + " "
        return "- " if item else ""

    def _emit(self, line: str) -> None:
        if self._cells:
            self._cells[-1][0].append(line)
            return
        self._pages[-1].append(line)
        self._size += len(line) + 1
        if self._size > CHARACTERS_MAX:
            raise Enough


def read_docx(archive: Archive) -> Found:
    """Body, then foot- and endnotes, as one page: Word keeps no page numbers."""
    main = _main(archive, "word/document.xml")
    flow = Flow(OPEN_XML, _heading_styles(archive))
    archive.parse(main, flow)
    folder = main.rpartition("/")[0]
    for part in (f"{folder}/footnotes.xml", f"{folder}/endnotes.xml"):
        if part in archive:
            archive.parse(part, flow)
    return Found(flow.pages())


def read_pptx(archive: Archive) -> Found:
    """A page for each slide in the order of the show, its speaker's notes after it."""
    main = _main(archive, "ppt/presentation.xml")
    relations = archive.relations(main)
    slides = [relations.get(row.get("id", ""), "") for row in _slide_rows(archive, main)]
    return Found(tuple(_slide(archive, part) for part in slides if part in archive), unit="slide")


def read_open_document(archive: Archive, kind: str) -> Found:
    """Text as one page; a page for each sheet or slide."""
    _check_readable(archive)
    breaks = {"ods": "table", "odp": "page"}.get(kind)
    flow = Flow(Dialect(None, OPEN_DOCUMENT.skipped, breaks))
    archive.parse("content.xml", flow)
    return Found(flow.pages(), unit={"ods": "sheet", "odp": "slide"}.get(kind))  # type: ignore[arg-type]


def _slide(archive: Archive, part: str) -> str:
    notes = [path for path in archive.relations(part).values() if "/notesSlides/" in path and path in archive]
    flow = Flow(OPEN_XML)
    for path in (part, *notes[:1]):
        archive.parse(path, flow)
    return "\n".join(line for line in flow.pages()[0].split("\n") if line.strip())


def _slide_rows(archive: Archive, main: str) -> list[dict[str, str]]:
    """`<p:sldId id="256" r:id="rId2"/>`: the second `id` is the reference, and comes last in every writer."""
    return rows(archive, main, "sldId")


def _main(archive: Archive, usual: str) -> str:
    if usual in archive:
        return usual
    for row in rows(archive, "_rels/.rels", "Relationship"):
        if row.get("Type", "").endswith("/officeDocument"):
            return row.get("Target", "").lstrip("/")
    raise bad(archive.name, "broken")


def _heading_styles(archive: Archive) -> dict[str, int]:
    """Style id → level. Ids are in the language of the writer (Titre1), names are not (heading 1)."""
    found: dict[str, int] = {}
    style = ""
    if "word/styles.xml" in archive:
        for row in rows(archive, "word/styles.xml", "style", "name"):
            word, _, level = row.get("val", "").lower().rpartition(" ")
            if row[""] == "style":
                style = row.get("styleId", "")
            elif word == "heading" and level.isdigit():
                found[style] = min(6, int(level))
            elif row.get("val", "").lower() == "title":
                found[style] = 1
    return found


def _check_readable(archive: Archive) -> None:
    if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise bad(archive.name, "encrypted")


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 1
