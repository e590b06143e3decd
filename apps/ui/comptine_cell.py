"""What the controls of the rhyme hold and what an address says, as a cell of the experiment, and back.

Knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from apps.ui.address import Address, read_address, write_address
from engine.comptine.cell import Cell
from engine.comptine.grid import MAX_VERSES
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.comptine.question import KINDS, PLACES
from engine.comptine.rhyme import LANGUAGES, VARIANTS

Values = Mapping[str, Any]

# `rhyme` is its language, `text` a question of one's own; `prefix` is "", "auto" or the beginning itself
START: Values = MappingProxyType({
    "n": 30, "variant": "names", "rhyme": "fr", "seed": 1, "kind": "range", "first": 1, "last": 10, "shots": 0,
    "place": "after", "prefix": "", "window": None, "policy": "refuse", "text": "", "temperature": 0.0,
})  # fmt: skip
AUTO = "auto"
MAX_SEED = 2**32 - 2
MIN_WINDOW, MAX_WINDOW = 64, 2**20
WINDOWS = (2048, 4096)  # the course sheet's


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        return known[known.index(text)]  # ValueError where it is none of them

    return read


# Name in the address → (name here, how it is read). `draw`, since `seed` is the left column's own. No text travels.
ADDRESS: Address = {
    "n": ("n", _whole(1, MAX_VERSES)),
    "variant": ("variant", _one_of(VARIANTS)),
    "rhyme": ("rhyme", _one_of(LANGUAGES)),
    "draw": ("seed", _whole(0, MAX_SEED)),
    "kind": ("kind", _one_of(KINDS)),
    "first": ("first", _whole(0, MAX_VERSES)),
    "last": ("last", _whole(0, MAX_VERSES)),
    "shots": ("shots", _whole(0, 1)),
    "place": ("place", _one_of(PLACES)),
    "prefix": ("prefix", _one_of((AUTO,))),
    "window": ("window", _whole(MIN_WINDOW, MAX_WINDOW)),
    "policy": ("policy", _one_of(OVERFLOW_POLICIES)),
}


def cell_of(values: Values, model: str | None = None) -> Cell:
    """The cell that these values ask for, of that model or the default one. Raises BadInput."""
    custom = values["kind"] == "custom"
    return Cell.from_dict({
        "verses": values["n"], "variant": values["variant"], "language": values["rhyme"], "seed": values["seed"],
        "kind": values["kind"], "first": values["first"], "last": values["last"],
        "shots": 0 if custom else int(values["shots"]), "place": values["place"], "prefix": values["prefix"] or None,
        "text": values["text"] if custom else None, "model": model, "window": values["window"],
        "policy": values["policy"], "temperature": float(values["temperature"]),
    })  # fmt: skip


def values_of(cell: Cell) -> dict[str, Any]:
    """What the controls show for a cell."""
    return {
        "n": cell.verses, "variant": cell.variant, "rhyme": cell.language, "seed": cell.seed, "kind": cell.kind,
        "first": cell.first, "last": cell.last, "shots": cell.shots, "place": cell.place, "prefix": cell.prefix or "",
        "window": cell.window, "policy": cell.policy, "text": cell.text or "", "temperature": cell.temperature,
    }  # fmt: skip


def from_address(query: Mapping[str, str]) -> dict[str, Any]:
    """The values of an address over those to start with; what it says wrongly is left out."""
    return read_address(ADDRESS, START, query)


def to_address(values: Values) -> dict[str, str]:
    """What the address says of these values: what differs from the start, and never somebody's text."""
    found = write_address(ADDRESS, START, values)
    if values["prefix"] not in ("", AUTO):
        found.pop("prefix", None)
    return found
