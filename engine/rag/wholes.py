"""Whole files as numbered passages: a page, slide or chapter each, else the file; or parts of them. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engine.errors import NotFound
from engine.rag.grounding import Source, source_of
from engine.rag.values import Chunk, Passage

if TYPE_CHECKING:
    from engine.documents import Document
    from engine.engine import Engine
    from engine.rag.rows import CollectionFile

KEPT = 2000  # characters of a part's own text that stay beside its summary


def chosen_files(
    engine: Engine, owner: str, collections: Sequence[str], files: Sequence[str]
) -> list[tuple[str, CollectionFile]]:
    """The files that were read, with their collection; of `files` only where it names some. Raises NotFound."""
    found = [
        (collection, file)
        for collection in collections
        for file in engine.collections.files(owner, collection)
        if file.state == "done" and (not files or file.id in files)
    ]
    if files and not found:
        raise NotFound("none of these files is there", what="file", key=", ".join(files))
    return found


def whole(engine: Engine, owner: str, chosen: Sequence[tuple[str, CollectionFile]]) -> tuple[Source, ...]:
    """All their text as sources, numbered from 1; nothing for a page without text."""
    pages = [
        Passage(chunk, collection=collection)
        for collection, file in chosen
        for chunk in _pages(file.id, engine.collections.document(owner, collection, file.id))
    ]
    return tuple(source_of(passage, number) for number, passage in enumerate(pages, 1))


def part_of(source: Source, start: int, text: str) -> Chunk:
    """A part of a source's text, which begins at that character of it."""
    chunk = source.chunk
    begin = chunk.start + start
    return Chunk(f"{chunk.id}:{begin}", chunk.file, chunk.name, chunk.number, text[:KEPT], begin, begin + len(text), 0,
                 chunk.page, chunk.heading)  # fmt: skip


def _pages(file: str, document: Document) -> Iterator[Chunk]:
    place = 0
    for number, page in enumerate(document.pages, 1):
        if not page.strip():
            continue
        start = document.text.index(page, place)
        place = start + len(page)
        numbered = number if document.unit in ("page", "slide") else None
        yield Chunk(f"{file}:{number}", file, document.name, number - 1, page, start, place, 0, numbered)
