"""Documents cut into chunks by LlamaIndex's node parsers, with exact places. Knows no embedder but its count.

LlamaIndex cuts without overlap, so that each piece has one possible place; the overlap is put before it here, at words
(code: at lines). LlamaIndex's own places are searched for, and wrong where a text repeats itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypedDict

from engine.documents import Document
from engine.errors import BadParameter
from engine.rag.headings import Headings, headed
from engine.rag.sentences import sentences
from engine.rag.values import SPLITTING_KINDS, Chunk, Splitting

Count = Callable[[str], int]
Parse = Callable[[str], list[str]]

SIZE_MIN = 16
RESERVED = 8  # tokens of a model's window for its prefix and marks
SHORT = 64  # characters of a word whose count is remembered

# Of LangChain's Language, by the extension of a file's name; other files are cut at blank lines, lines, words
LANGUAGES = {
    "c": "c", "h": "c", "cpp": "cpp", "hpp": "cpp", "cc": "cpp", "cs": "csharp", "go": "go", "java": "java",
    "js": "js", "jsx": "js", "ts": "ts", "tsx": "ts", "kt": "kotlin", "php": "php", "py": "python", "rb": "ruby",
    "rs": "rust", "scala": "scala", "swift": "swift", "tex": "latex", "html": "html", "md": "markdown", "lua": "lua",
    "r": "r", "rst": "rst", "pl": "perl", "ps1": "powershell", "ex": "elixir", "hs": "haskell", "sol": "sol",
    "proto": "proto",
}  # fmt: skip


class Span(TypedDict):
    """A stretch of the text and the numbers of the chunks that hold it: two where they overlap, none for blanks."""

    start: int
    end: int
    chunks: list[int]


@dataclass(frozen=True)
class Page:
    """Where a page lies in the document's text; `number` counts from 1, None in a format without pages."""

    number: int | None
    start: int
    end: int


class WordCount:
    """Tokens of a text as the sum over its words, each asked for once.

    Exact for the tokenizers that never join words (SentencePiece of e5 and USE, WordPiece of BERT), close for others.
    Keep one for several splittings of the same text.
    """

    def __init__(self, count: Count) -> None:
        self._words = _Memory(count)
        self._word = self._words.__getitem__

    def __call__(self, text: str) -> int:
        """Tokens of the text."""
        return sum(map(self._word, text.split()))


