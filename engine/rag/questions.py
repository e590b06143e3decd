"""Question sets: SQuAD files, CSV tables, our own samples. Knows no store, no model and no interface.

A CSV has the columns `question` and, each optional, `answer` (several: ` | ` between them), `document` (its name),
`context` (its text), `kind`, `id`. Without `context` the documents are those of a collection.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import BadFile

Kind = Literal["answerable", "unanswerable", "off_topic"]
KINDS: tuple[Kind, ...] = get_args(Kind)
BYTES_MAX = 64 * 1024 * 1024
QUESTIONS_MAX = 20_000
SAMPLES = "engine.rag.samples"


@dataclass(frozen=True)
class Source:
    """A document of a question set: what is indexed before its questions are asked."""

    name: str
    text: str


@dataclass(frozen=True)
class Question:
    """`answers` are passages of the document word for word; `document` is the name of the one that has them (or that
    is about it, for a question on topic without an answer), None for a question off topic.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    document: str | None = None
    kind: Kind = "answerable"


@dataclass(frozen=True)
class QuestionSet:
    """Questions and, where the file brought them, the documents to ask."""

    name: str
    questions: tuple[Question, ...]
    sources: tuple[Source, ...] = ()

    def of(self, *kinds: Kind) -> tuple[Question, ...]:
        """The questions of these kinds, in their order."""
        return tuple(question for question in self.questions if question.kind in kinds)


def read_questions(name: str, data: bytes) -> QuestionSet:
    """The set in a file: JSON in SQuAD's format (1.1 or 2.0) or a CSV. Raises BadFile (too_large, not_utf8, json,
    format, no_questions, too_many).
    """
    if len(data) > BYTES_MAX:
        raise BadFile(f"{name}: more than {BYTES_MAX} bytes", path=name, reason="too_large")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{name} is not UTF-8: byte {error.start}", path=name, reason="not_utf8") from error
    found = _squad(name, text) if text.lstrip()[:1] in ("{", "[") else _csv(name, text)
    if not found.questions:
        raise BadFile(f"{name} has no question", path=name, reason="no_questions")
    if len(found.questions) > QUESTIONS_MAX:
        raise BadFile(f"{name}: more than {QUESTIONS_MAX} questions", path=name, reason="too_many")
    return found


def samples() -> QuestionSet:
    """Our own set: twelve short documents in French and English, 45 questions that they answer, 15 on their topics that
    they do not answer, 15 off topic. Texts and questions were written for this project.
    """
    folder = resources.files(SAMPLES)
    texts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".md")), key=lambda entry: entry.name)
    sources = tuple(Source(entry.name, entry.read_text(encoding="utf-8")) for entry in texts)
    read = _csv("samples", (folder / "questions.csv").read_text(encoding="utf-8"))
    return QuestionSet("samples", read.questions, sources)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Answer(_Lenient):
    text: str


class _Asked(_Lenient):
    question: str
    id: str | int | None = None
    answers: list[_Answer] = Field(default_factory=list)
    is_impossible: bool = False


class _Paragraph(_Lenient):
    context: str
    qas: list[_Asked] = Field(default_factory=list)


class _Entry(_Lenient):
    paragraphs: list[_Paragraph]


class _Squad(_Lenient):
    data: list[_Entry]


def _squad(name: str, text: str) -> QuestionSet:
    """Every distinct context is a document: a question whose context stands there twice finds either."""
    try:
        parsed = json.loads(text)
        entries = _Squad.model_validate({"data": parsed} if isinstance(parsed, list) else parsed).data
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadFile(f"{name} is not JSON: {error}", path=name, reason="json") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise BadFile(f"{name} is no SQuAD file: {where}", path=name, reason="format") from error
    library = _Library()
    questions: list[Question] = []
    for entry in entries:
        for paragraph in entry.paragraphs:
            document = library.add(
                None, paragraph.context
            )  # a title may be the question itself, and names are searched
            questions += [_asked(qa, document, len(questions) + place) for place, qa in enumerate(paragraph.qas, 1)]
    return QuestionSet(name, tuple(questions), library.sources())


def _asked(qa: _Asked, document: str | None, number: int) -> Question:
    answers = tuple(dict.fromkeys(answer.text for answer in qa.answers if answer.text.strip()))
    kind: Kind = "unanswerable" if qa.is_impossible else "answerable"
    return Question(str(number if qa.id is None else qa.id), qa.question, answers, document, kind)


class _Library:
    """Texts under unique names; an equal text keeps its first name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def add(self, title: str | None, text: str) -> str | None:
        """The name of that text, None for an empty one."""
        if not text.strip():
            return None
        return self._names.setdefault(text, f"{len(self._names) + 1:04d} {(title or '')[:80]}".strip())

    def sources(self) -> tuple[Source, ...]:
        return tuple(Source(name, text) for text, name in self._names.items())


def _csv(name: str, text: str) -> QuestionSet:
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadFile(f"{name} is no CSV: {error}", path=name, reason="format") from error
    rows = [_row(row) for row in rows]
    if rows and "question" not in rows[0]:
        raise BadFile(f"{name} has no column `question`", path=name, reason="format")
    library = _Library()
    asked = [row for row in rows if row.get("question")]
    questions = [_line(name, row, library, number) for number, row in enumerate(asked, 1)]
    return QuestionSet(name, tuple(questions), library.sources())


def _row(row: Mapping[Any, Any]) -> dict[str, str]:
    """Cells by lower-case column; what stands beyond the last column is dropped."""
    return {str(key).strip().casefold(): str(value or "").strip() for key, value in row.items() if key is not None}


def _line(name: str, row: Mapping[str, str], library: _Library, number: int) -> Question:
    document = library.add(row.get("document"), row["context"]) if row.get("context") else row.get("document") or None
    kind = row.get("kind") or "answerable"
    if kind not in KINDS:
        raise BadFile(f"{name}: kind {kind!r} in question {number}", path=name, reason="format")
    answers = _distinct(row.get("answer", "").split(" | "))
    return Question(row.get("id") or str(number), row["question"], answers, document, kind)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def to_csv(questions: Iterable[Question]) -> str:
    """The questions as a CSV that `read_questions` reads again: those written in a page, to keep."""
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["id", "question", "answer", "document", "kind"])
    for asked in questions:
        table.writerow([asked.id, asked.text, " | ".join(asked.answers), asked.document or "", asked.kind])
    return out.getvalue()
