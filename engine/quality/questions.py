"""Items of small evaluations: our own sets, and JSONL files as lm-evaluation's tasks have them. Knows no model.

A line is a task's document (MMLU, ARC, HellaSwag, PIQA, GSM8K and what looks like them) or a line of its
`--log_samples`, whose prompts are then taken word for word.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import BadFile

OWN = ("fr", "en")  # in place of a file: our own sets
BYTES_MAX = 16 << 20
ITEMS_MAX = 2000
TEXT_MAX = 20_000
LETTERS = string.ascii_uppercase
PROMPTS = {"en": "Question: {}\nAnswer:", "fr": "Question : {}\nRéponse :"}
Kind = Literal["choice", "exact"]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
Texts = Annotated[list[Text], Field(min_length=2, max_length=len(LETTERS))]


@dataclass(frozen=True)
class Item:
    """One question. `pairs` are (context, continuation) whose likelihoods are compared, one for each of `choices` or of
    the accepted `answers`; `gold` is the number of the right choice, None where the answer is free.
    """

    id: str
    question: str
    pairs: tuple[tuple[str, str], ...]
    choices: tuple[str, ...] = ()
    gold: int | None = None
    answers: tuple[str, ...] = ()
    language: str = "en"

    @property
    def kind(self) -> Kind:
        """Whether one of several choices is right, or a free answer is matched."""
        return "exact" if self.gold is None else "choice"


def items_of(source: str) -> tuple[Item, ...]:
    """The items of our own set (`fr`, `en`) or of the file of that path. Raises BadFile."""
    if source in OWN:
        data = resources.files("engine.quality.items").joinpath(f"{source}.jsonl").read_bytes()
        return read_items(source, data)
    path = Path(source)
    try:
        size = path.stat().st_size
        data = b"" if size > BYTES_MAX else path.read_bytes()
    except OSError as error:
        raise BadFile(f"{source} cannot be read: {error.strerror}", path=source, reason=str(error.strerror)) from error
    if size > BYTES_MAX:
        raise BadFile(f"{path.name}: more than {BYTES_MAX} bytes", path=path.name, reason="too_large")
    return read_items(path.name, data)


def read_items(name: str, data: bytes) -> tuple[Item, ...]:
    """The items of a JSONL file. Raises BadFile (too_large, not_utf8, json, format, no_items, too_many)."""
    if len(data) > BYTES_MAX:
        raise BadFile(f"{name}: more than {BYTES_MAX} bytes", path=name, reason="too_large")
    try:
        lines = data.decode("utf-8-sig").split("\n")  # not splitlines(): U+2028 is a letter in JSON
    except UnicodeDecodeError as error:
        raise BadFile(f"{name} is not UTF-8: byte {error.start}", path=name, reason="not_utf8") from error
    found = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise BadFile(f"{name} has no item", path=name, reason="no_items")
    if len(found) > ITEMS_MAX:
        raise BadFile(f"{name}: more than {ITEMS_MAX} items", path=name, reason="too_many")
    return tuple(_item(name, number, line) for number, line in found)


def _item(name: str, number: int, line: str) -> Item:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{name}, line {number}: not JSON", path=name, reason="json", line=number) from error
    try:
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return _shape(value)(str(number), value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except ValueError as error:
        reason = str(error)
    raise BadFile(f"{name}, line {number}: {reason[:200]}", path=name, reason="format", line=number)


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(max_length=200)] | int | None = None
    language: Literal["fr", "en"] = "en"

    def named(self, otherwise: str) -> str:
        """The item's own id, else the number of its line."""
        return otherwise if self.id is None else str(self.id)


class _Choice(_Line):
    """MMLU's documents, and our own."""

    question: Text
    choices: Texts
    answer: int | Text


class _Labelled(BaseModel):
    text: Texts
    label: Texts


class _Arc(_Line):
    """ARC, OpenBookQA, CommonsenseQA."""

    question: Text
    choices: _Labelled
    answerKey: Text


class _Endings(_Line):
    """HellaSwag: the context is continued as it is."""

    ctx: Text
    endings: Texts
    label: int | Text


class _Query(_Line):
    """What lm-evaluation makes of documents before it asks: the prompt is taken as it is."""

    query: Text
    choices: Texts
    gold: int | Text


class _Piqa(_Line):
    goal: Text
    sol1: Text
    sol2: Text
    label: int


class _Free(_Line):
    """One answer or several that are accepted; of GSM8K what stands after ####."""

    question: Text
    answer: Text | None = None
    answers: Annotated[list[Text], Field(min_length=1, max_length=50)] | None = None


class _Logged(_Line):
    """A line of --log_samples, of this year's form (named arguments) or of earlier ones (lists)."""

    target: Annotated[str, Field(max_length=TEXT_MAX)] | int
    arguments: dict[str, dict[str, Any]] | list[list[Any]]

    def requests(self) -> list[tuple[Any, Any]]:
        """What the model was given: a context, and a continuation or settings."""
        rows = list(self.arguments.values()) if isinstance(self.arguments, dict) else self.arguments
        lists = [list(row.values()) if isinstance(row, dict) else row for row in rows[: len(LETTERS)]]
        if not lists or any(len(row) < 2 or not isinstance(row[0], str) for row in lists):
            raise ValueError("arguments: a context and a continuation are needed")
        return [(row[0], row[1]) for row in lists]