class _Memory(dict[str, int]):
    """Counts of words by word: a look-up of a known one runs no Python."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self._count = count

    def __missing__(self, word: str) -> int:
        known = self._count(word)
        if len(word) <= SHORT:
            self[word] = known
        return known


class _Lengths(dict[str, range]):
    """What LlamaIndex takes for the tokens of a piece, of which it uses the length only, by piece."""

    def __init__(self, count: WordCount) -> None:
        super().__init__()
        self._count = count

    def __missing__(self, piece: str) -> range:
        length = range(self._count(piece))
        if len(piece) <= SHORT:
            self[piece] = length
        return length


def check(splitting: Splitting, tokens_max: int) -> None:
    """Return where an embedder of `tokens_max` can use it. Raises BadParameter naming the field."""
    if splitting.kind not in SPLITTING_KINDS:
        raise BadParameter(f"kind={splitting.kind!r}", name="kind", value=str(splitting.kind), low=None, high=None)
    bounds = {"size": (SIZE_MIN, max(SIZE_MIN, tokens_max - RESERVED)), "overlap": (0, splitting.size // 2)}
    for name, (low, high) in bounds.items():
        value = getattr(splitting, name)
        if not isinstance(value, int) or not low <= value <= high:
            raise BadParameter(f"{name}={value!r}", name=name, value=str(value), low=low, high=high)


def pages(document: Document) -> tuple[Page, ...]:
    """The pages that have text, in order."""
    found, at = [], 0
    for number, page in enumerate(document.pages, 1):
        if page:
            found.append(Page(number if document.unit else None, at, at + len(page)))
            at += len(page) + 2  # an empty line lies between two pages
    return tuple(found)


def split(document: Document, file_id: str, splitting: Splitting, count: Count) -> tuple[Chunk, ...]:
    """The chunks of a document in order: `document.text[chunk.start:chunk.end] == chunk.text`, all but blanks is in
    one, none has more than `size` tokens by `count`, and each begins with at most `overlap` tokens of the one before.

    No chunk has new text of two pages: `page` is the one where its new text lies. `heading` is the path of headings
    above it, in formats that have headings. Needs 3 s once for LlamaIndex: for jobs and for a warm-up.
    """
    check(splitting, splitting.size + RESERVED)
    counted = count if isinstance(count, WordCount) else WordCount(count)
    text, headings = document.text, Headings(document.text if headed(document.name) else "")
    cutter = _Cutter(splitting, counted, document.name)
    chunks: list[Chunk] = []
    before = 0  # where the last chunk's new text begins: an overlap reaches no further back
    for page in pages(document):
        low = before if document.unit == "page" else page.start  # a sentence goes on over a page's end, not a slide's
        for new, end, first in cutter.pieces(text, page):
            low = new if first else low
            start = cutter.with_overlap(text, low, new, end)
            body = text[start:end]
            chunks.append(
                Chunk(
                    id=_id(file_id, splitting, start, body),
                    file=file_id,
                    name=document.name,
                    number=len(chunks),
                    text=body,
                    start=start,
                    end=end,
                    tokens=counted(body),
                    page=page.number,
                    heading=headings.at(new),
                )
            )
            low = before = new
    return tuple(chunks)


def spans(text: str, chunks: Sequence[Chunk]) -> list[Span]:
    """The text as consecutive stretches, each in the same chunks, for a view that colours boundaries and overlaps."""
    edges = sorted({0, len(text), *(chunk.start for chunk in chunks), *(chunk.end for chunk in chunks)})
    coming, open_ = deque(chunks), deque[Chunk]()
    found = []
    for start, end in pairwise(edges):
        while coming and coming[0].start <= start:
            open_.append(coming.popleft())
        while open_ and open_[0].end <= start:
            open_.popleft()
        found.append(Span(start=start, end=end, chunks=[chunk.number for chunk in open_]))
    return found


class _Cutter:
    """Where one splitting cuts, and how far a piece reaches back into the one before."""

    def __init__(self, splitting: Splitting, count: WordCount, name: str) -> None:
        self._splitting = splitting
        self._count = count
        self._unit = re.compile(r"[^\n]+\n?" if splitting.kind == "code" else r"\S+")
        self._parse = _parser(splitting, count, name)

    def pieces(self, text: str, page: Page) -> Iterator[tuple[int, int, bool]]:
        """Start and end of every piece of a page, and whether no overlap may come before it: its section begins."""
        body = text[page.start : page.end]
        sections = _sections(body) if self._splitting.kind == "markdown" else [(0, len(body))]
        for from_, to in sections:
            section = body[from_:to]
            whole = self._count(section) <= self._splitting.size
            first = self._splitting.kind == "markdown"
            for start, end in _located(section, [section] if whole else self._parse(section)):
                yield page.start + from_ + start, page.start + from_ + end, first
                first = False

    def with_overlap(self, text: str, low: int, start: int, end: int) -> int:
        """Where the chunk of the piece begins: as many whole words before it as fit, yet not all from `low` on, which
        would repeat the whole chunk before.
        """
        left = min(self._splitting.overlap, self._splitting.size - self._count(text[start:end]))
        begin = start
        for match in reversed(list(self._unit.finditer(text, low, start))):
            left -= self._count(match[0])
            if left < 0:
                break
            if not match[0].isspace():
                begin = match.end() - len(match[0].lstrip())
        return begin if begin > low else start


def _parser(splitting: Splitting, count: WordCount, name: str) -> Parse:
    """LlamaIndex's splitter of that kind, without overlap."""
    from llama_index.core.node_parser import SentenceSplitter, TokenTextSplitter

    size = splitting.size - splitting.overlap
    if splitting.kind == "code":
        return _code_parser(size, count, name)
    tokenizer = _Lengths(count).__getitem__
    if splitting.kind == "tokens":
        splitter = TokenTextSplitter(chunk_size=size, chunk_overlap=0, tokenizer=tokenizer)
        # asked 400 times a chunk; pydantic looks up private attributes in Python, which takes four fifths of the time
        vars(splitter)["_tokenizer"] = tokenizer
        return splitter.split_text
    return SentenceSplitter(
        chunk_size=size,
        chunk_overlap=0,
        tokenizer=tokenizer,
        paragraph_separator="\n\n",
        chunking_tokenizer_fn=sentences,
    ).split_text


def _code_parser(size: int, count: WordCount, name: str) -> Parse:
    from langchain_text_splitters import Language, RecursiveCharacterTextSplitter
    from llama_index.core.node_parser import LangchainNodeParser

    language = LANGUAGES.get(name.rpartition(".")[2].lower())
    separators = RecursiveCharacterTextSplitter.get_separators_for_language(Language(language)) if language else None
    splitter = RecursiveCharacterTextSplitter(
        separators=separators,
        is_separator_regex=language is not None,
        chunk_size=size,
        chunk_overlap=0,
        length_function=count,
        strip_whitespace=False,
    )
    return LangchainNodeParser(splitter).split_text


def _sections(text: str) -> list[tuple[int, int]]:
    """Start and end of LlamaIndex's Markdown sections; one that is a heading alone goes with the next."""
    from llama_index.core.node_parser import MarkdownNodeParser
    from llama_index.core.schema import TextNode

    # it writes every heading anew, with a space after the signs: so that it finds one there
    spaced = re.sub(r"(?m)^(#+)[^\S\n]", r"\1 ", text)
    nodes = MarkdownNodeParser(include_metadata=False).get_nodes_from_node(TextNode(text=spaced))
    found: list[tuple[int, int]] = []
    waiting: int | None = None
    for start, end in _located(spaced, [node.text for node in nodes]):
        begin = start if waiting is None else waiting
        lone = "\n" not in spaced[start:end] and spaced.startswith("#", start)
        waiting = begin if lone else None
        if not lone:
            found.append((begin, end))
    return found if waiting is None else [*found, (waiting, len(text))]


def _located(text: str, pieces: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where each piece lies, in order; only blanks lie between them."""
    end = 0
    for piece in map(str.strip, pieces):
        if piece:
            start = _skip(text, end)
            if not text.startswith(piece, start):
                raise RuntimeError(f"a splitter has changed the text at character {start}")
            end = start + len(piece)
            yield start, end


def _skip(text: str, at: int) -> int:
    """The first place from `at` on that is no blank."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _id(file_id: str, splitting: Splitting, start: int, text: str) -> str:
    told = f"{file_id}\0{splitting.kind}\0{splitting.size}\0{splitting.overlap}\0{start}\0{text}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]
