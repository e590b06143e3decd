"""A page of a PDF as a picture with a passage of its text marked, by PDFium. Knows no collection and no interface.

`picture` asks a child process with limits (engine.documents.child), which calls `draw`: only there is PDFium loaded.
The text of a page was cleaned when it was read, so its letters are matched with those of the page, not its places.
"""

from __future__ import annotations

import base64
import math
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.documents.formats import bad, format_of

if TYPE_CHECKING:
    import pypdfium2 as pdfium  # type: ignore[import-untyped]

WIDTH = 1000  # pixels; a page of another shape gets at most
HEIGHT_MAX = 2000
SCALE_MAX = 4.0  # pixels per point: a stamp is no poster
CHARACTERS_MAX = 200_000  # of one page, that are looked through
RECTANGLES_MAX = 2000
PADDING = 1.5  # points around the letters
FILL = (255, 226, 92, 255)  # multiplied with the page, so that black stays black
EDGE = (230, 159, 0, 255)  # not by colour alone: a line around each piece


@dataclass(frozen=True)
class Picture:
    """A page: the bytes of a PNG file, its size in pixels, and how many rectangles mark the passage; 0 where its text
    is not found on the page.
    """

    png: bytes
    width: int
    height: int
    marks: int


def picture(name: str, data: bytes, page: int, before: str = "", passage: str = "") -> Picture | None:
    """That page, from 1, with the passage marked; `before` is the page's text before it. None for what is no PDF.

    Raises BadFile: no such page, encrypted, broken, too_much (time or memory).
    """
    from engine.documents.reading import apart

    if format_of(name, data) != "pdf":
        return None
    told = apart(name, data, {"format": "pdf", "page": page, "before": before, "passage": passage})
    return Picture(base64.b64decode(told["png"]), told["width"], told["height"], told["marks"])


def draw(name: str, path: str, page: int, before: str, passage: str) -> dict[str, Any]:
    """The picture ready for JSON; for the child process. Raises BadFile."""
    import pypdfium2 as pdfium

    try:
        with pdfium.PdfDocument(path) as opened:
            if not 1 <= page <= len(opened):
                raise bad(name, "broken")
            with closing(opened[page - 1]) as sheet:
                return _drawn(name, sheet, before, passage)
    except pdfium.PdfiumError as error:
        raise bad(name, "encrypted" if "password" in str(error).lower() else "broken") from error


def _drawn(name: str, sheet: pdfium.PdfPage, before: str, passage: str) -> dict[str, Any]:
    scale = _scale(name, *sheet.get_size())
    marks = _rectangles(sheet, before, passage)
    for rectangle in marks:
        _mark(sheet, rectangle)
    bitmap = sheet.render(scale=scale, rev_byteorder=True, prefer_bgrx=False)
    png = _png(bytes(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride)
    told = {"width": bitmap.width, "height": bitmap.height, "marks": len(marks)}
    return told | {"png": base64.b64encode(png).decode("ascii")}


def _scale(name: str, width: float, height: float) -> float:
    """Pixels per point; no page, however large it says it is, becomes a large picture."""
    if not (math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0):
        raise bad(name, "broken")
    return min(WIDTH / width, HEIGHT_MAX / height, SCALE_MAX)


Rectangle = tuple[float, float, float, float]  # left, bottom, right, top, in points of the page


def _rectangles(sheet: pdfium.PdfPage, before: str, passage: str) -> list[Rectangle]:
    """One for each line of the passage, or for each piece of it that PDFium sees."""
    from pypdfium2 import raw

    with closing(sheet.get_textpage()) as layer:
        count = min(layer.count_chars(), CHARACTERS_MAX)
        page = "".join(chr(raw.FPDFText_GetUnicode(layer, at)) for at in range(count))
        found = located(page, before, passage)
        if found is None:
            return []
        first, last = found
        number = min(layer.count_rects(first, last - first + 1), RECTANGLES_MAX)
        return joined([layer.get_rect(at) for at in range(number)])


def joined(pieces: Iterable[Rectangle]) -> list[Rectangle]:
    """The pieces in their order, those that follow each other on a line as one: PDFium has one for each font."""
    found: list[Rectangle] = []
    for piece in pieces:
        if found and _follows(found[-1], piece):
            left, bottom, right, top = zip(found.pop(), piece, strict=True)
            piece = min(left), min(bottom), max(right), max(top)
        found.append(piece)
    return found


def _follows(one: Rectangle, other: Rectangle) -> bool:
    height = max(one[3] - one[1], other[3] - other[1])
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared > 0.5 * min(one[3] - one[1], other[3] - other[1]) and -height < other[0] - one[2] < 2 * height


def located(page: str, before: str, passage: str) -> tuple[int, int] | None:
    """The first and the last character of the passage on the page, by its letters; of several the one nearest to where
    it should be. None where it is not there.
    """
    known, wanted = list(_letters(page)), "".join(letter for _, letter in _letters(passage))
    text, place = "".join(letter for _, letter in known), sum(1 for _ in _letters(before))
    after, ahead = text.find(wanted, place), text.rfind(wanted, 0, place + len(wanted))
    places = [at for at in (after, ahead) if at >= 0]
    if not wanted or not places:
        return None
    start = min(places, key=lambda at: abs(at - place))
    return known[start][0], known[start + len(wanted) - 1][0]


def _letters(text: str) -> Iterator[tuple[int, str]]:
    """What is left of a text whoever cleaned it: no blanks, controls, accents as signs of their own; with its place.

    Beyond U+FFFF PDFium's two ways to ask for a text differ.
    """
    for place, character in enumerate(text):
        for letter in unicodedata.normalize("NFD", character):
            if ord(letter) <= 0xFFFF and unicodedata.category(letter)[0] not in "CZM":
                yield place, letter


def _mark(sheet: pdfium.PdfPage, rectangle: Rectangle) -> None:
    """Lay a rectangle over the page, in the page's own coordinates: turned and cropped pages need nothing more."""
    from pypdfium2 import raw

    left, bottom, right, top = rectangle
    made = raw.FPDFPageObj_CreateNewRect(
        left - PADDING, bottom - PADDING, right - left + 2 * PADDING, top - bottom + 2 * PADDING
    )
    raw.FPDFPageObj_SetFillColor(made, *FILL)
    raw.FPDFPageObj_SetStrokeColor(made, *EDGE)
    raw.FPDFPageObj_SetStrokeWidth(made, 0.6)
    raw.FPDFPath_SetDrawMode(made, raw.FPDF_FILLMODE_WINDING, True)
    raw.FPDFPageObj_SetBlendMode(made, b"Multiply")
    raw.FPDFPage_InsertObject(sheet, made)


def _png(pixels: bytes, width: int, height: int, stride: int) -> bytes:
    """A PNG file of RGB pixels (RFC 2083), each line unfiltered."""
    lines = b"".join(b"\0" + pixels[at * stride : at * stride + 3 * width] for at in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
