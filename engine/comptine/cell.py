"""One cell of the experiment as values: what is asked of which model in which window, and what came of it.

Runs nothing (engine.comptine.running does) and knows no interface.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from engine.comptine.overflow import OverflowPolicy
from engine.comptine.question import Kind, Place, Prompt, Question, answer_prefix, prompt
from engine.comptine.rhyme import Language, Rhyme, Variant, rhyme
from engine.comptine.score import Mark, Score
from engine.errors import BadInput

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

Status = Literal["done", "budget", "refused", "stopped", "failed"]
SETTLED: tuple[Status, ...] = ("done", "budget", "refused")  # running them again would give the same
METRICS: tuple[str, ...] = tuple(field.name for field in fields(Score))


@dataclass(frozen=True)
class Cell:
    """One question about one rhyme to one model.

    `seed` draws the rhyme; `window` is a virtual one in tokens (None: the model's own); `policy` says what goes when
    the prompt does not fit; `prefix` begins the answer ("auto": with the first verse up to its name); `max_tokens` None
    leaves the ideal answer's length and a margin; `model` None is the default one.
    """

    verses: int
    first: int = 1
    last: int = 10
    kind: Kind = "range"
    variant: Variant = "constant"
    language: Language = "fr"
    seed: int = 0
    shots: Literal[0, 1] = 0
    place: Place = "after"
    prefix: str | None = None
    text: str | None = None
    model: str | None = None
    window: int | None = None
    policy: OverflowPolicy = "refuse"
    temperature: float = 0.0
    max_tokens: int | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cell:
        """The checked cell that `to_dict` gave. Raises BadInput, which says what is wrong where."""
        if unknown := sorted(set(data) - {field.name for field in fields(cls)}):
            raise BadInput(f"a cell has no {', '.join(unknown)}", where=unknown[0], reason="unknown")
        return checked(cls, data)

    def to_dict(self) -> dict[str, Any]:
        """Every field, ready for JSON."""
        return asdict(self)

    @property
    def key(self) -> str:
        """What tells it from every other cell, in 16 letters; the same in every process."""
        told = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def setting(self) -> Cell:
        """The cell with seed 0: what the cells that differ only in their seed have in common."""
        return replace(self, seed=0)

    def rhyme(self) -> Rhyme:
        """Its rhyme. Raises BadParameter."""
        return rhyme(self.verses, self.variant, seed=self.seed, language=self.language)

    def question(self) -> Question:
        """Its question."""
        asked = Question(self.kind, self.first, self.last, self.shots, self.place, self.prefix, self.text)
        return replace(asked, prefix=answer_prefix(asked, self.language)) if self.prefix == "auto" else asked

    def prompt(self) -> Prompt:
        """Its whole prompt. Raises BadInput where nothing can be asked."""
        return prompt(self.rhyme(), self.question())


@dataclass(frozen=True)
class CellResult:
    """What came of a cell; counts in tokens, times in seconds, None is unknown or did not happen.

    `status`: done · budget (the ideal answer cannot fit beside the prompt: not run, not scored) · refused (the prompt
    alone fills the window) · stopped · failed. `prompt_tokens` counts what was sent, `needed` the ideal answer, `total`
    the prompt before any policy. `first_token` is from asking on, the wait for a slot included; `cached` prompt tokens
    needed no reading. `survivors` is there where a policy cut something.
    """

    cell: Cell
    status: Status
    model: str
    prompt_sha256: str
    answer: str = ""
    score: Score | None = None
    marks: tuple[Mark, ...] = ()
    outcome: str | None = None
    total: int | None = None
    prompt_tokens: int | None = None
    needed: int | None = None
    completion_tokens: int | None = None
    cached: int | None = None
    window: int | None = None
    first_token: float | None = None
    tokens_per_second: float | None = None
    wall: float | None = None
    trace_id: str | None = None
    survivors: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None

    @property
    def settled(self) -> bool:
        """Whether running it again would tell nothing new."""
        return self.status in SETTLED

    def metrics(self) -> dict[str, Any]:
        """Every metric under its English name; all but `budget` are None where nothing was scored."""
        if self.score is not None:
            return asdict(self.score)
        return {**dict.fromkeys(METRICS), "budget": self.status in ("budget", "refused")}

    def row(self) -> dict[str, Any]:
        """One flat row, for tables, CSV and the command line: the cell, its metrics, counts and times."""
        told = {name: getattr(self, name) for name in _ROW}
        asked = {**self.cell.to_dict(), "virtual_window": self.cell.window}
        return {"key": self.cell.key, **asked, **told, **self.metrics()}

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; `from_dict` reads it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CellResult:
        """The checked result that `to_dict` gave. Raises BadInput."""
        return checked(cls, data)


# `model` and `window` are the real ones, also where the cell left them to the settings
_ROW = (
    "status", "model", "window", "outcome", "total", "prompt_tokens", "needed", "completion_tokens", "cached",
    "first_token", "tokens_per_second", "wall", "prompt_sha256", "trace_id", "answer",
)  # fmt: skip


def checked(kind: type[T], data: Any) -> T:
    """The value of a frozen dataclass from JSON. Raises BadInput with the first thing that is wrong."""
    from pydantic import ValidationError

    known: Any = kind
    try:
        found: T = _adapter(known).validate_python(data)
        return found
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{where}: {first['msg']}", where=where, reason=first["msg"]) from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
