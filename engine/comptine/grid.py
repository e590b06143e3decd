"""A sweep as asked: the values of each factor, and the cells that they span, in the order that reads least.

Knows no model and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.comptine.cell import Cell
from engine.comptine.overflow import OverflowPolicy
from engine.comptine.question import Kind, Place
from engine.comptine.rhyme import Language, Variant
from engine.errors import BadInput

MAX_CELLS = 2000
MAX_VERSES = 5000

_Verses = Annotated[int, Field(ge=1, le=MAX_VERSES)]
_Seed = Annotated[int, Field(ge=0, le=2**32 - 2)]
_Window = Annotated[int, Field(ge=64, le=2**20)]


class Sweep(BaseModel):
    """The factors of a sweep; every combination that can be asked is a cell. `seeds` are the prompts to average over.

    `models` None is the default one, `windows` None the model's own. Fields beyond `windows` hold for all cells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verses: tuple[_Verses, ...] = Field(min_length=1, max_length=64)
    ranges: tuple[tuple[int, int], ...] = Field(((1, 10),), min_length=1, max_length=64)
    shots: tuple[Literal[0, 1], ...] = Field((0,), min_length=1)
    places: tuple[Place, ...] = Field(("after",), min_length=1)
    variants: tuple[Variant, ...] = Field(("names",), min_length=1)
    languages: tuple[Language, ...] = Field(("fr",), min_length=1)
    seeds: tuple[_Seed, ...] = Field((1, 2, 3, 4, 5), min_length=1, max_length=100)
    models: tuple[str | None, ...] = Field((None,), min_length=1, max_length=16)
    windows: tuple[_Window | None, ...] = Field((None,), min_length=1, max_length=16)
    policy: OverflowPolicy = "refuse"
    kind: Kind = "range"
    prefix: str | None = Field(None, max_length=1000)
    text: str | None = Field(None, max_length=10_000)
    temperature: float = Field(0.0, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=131072)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Sweep:
        """The checked sweep of JSON or keyword values. Raises BadInput, which says what is wrong where."""
        try:
            made = cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BadInput(f"{where}: {first['msg']}", where=where, reason=first["msg"]) from error
        made.cells()
        return made

    def cells(self) -> tuple[Cell, ...]:
        """The different cells, the ones with the longest common prefixes beside each other.

        A range that begins beyond the rhyme is left out. Raises BadInput where there are none, or more than MAX_CELLS.
        """
        size = 1
        for values in self._factors():
            size *= len(set(values))
        if size > MAX_CELLS:
            raise BadInput(f"{size} cells are more than {MAX_CELLS}", cells=size, high=MAX_CELLS)
        cells = ordered(self._spanned())
        if not cells:
            raise BadInput("no cell of this sweep can be asked", cells=0, high=MAX_CELLS)
        return cells

    def _factors(self) -> tuple[tuple[Any, ...], ...]:
        return (self.verses, self.ranges, self.shots, self.places, self.variants, self.languages, self.seeds,
                self.models, self.windows)  # fmt: skip

    def _spanned(self) -> Iterator[Cell]:
        for verses, (first, last), shots, place, variant, language, seed, model, window in product(*self._factors()):
            if self.kind in ("range", "single") and first > verses:
                continue
            drawn = 0 if variant == "constant" and self.temperature == 0 else seed  # the same prompt for every seed
            yield Cell(
                verses=verses, first=first, last=last, kind=self.kind, variant=variant, language=language, seed=drawn,
                shots=shots, place=place, prefix=self.prefix, text=self.text, model=model, window=window,
                policy=self.policy, temperature=self.temperature, max_tokens=self.max_tokens,
            )  # fmt: skip


def ordered(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """The different cells in the order that shares most of what was read before.

    Reverse alphabetical order of the prompts walks the tree of their common prefixes, and of two rhymes that begin
    alike the longer comes first, since "Vers" sorts after "Refrain": the longest is read once, all others are in it.
    """
    different = {cell: cell.prompt().text for cell in dict.fromkeys(cells)}
    return tuple(sorted(different, key=lambda cell: (cell.model or "", different[cell], cell.key), reverse=True))
