"""The text of a PDF, page by page, by PDFium. Recognizes no pictures of text."""

from __future__ import annotations

import pypdfium2 as pdfium  # type: ignore[import-untyped]
from pypdfium2 import raw

from engine.documents.document import CHARACTERS_MAX, PAGES_MAX, Found, Warning_
from engine.documents.formats import bad


def read_pdf(name: str, path: str) -> Found:
    """Every page, in order, empty ones too: the numbers stay right. Raises BadFile: encrypted, broken."""
    try:
        with pdfium.PdfDocument(path) as opened:
            return _pages(opened)
    except pdfium.PdfiumError as error:
        raise bad(name, "encrypted" if "password" in str(error).lower() else "broken") from error


def _pages(opened: pdfium.PdfDocument) -> Found:
    pages: list[str] = []
    pictures = size = 0
    for number in range(min(len(opened), PAGES_MAX + 1)):
        page = opened[number]
        text = _text(page)
        pictures += not text.strip() and raw.FPDFPage_CountObjects(page) > 0
        page.close()
        pages.append(text)
        size += len(text)
        if size > CHARACTERS_MAX:
            break
    return Found(tuple(pages), _warnings(pages, pictures), "page")


def _warnings(pages: list[str], pictures: int) -> tuple[Warning_, ...]:
    if not pictures:
        return ()
    return ("pages_without_text",) if any(page.strip() for page in pages) else ("scanned",)


def _text(page: pdfium.PdfPage) -> str:
    layer = page.get_textpage()
    text: str = layer.get_text_range()
    layer.close()
    # PDFium marks a word that is broken at the end of a line
    return text.replace("\ufffe\r\n", "").replace("\ufffe", "").replace("\x02\r\n", "").replace("\x02", "")
