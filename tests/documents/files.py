"""Files made for tests, with as little in them as their formats allow."""

from __future__ import annotations

import io
import zipfile

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
DRAWING = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
OPEN = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"'
)


def packed(parts: dict[str, str | bytes]) -> bytes:
    """A zip file of these parts."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return data.getvalue()


def docx(body: str, **others: str) -> bytes:
    """A Word file; others are further parts of `word/`, such as `styles`."""
    parts = {"word/document.xml": f"<w:document {WORD}><w:body>{body}</w:body></w:document>"}
    return packed(parts | {f"word/{name}.xml": f"<w:{name} {WORD}>{part}</w:{name}>" for name, part in others.items()})


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def relations(targets: dict[str, str]) -> str:
    rows = "".join(f'<Relationship Id="{key}" Type="x" Target="{target}"/>' for key, target in targets.items())
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def pptx(slides: list[str], notes: dict[int, str] | None = None) -> bytes:
    """A show whose slides stand in the file in the opposite order."""
    count = len(slides)
    targets = {f"rId{number}": f"slides/slide{count - number}.xml" for number in range(count)}
    ids = "".join(f'<p:sldId id="{256 + number}" r:id="rId{number}"/>' for number in range(count))
    parts: dict[str, str | bytes] = {
        "ppt/presentation.xml": f"<p:presentation {DRAWING}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(targets),
    }
    for number, slide in enumerate(slides):
        parts[f"ppt/slides/slide{count - number}.xml"] = f"<p:sld {DRAWING}>{slide}</p:sld>"
    for number, note in (notes or {}).items():
        parts[f"ppt/slides/_rels/slide{count - number}.xml.rels"] = relations(
            {"rId1": "../notesSlides/notesSlide1.xml"}
        )
        parts["ppt/notesSlides/notesSlide1.xml"] = f"<p:notes {DRAWING}>{note}</p:notes>"
    return packed(parts)


def drawn(*lines: str) -> str:
    return "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)


def xlsx(sheets: dict[str, str], strings: list[str] | None = None, styles: str = "", book: str = "") -> bytes:
    """A workbook; a sheet is given as the XML of its rows."""
    rows = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    shared = "".join(f"<si>{string}</si>" for string in strings or [])
    parts: dict[str, str | bytes] = {
        "xl/workbook.xml": f"<workbook {DRAWING}>{book}<sheets>{rows}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            {f"rId{n}": f"/xl/worksheets/s{n}.xml" for n in range(1, len(sheets) + 1)}
        ),
        "xl/sharedStrings.xml": f"<sst>{shared}</sst>",
        "xl/styles.xml": f"<styleSheet>{styles}</styleSheet>",
    }
    for n, sheet in enumerate(sheets.values(), 1):
        parts[f"xl/worksheets/s{n}.xml"] = f"<worksheet><sheetData>{sheet}</sheetData></worksheet>"
    return packed(parts)


def open_document(kind: str, body: str) -> bytes:
    """An OpenDocument file: text, spreadsheet or presentation."""
    content = f"<office:document-content {OPEN}><office:body>{body}</office:body></office:document-content>"
    return packed({"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": content})


def epub(chapters: list[str], **others: str) -> bytes:
    """A book of XHTML chapters."""
    items = "".join(f'<item id="c{n}" href="text/c%20{n}.xhtml"/>' for n in reversed(range(len(chapters))))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfile full-path="OEBPS/book.opf"/></container>',
        "OEBPS/book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    parts |= {f"OEBPS/text/c {n}.xhtml": chapter for n, chapter in enumerate(chapters)}
    return packed(parts | {f"META-INF/{name}.xml": part for name, part in others.items()})


def pdf(*pages: str, trailer: str = "", more: tuple[str, ...] = ()) -> bytes:
    """A PDF with one line of Latin text on each page; a page given as "[]" holds a drawing, as "" nothing."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, page in enumerate(pages):
        drawing = {"": "", "[]": "1 1 50 50 re f"}.get(page, f"BT /F1 12 Tf 50 700 Td ({page}) Tj ET")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {5 + 2 * number} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        objects.append(f"<</Length {len(drawing)}>>stream\n{drawing}\nendstream")
    return _assembled([*objects, *more], trailer)


def _assembled(objects: list[str], trailer: str) -> bytes:
    data = b"%PDF-1.4\n"
    places: list[int] = []
    for number, text in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{text}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    end = f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer<</Size {count}/Root 1 0 R{trailer}>>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def locked_pdf() -> bytes:
    """A PDF that asks for a password: its keys fit none."""
    key = "00" * 32
    lock = f"<</Filter/Standard/V 1/R 2/O<{key}>/U<{key}>/P -44>>"
    return pdf("secret", trailer="/Encrypt 6 0 R/ID[<00><00>]", more=(lock,))
