"""A passage's page as a picture, for a collection's files. Knows no interface and draws nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.documents.picture import Picture, picture
from engine.rag.splitting import Page, pages

if TYPE_CHECKING:
    from engine.rag.collections import Collections


def page_picture(
    collections: Collections, owner: str, collection_id: str, file_id: str, *, start: int, end: int,
    page: int | None,
) -> Picture | None:  # fmt: skip
    """The page of a PDF that the chunk from `start` to `end` stands on, with its text there marked; a chunk of a file
    without pages has none, and neither has another format. About half a second: it is drawn in a process of its own.

    Raises NotFound, BadFile: the file can no longer be had, or this page of it not be drawn.
    """
    if page is None:
        return None
    document = collections.document(owner, collection_id, file_id)
    place = next((one for one in pages(document) if one.number == page), None)
    if place is None or document.unit != "page":
        return None
    before, passage = _on_page(document.text, place, start, end)
    return picture(document.name, collections.original(owner, collection_id, file_id), page, before, passage)


def _on_page(text: str, place: Page, start: int, end: int) -> tuple[str, str]:
    """The page's text before the chunk, and the chunk's on this page: its overlap may lie on the page before."""
    first, last = max(start, place.start), min(end, place.end)
    return text[place.start : first], text[first : max(first, last)]