def _shape(value: Mapping[str, Any]) -> Callable[[str, dict[str, Any]], Item]:
    """How a line with these keys is read. Raises ValueError."""
    for keys, read in _SHAPES:
        if keys <= value.keys():
            return read
    raise ValueError("no known kind of item: question with choices and answer, or with answers, is needed")


def _choice(number: str, value: dict[str, Any]) -> Item:
    if isinstance(value["choices"], dict):
        return _arc(number, value | {"answerKey": value["answer"]})
    line = _Choice.model_validate(value)
    return _asked(line, number, line.question, line.choices, gold_of(line.answer, line.choices))


def _arc(number: str, value: dict[str, Any]) -> Item:
    line = _Arc.model_validate(value)
    if line.answerKey not in line.choices.label or len(line.choices.label) != len(line.choices.text):
        raise ValueError("answerKey: none of the labels")
    return _asked(line, number, line.question, line.choices.text, line.choices.label.index(line.answerKey))


def _stem(number: str, value: dict[str, Any]) -> Item:
    return _arc(number, value | {"question": value["question_stem"]})


def _piqa(number: str, value: dict[str, Any]) -> Item:
    line = _Piqa.model_validate(value)
    solutions = [line.sol1, line.sol2]
    return _asked(line, number, line.goal, solutions, gold_of(line.label, solutions))


def _endings(number: str, value: dict[str, Any]) -> Item:
    line = _Endings.model_validate(value)
    return _continued(line, number, line.ctx, line.endings, gold_of(line.label, line.endings))


def _query(number: str, value: dict[str, Any]) -> Item:
    line = _Query.model_validate(value)
    return _continued(line, number, line.query, line.choices, gold_of(line.gold, line.choices))


def _free(number: str, value: dict[str, Any]) -> Item:
    line = _Free.model_validate(value)
    answers = line.answers or ([line.answer.rpartition("####")[2].strip()] if line.answer else [])
    if not all(answer.strip() for answer in answers) or not answers:
        raise ValueError("answer: empty")
    prompt = PROMPTS[line.language].format(line.question.strip())
    pairs = tuple((prompt, f" {answer.strip()}") for answer in answers)
    return Item(line.named(number), line.question, pairs, answers=tuple(answers), language=line.language)


def _logged(number: str, value: dict[str, Any]) -> Item:
    line = _Logged.model_validate(value)
    requests, target = line.requests(), str(line.target)
    name = str(value.get("doc_id", line.named(number)))[:200]
    if isinstance(requests[0][1], str):
        pairs = tuple((_bounded(context), _bounded(str(rest))) for context, rest in requests)
        if len(pairs) > 1:
            choices = [rest.strip() for _, rest in pairs]
            gold = int(target) if target.isdecimal() and len(target) < 4 else gold_of(target, choices)
            if not 0 <= gold < len(choices):
                raise ValueError("target: no such choice")
            return Item(name, pairs[0][0], pairs, tuple(choices), gold, language=line.language)
        target = pairs[0][1].strip()
    else:
        pairs = ((_bounded(requests[0][0]), f" {target}"),)
    if not target:
        raise ValueError("target: empty")
    return Item(name, pairs[0][0], pairs, answers=(target,), language=line.language)


_SHAPES: tuple[tuple[set[str], Callable[[str, dict[str, Any]], Item]], ...] = (
    ({"target", "arguments"}, _logged),
    ({"question", "choices", "answerKey"}, _arc),
    ({"question_stem", "choices", "answerKey"}, _stem),
    ({"query", "choices", "gold"}, _query),
    ({"ctx", "endings", "label"}, _endings),
    ({"goal", "sol1", "sol2", "label"}, _piqa),
    ({"question", "choices", "answer"}, _choice),
    ({"question", "answers"}, _free),
    ({"question", "answer"}, _free),
)


def gold_of(told: int | str, choices: Sequence[str]) -> int:
    """The number of the right choice: told as its text, as a letter or as a number from 0. Raises ValueError."""
    if isinstance(told, str) and told in choices:
        return choices.index(told)
    if isinstance(told, str) and told.strip().upper() in LETTERS[: len(choices)] and told.strip():
        return LETTERS.index(told.strip().upper())
    if isinstance(told, str) and told.strip().isdecimal() and len(told) < 4:
        told = int(told)
    if not isinstance(told, int) or not 0 <= told < len(choices):
        raise ValueError("answer: none of the choices")
    return told


def _asked(line: _Line, number: str, question: str, choices: Sequence[str], gold: int) -> Item:
    prompt = PROMPTS[line.language].format(question.strip())
    return _with(line, number, question, prompt, choices, gold)


def _continued(line: _Line, number: str, context: str, choices: Sequence[str], gold: int) -> Item:
    return _with(line, number, context, context.rstrip() or context, choices, gold)


def _with(line: _Line, number: str, question: str, prompt: str, choices: Sequence[str], gold: int) -> Item:
    pairs = tuple((prompt, f" {choice.strip()}") for choice in choices)
    texts = tuple(choice.strip() for choice in choices)
    if not all(texts):
        raise ValueError("choices: one is empty")
    return Item(line.named(number), question, pairs, texts, gold, language=line.language)


def _bounded(text: str) -> str:
    if not 0 < len(text) <= TEXT_MAX:
        raise ValueError(f"arguments: a text of {len(text)} characters")
    text.encode()  # half a surrogate pair is no text
    return text
