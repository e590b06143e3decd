"""A batch and its results in a file that a crash cannot take, one per batch and person, with what may have been spent.

Knows no model.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from engine.compare.batch_plan import Batch
from engine.errors import BadFile
from engine.linefile import LineFile

FORMAT = "atelier-batch/1"
FILES_MAX = 100  # of a person; the oldest go

Status = Literal["done", "failed"]


@dataclass(frozen=True)
class Checked:
    """What a check found: `passed` None could not be judged; `detail` says what was found, `score` a similarity.

    `cost` is what a judging model cost, `error` the code of what kept it from judging: another run asks it again.
    """

    kind: str
    passed: bool | None
    detail: str = ""
    score: float | None = None
    cost: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True)
class BatchResult:
    """The answer to one cell, by its `key`. `stats` has LM Studio's names, `cost` those of engine.compare.prices;
    `error` is set where it failed. `tries` counts what a busy server refused; `checks` None was not judged yet.
    """

    key: str
    model: str
    status: Status
    text: str = ""
    outcome: str = ""
    usage: Mapping[str, Any] | None = None
    stats: Mapping[str, Any] | None = None
    cost: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    trace_id: str | None = None
    tries: int = 1
    checks: tuple[Checked, ...] | None = None

    def settled(self, judged: bool) -> bool:
        """Whether nothing of it is left to ask; `judged` where the batch has checks."""
        if self.status == "failed" or (judged and self.checks is None):
            return False
        return not any(one.error for one in self.checks or ())

    @property
    def passed(self) -> bool | None:
        """Whether it came and every check that could be judged is passed; None where there is nothing to judge by."""
        if self.status == "failed":
            return False
        judged = [one.passed for one in self.checks or () if one.passed is not None]
        return all(judged) if judged else None


@dataclass(frozen=True)
class SavedBatch:
    """What a file holds: the batch, the last result of each cell by its key, and what may have been spent."""

    batch: Batch
    results: Mapping[str, BatchResult]
    spent: Decimal
    created: float


class BatchFile(LineFile):
    """One file; thread safe. Raises BadFile."""

    def begin(self, batch: Batch) -> None:
        """Write what is asked; in a file that exists the answers stay, and count where the new batch asks the same."""
        self.mend()
        known = self.read() if self.path.exists() else None
        if known is None or known.batch != batch:
            told = {"format": FORMAT, "batch": batch.model_dump(mode="json", by_alias=True), "created": time.time()}
            self.append(told)

    def add(self, result: BatchResult) -> None:
        """Add an answer, without its checks; it is on the disk when this returns."""
        self.append({"cell": {name: value for name, value in asdict(result).items() if name != "checks"}})

    def add_checks(self, key: str, of: str, checks: Sequence[Checked]) -> None:
        """Add what the checks of the hash `of` found in an answer."""
        self.append({"checked": key, "of": of, "checks": [asdict(one) for one in checks]})

    def note(self, what: str, name: str, amount: Decimal) -> None:
        """Add what was held back or paid: the `note` of a Budget."""
        self.append({"money": what, "name": name, "amount": str(amount)})

    def head(self) -> tuple[float, tuple[str, ...], int]:
        """When it was begun (seconds since 1970), which models are asked, how many rows; reads no answer."""
        try:
            with self.path.open("rb") as file:
                line = json.loads(file.readline())
            batch = line["batch"]
            return float(line["created"]), tuple(batch["models"]), len(batch["rows"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(f"{self.path.name} is no batch", path=str(self.path), reason="format") from error

    def read(self) -> SavedBatch:
        """What it holds; a last line that a crash has torn is left out."""
        batch: Batch | None = None
        created = 0.0
        results: dict[str, BatchResult] = {}
        checks: dict[tuple[str, str], tuple[Checked, ...]] = {}
        held: dict[str, Decimal] = {}
        spent = Decimal(0)
        for line in self.lines():
            if "batch" in line:
                batch, created = Batch.of(line["batch"]), created or line["created"]
            elif "cell" in line:
                results[line["cell"]["key"]] = BatchResult(**line["cell"])
            elif "checked" in line:
                checks[line["checked"], line["of"]] = tuple(Checked(**one) for one in line["checks"])
            elif line.get("money") == "hold":
                spent += held.pop(line["name"], Decimal(0))  # of a run that was killed: nobody knows what it came to
                held[line["name"]] = Decimal(line["amount"])
            elif "money" in line:
                held.pop(line["name"], None)
                spent += Decimal(line["amount"])
        if batch is None:
            raise BadFile(f"{self.path.name} is no batch", path=str(self.path), reason="format")
        of = batch.checks_hash
        judged = {key: replace(one, checks=checks.get((key, of))) for key, one in results.items()}
        return SavedBatch(batch, judged, spent + sum(held.values(), Decimal(0)), created)


def folder(home: Path, owner: str) -> Path:
    """Where a person's batches lie; no name of anybody is in it."""
    return home / "batches" / hashlib.sha256(owner.encode()).hexdigest()[:32]


def new_file(home: Path, owner: str) -> BatchFile:
    """A file for a new batch of that person; of more than a hundred the oldest goes."""
    for old in saved_files(home, owner)[FILES_MAX - 1 :]:
        old.path.unlink(missing_ok=True)
        old.path.with_suffix(".lock").unlink(missing_ok=True)
    return BatchFile(folder(home, owner) / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}.jsonl")


def saved_files(home: Path, owner: str) -> tuple[BatchFile, ...]:
    """The person's batches, the newest first."""
    return tuple(BatchFile(path) for path in sorted(folder(home, owner).glob("*.jsonl"), reverse=True))


def file_named(home: Path, owner: str, name: str) -> BatchFile:
    """The person's batch of that file name. Raises BadFile for any other path."""
    found = next((file for file in saved_files(home, owner) if file.path.name == name), None)
    if found is None:
        raise BadFile(f"no batch {name}", path=name, reason="missing")
    return found
