"""Documents cut into chunks by LlamaIndex's node parsers, with exact places. Knows no embedder but its count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

from engine.documents import Document
from engine.rag.values import Chunk, Splitting

Count = Callable[[str], int]


class Span(TypedDict):
    """A stretch of the text and the numbers of the chunks that hold it: two where they overlap, none for blanks."""

    start: int
    end: int
    chunks: list[int]


def check(splitting: Splitting, tokens_max: int) -> None:
    """Return where an embedder of `tokens_max` can use it. Raises BadParameter naming the field."""
    raise NotImplementedError


def split(document: Document, file_id: str, splitting: Splitting, count: Count) -> tuple[Chunk, ...]:
    """The chunks of a document in order: `document.text[chunk.start:chunk.end] == chunk.text`, all but blanks is in
    one, none has more than `size` tokens by `count`, and each begins with at most `overlap` tokens of the one before.

    No chunk has new text of two pages: `page` is the one where its new text lies. `heading` is the path of headings
    above it, in formats that have headings. Needs 3 s once for LlamaIndex: for jobs and for a warm-up.
    """
    raise NotImplementedError


def spans(text: str, chunks: Sequence[Chunk]) -> list[Span]:
    """The text as consecutive stretches, each in the same chunks, for a view that colours boundaries and overlaps."""
    raise NotImplementedError
