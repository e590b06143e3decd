"""The finished cells of a sweep in a file that a crash cannot take: one JSON line each, on the disk before it counts.

Knows no model and no grid's rules.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.comptine.cell import CellResult
from engine.comptine.grid import Sweep
from engine.errors import BadFile, BadInput
from engine.linefile import LineFile

FORMAT = "atelier-comptine-sweep/1"


@dataclass(frozen=True)
class Saved:
    """What a file holds: the sweep, the reproducibility card of each model (by id), the last result of each cell."""

    sweep: Sweep
    cards: Mapping[str, Any]
    results: Mapping[str, CellResult]
    created: float
    strict: bool = False


class SweepFile(LineFile):
    """One file; thread safe. Raises BadFile."""

    def begin(self, sweep: Sweep, *, strict: bool = False) -> None:
        """Write what is asked; in a file that exists the cells that are in it stay, and count where the new sweep has
        them too. Raises BadInput where those were answered the other way: `strict` or not.
        """
        self.mend()
        known = self.read() if self.path.exists() else None
        if known is not None and known.strict != strict:
            raise BadInput("a sweep goes on as it was begun: strict or not", where="strict", reason=str(known.strict))
        if known is None or known.sweep != sweep:
            told = {"format": FORMAT, "sweep": sweep.model_dump(mode="json"), "strict": strict, "created": time.time()}
            self.append(told)

    def add_card(self, model: str, card: Mapping[str, Any]) -> None:
        """Note what a model is. Raises BadInput where the cells in the file were answered by other weights."""
        known = self.read().cards.get(model)
        if known is None:
            self.append({"model": model, "card": dict(card)})
        elif known.get("sha256") != card.get("sha256"):
            raise BadInput(f"{model} has changed since this sweep was begun", model=model, sha256=known.get("sha256"))

    def add(self, result: CellResult) -> None:
        """Add a result; it is on the disk when this returns."""
        self.append({"cell": result.to_dict()})

    def read(self) -> Saved:
        """What it holds; a last line that a crash has torn is left out."""
        sweep: Sweep | None = None
        strict, created, cards, results = False, 0.0, {}, {}
        for line in self.lines():
            if "sweep" in line:
                sweep, created = Sweep.of(line["sweep"]), created or line["created"]
                strict = line.get("strict", False)
            elif "card" in line:
                cards[line["model"]] = line["card"]
            elif "cell" in line:
                result = CellResult.from_dict(line["cell"])
                results[result.cell.key] = result
        if sweep is None:
            raise BadFile(f"{self.path.name} is no sweep", path=str(self.path), reason="format")
        return Saved(sweep, cards, results, created, strict)


def folder(home: Path, owner: str) -> Path:
    """Where a person's sweeps lie; no name of anybody is in it."""
    return home / "comptine" / hashlib.sha256(owner.encode()).hexdigest()[:32]


def new_file(home: Path, owner: str) -> SweepFile:
    """A file for a new sweep of that person."""
    return SweepFile(folder(home, owner) / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}.jsonl")


def saved_files(home: Path, owner: str) -> tuple[SweepFile, ...]:
    """The person's sweeps, the newest first."""
    return tuple(SweepFile(path) for path in sorted(folder(home, owner).glob("*.jsonl"), reverse=True))


def file_named(home: Path, owner: str, name: str) -> SweepFile:
    """The person's sweep of that file name. Raises BadFile for any other path."""
    found = next((file for file in saved_files(home, owner) if file.path.name == name), None)
    if found is None:
        raise BadFile(f"no sweep {name}", path=name, reason="missing")
    return found
