"""Results as a Markdown table on the screen and as JSON in a file. Knows no measurement."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import machine, machine_line


def median(values: Sequence[float | None]) -> float | None:
    """The median of what is known; None of nothing."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def ratios(values: Sequence[float | None], base: Sequence[float | None]) -> float | None:
    """The median of the ratios of the same rounds, which drift of the machine does not touch."""
    return median([a / b for a, b in zip(values, base, strict=True) if a is not None and b])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table; the first row's keys are the columns."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(name)) for name in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def publish(name: str, rows: Sequence[Mapping[str, Any]], raw: Any, folder: Path) -> Path:
    """Print the table and write everything to `<folder>/<name>-<time>.json`; the path."""
    print(f"\n{name}: {machine_line()}\n\n{table(rows)}\n")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps({"bench": name, "machine": machine(), "rows": rows, "raw": raw}, indent=1))
    print(f"-> {path}")
    return path


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)
