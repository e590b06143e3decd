"""What an answer was grounded in, as values: numbered passages, how they were looked for, what was left out.

Knows no model and no store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from engine.rag.suspicion import suspicions
from engine.rag.values import Chunk, Passage

# documents_only       only what the passages say; without passages a fixed sentence, and no model is asked
# documents_and_model  the passages first, the model's own knowledge beside them, said as such
# retrieval_only       the passages themselves; no model is asked
# whole_document       whole files where they fit into the window (LM Studio's rule), else passages
# summary              whole files, summarized part by part
Mode = Literal["documents_only", "documents_and_model", "retrieval_only", "whole_document", "summary"]
MODES: tuple[Mode, ...] = get_args(Mode)
Language = Literal["fr", "en"]
# no_room: the window is full; cut: only its beginning fits
Fate = Literal["sent", "cut", "no_room"]


@dataclass(frozen=True)
class Source:
    """One passage as a model got it: `number` is what `[1]` in the answer means, 0 for one that was left out.

    `text` is the passage with its neighbours, `sent` of its characters went into the prompt, `warnings` are codes of
    engine.rag.suspicion.
    """

    number: int
    passage: Passage
    text: str
    fate: Fate = "sent"
    sent: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def chunk(self) -> Chunk:
        """The chunk that was found."""
        return self.passage.chunk

    @property
    def collection(self) -> str:
        """Id of its collection."""
        return self.passage.collection

    @property
    def place(self) -> str:
        """Where it is from, for people and models: `name, p. 3`."""
        name = " ".join(self.chunk.name.split())
        return name if self.chunk.page is None else f"{name}, p. {self.chunk.page}"

    def record(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        chunk = self.chunk
        return {
            "number": self.number,
            "collection": self.collection,
            "file": chunk.file,
            "chunk": chunk.id,
            "chunk_number": chunk.number,
            "name": chunk.name,
            "page": chunk.page,
            "heading": chunk.heading,
            "start": chunk.start,
            "end": chunk.end,
            "tokens": chunk.tokens,
            "found": chunk.text,
            "text": self.text,
            "fate": self.fate,
            "sent": self.sent,
            "scores": dict(self.passage.scores),
            "ranks": dict(self.passage.ranks),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Grounding:
    """What one question found: `sources` went into the prompt in the order of their numbers, `left_out` did not.

    `mode` is what was done, `wanted` what was asked for: a whole document that does not fit is searched instead.
    `query` is what was looked for; it differs from the question where `rewritten`. `below` candidates were under the
    threshold, `nearest` is the highest cosine seen. `seconds` are those of the search by stage. `tokens` are those of
    the passages in the prompt, None where nobody can count them; `asked` says whether a model was asked at all.
    """

    mode: Mode
    wanted: Mode
    question: str
    query: str
    language: Language
    collections: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    left_out: tuple[Source, ...] = ()
    rewritten: bool = False
    rewriting_trace: str | None = None
    below: int = 0
    nearest: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    tokens: int | None = None
    retrieval: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = True

    @property
    def empty(self) -> bool:
        """The "0 passages" state: nothing that was found may be answered from."""
        return not self.sources and not self.left_out

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every code that a passage in the prompt has, each once."""
        return tuple(dict.fromkeys(code for source in self.sources for code in source.warnings))

    def source(self, number: int) -> Source | None:
        """The passage that `[number]` means; None where there is none."""
        return next((source for source in self.sources if source.number == number), None)

    def record(self) -> dict[str, Any]:
        """All of it, ready for JSON; `of` reads it back."""
        return {
            "mode": self.mode,
            "wanted": self.wanted,
            "question": self.question,
            "query": self.query,
            "language": self.language,
            "collections": list(self.collections),
            "sources": [source.record() for source in self.sources],
            "left_out": [source.record() for source in self.left_out],
            "rewritten": self.rewritten,
            "rewriting_trace": self.rewriting_trace,
            "below": self.below,
            "nearest": self.nearest,
            "seconds": dict(self.seconds),
            "tokens": self.tokens,
            "retrieval": {name: list(one) if isinstance(one, tuple) else one for name, one in self.retrieval.items()},
            "asked": self.asked,
            "empty": self.empty,
            "warnings": list(self.warnings),
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Grounding:
        """The grounding of a record; what a newer program put into it besides is passed over."""
        known = {
            name: value for name, value in record.items() if name in cls.__dataclass_fields__
        }  # not the properties
        known["collections"] = tuple(known.get("collections", ()))
        for name in ("sources", "left_out"):
            known[name] = tuple(_source(one) for one in known.get(name, ()))
        return cls(**cast(Any, known))


def source_of(passage: Passage, number: int, text: str | None = None) -> Source:
    """The passage under that number, by default with its neighbours' text, and what is suspicious in it."""
    text = joined((passage.chunk, *passage.neighbours)) if text is None else text
    return Source(number, passage, text, "sent", len(text), suspicions(text))


def joined(chunks: tuple[Chunk, ...]) -> str:
    """The text of chunks of one file in their order, what two have in common once; `[…]` where something is missing."""
    text, end = "", None
    for chunk in sorted(chunks, key=lambda chunk: (chunk.start, chunk.end)):
        if end is None:
            text = chunk.text
        elif chunk.start <= end:
            text += chunk.text[end - chunk.start :]
        else:
            text += ("\n" if chunk.start - end <= GAP_MAX else "\n[…]\n") + chunk.text
        end = chunk.end if end is None else max(end, chunk.end)
    return text


GAP_MAX = 8  # characters between two chunks that are white space, which a splitter throws away


def _source(record: Mapping[str, Any]) -> Source:
    chunk = Chunk(record["chunk"], record["file"], record["name"], record["chunk_number"], record["found"],
                  record["start"], record["end"], record["tokens"], record["page"], record["heading"])  # fmt: skip
    passage = Passage(chunk, record["scores"], record["ranks"], collection=record["collection"])
    return Source(record["number"], passage, record["text"], record["fate"], record["sent"], tuple(record["warnings"]))


def left_out(source: Source) -> Source:
    """The same, as one for which there was no room."""
    return replace(source, number=0, fate="no_room", sent=0)
