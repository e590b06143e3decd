"""A document with its chunks in colour, for both interfaces: its JSON, JavaScript and style. Knows neither framework.

What stands in a document goes in as data and comes out as text nodes; nothing here is ever read as HTML.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from apps.ui import strips
from apps.ui.i18n import Words
from engine.rag.splitting import Span, spans
from engine.rag.values import Chunk

_FOLDER = Path(__file__).parent / "components"
SHOWN = 20_000  # characters in sight: some ten pages, which a browser draws in an instant
CHUNK_COLUMNS = ("number", "tokens", "start", "end", "shared", "page", "heading", "text")


@functools.cache
def script() -> str:
    """JavaScript with the function `chunkView(root, data)`."""
    return strips.script() + (_FOLDER / "chunks.js").read_text(encoding="utf-8")


@functools.cache
def style() -> str:
    """CSS for an element of class `strips` and the chunks in it."""
    return strips.style() + (_FOLDER / "chunks.css").read_text(encoding="utf-8")


def screens(text: str) -> int:
    """How many parts of the text there are to look at, one at a time."""
    return max(1, -(-len(text) // SHOWN))


def chunk_data(text: str, chunks: Sequence[Chunk], words: Words, screen: int = 0) -> dict[str, Any]:
    """The JSON of one screen of a document: its stretches with the chunks that they are in, and all of it in a line."""
    low, high = screen * SHOWN, min(len(text), (screen + 1) * SHOWN)
    known = {chunk.number: chunk for chunk in chunks}
    shown = [span for span in spans(text, chunks) if span["start"] < high and span["end"] > low]
    return {
        "name": summary(chunks, words),
        "words": {name: words.t(f"chunk_view.{name}") for name in ("hint", "chunk", "next", "overlap", "outside")},
        "pieces": [_piece(text, span, known, (low, high), words) for span in shown],
    }


def _piece(
    text: str, span: Span, known: Mapping[int, Chunk], sight: tuple[int, int], words: Words
) -> dict[str, Any]:  # fmt: skip
    """A stretch; `begins` are the chunks whose first letter it holds, as people count them."""
    start, end = max(span["start"], sight[0]), min(span["end"], sight[1])
    inside = [known[number] for number in span["chunks"]]
    return {
        "text": text[start:end],
        "chunks": span["chunks"],
        "begins": [chunk.number + 1 for chunk in inside if chunk.start == start],
        "label": _label(inside, words),
    }


def _label(chunks: Sequence[Chunk], words: Words) -> str:
    if not chunks:
        return words.t("chunk_view.outside")
    if len(chunks) > 1:
        numbers = ", ".join(str(chunk.number + 1) for chunk in chunks)
        return words.t("chunk_view.shared", numbers=numbers)
    chunk = chunks[0]
    told = [words.t("chunk_view.one", number=str(chunk.number + 1)), words.n("chunk_view.tokens", chunk.tokens)]
    told.append(words.n("chunk_view.characters", chunk.end - chunk.start))
    if chunk.page is not None:
        told.append(words.t("chunk_view.page", page=str(chunk.page)))
    if chunk.heading:
        told.append(chunk.heading)
    return " · ".join(told)


def summary(chunks: Sequence[Chunk], words: Words) -> str:
    """What a splitting made of a text, in a line: chunks, their sizes, what they share."""
    told = [words.n("documents.chunks", len(chunks))]
    if chunks:
        sizes = [chunk.tokens for chunk in chunks]
        told.append(words.t("chunk_view.sizes", low=min(sizes), mean=sum(sizes) / len(sizes), high=max(sizes)))
        again = sum(shared(chunks))
        whole = sum(chunk.end - chunk.start for chunk in chunks)
        told.append(words.t("chunk_view.again", share=100 * again / whole if whole else 0))
    return " · ".join(told)


def shared(chunks: Sequence[Chunk]) -> list[int]:
    """Characters that each chunk has in common with the one before."""
    return [0, *(max(0, before.end - chunk.start) for before, chunk in pairwise(chunks))][: len(chunks)]


def chunk_rows(chunks: Sequence[Chunk]) -> list[tuple[Any, ...]]:
    """The same as a table, in the order of CHUNK_COLUMNS: the text alternative, and what is downloaded."""
    return [
        (chunk.number + 1, chunk.tokens, chunk.start, chunk.end, again, chunk.page, chunk.heading, chunk.text)
        for chunk, again in zip(chunks, shared(chunks), strict=True)
    ]
