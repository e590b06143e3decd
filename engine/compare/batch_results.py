"""What a batch's answers say together: rows to look through, models and questions compared, files. Runs nothing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any, Literal, get_args

from engine.compare.batch_file import BatchResult
from engine.compare.batch_plan import Batch, Cell
from engine.compare.export import harmless
from engine.statistics import bootstrap, wilson

Filter = Literal["all", "different", "failed"]
FILTERS: tuple[Filter, ...] = get_args(Filter)
Measure = Literal["passed", "first_token", "tokens_per_second", "seconds", "completion_tokens", "cost"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True)
class Line:
    """One answer with what was asked."""

    cell: Cell
    result: BatchResult

    def value(self, measure: Measure) -> float | None:
        """What was measured of it; `passed` is 1 or 0, times are in seconds; None is unknown."""
        stats, usage = self.result.stats or {}, self.result.usage or {}
        if measure == "passed":
            return None if self.result.passed is None else float(self.result.passed)
        if self.result.status == "failed":
            return None
        if measure == "cost":
            total = (self.result.cost or {}).get("total")
            return None if total is None else float(Decimal(total))
        names = {"first_token": "timeToFirstTokenSec", "tokens_per_second": "tokensPerSecond", "seconds": "wallTimeSec"}
        told = usage.get(measure) if measure == "completion_tokens" else stats.get(names[measure])
        return None if told is None else float(told)

    def row(self) -> dict[str, Any]:
        """Everything in one flat row, ready for JSON."""
        cell, result = self.cell, self.result
        usage, stats, cost = (one or {} for one in (result.usage, result.stats, result.cost))
        return {
            "row": cell.row + 1,
            "template": cell.template + 1,
            "model": cell.model,
            **{f"param {name}": value for name, value in cell.given.items()},
            "repetition": cell.repetition + 1,
            "system": cell.system,
            "prompt": cell.prompt,
            **{f"column {name}": value for name, value in cell.values.items()},
            "status": result.status,
            "passed": result.passed,
            "text": result.text,
            "outcome": result.outcome,
            "prompt_tokens": usage.get("prompt_tokens"),
            "completion_tokens": usage.get("completion_tokens"),
            "cached_tokens": usage.get("cached_tokens"),
            "first_token": stats.get("timeToFirstTokenSec"),
            "tokens_per_second": stats.get("tokensPerSecond"),
            "speed_source": stats.get("source"),
            "seconds": stats.get("wallTimeSec"),
            "cost": cost.get("total"),
            "currency": cost.get("currency"),
            "price_source": cost.get("source"),
            "price_date": cost.get("as_of"),
            "cost_kind": cost.get("kind"),
            "tries": result.tries,
            "error": (result.error or {}).get("code"),
            "error_message": (result.error or {}).get("message"),
            "trace_id": result.trace_id,
        }

    def to_dict(self) -> dict[str, Any]:
        """The row with its checks, ready for JSON."""
        return {**self.row(), "checks": [asdict(one) for one in self.result.checks or ()]}


def lines_of(batch: Batch, results: Mapping[str, BatchResult]) -> tuple[Line, ...]:
    """The answers that there are, in the batch's order."""
    return tuple(Line(cell, results[cell.key]) for cell in batch.cells() if cell.key in results)


def filtered(lines: Sequence[Line], which: Filter = "all", model: str | None = None) -> tuple[Line, ...]:
    """The answers to look at: `failed` did not come or did not pass a check; `different` are those to questions that
    the models (or the repetitions of one) did not all answer with the same words.
    """
    chosen = lines
    if which == "failed":
        chosen = [line for line in lines if line.result.passed is False]
    elif which == "different":
        said: dict[tuple[Any, ...], set[str]] = {}
        for line in lines:
            said.setdefault(_asked(line.cell), set()).add(" ".join(line.result.text.split()).casefold())
        chosen = [line for line in lines if len(said[_asked(line.cell)]) > 1]
    return tuple(line for line in chosen if model is None or line.cell.model == model)


def _asked(cell: Cell) -> tuple[Any, ...]:
    return cell.row, cell.template, cell.variant


def by_model(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """One row per model: how many came and failed, the share that passed (Wilson's interval), means of times with
    resampled intervals, tokens, and the cost in all, of failed answers too: None as soon as one is unknown. `judging`
    is what those cost that judged its answers.
    """
    return [_summed(model, found) for model, found in _grouped(lines, lambda line: line.cell.model).items()]


def _summed(model: str, lines: Sequence[Line]) -> dict[str, Any]:
    passed = [value for line in lines if (value := line.value("passed")) is not None]
    tokens = [line.value("completion_tokens") for line in lines]
    told: dict[str, Any] = {"model": model, "n": len(lines)}
    told["failed"] = sum(line.result.status == "failed" for line in lines)
    told["judged"] = len(passed)
    told["passed"] = wilson(int(sum(passed)), len(passed)).to_dict() if passed else None
    for measure in MEASURES[1:4]:
        told[measure] = _mean([line.value(measure) for line in lines])
    told["completion_tokens"] = sum(value for value in tokens if value is not None)
    return {**told, **_money([line.result.cost or {} for line in lines]), "judging": judging(lines)}


def _mean(values: Iterable[float | None]) -> dict[str, Any] | None:
    known = [value for value in values if value is not None]
    return bootstrap(known).to_dict() if known else None


def judging(lines: Sequence[Line]) -> dict[str, Any] | None:
    """What the models cost that judged these answers, as `by_model` tells costs; None where none did."""
    costs = [one.cost for line in lines for one in line.result.checks or () if one.cost is not None]
    return _money(costs) if costs else None


def _money(costs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`cost` in all, as text, exactly, with its currency; None where one is unknown or nobody sends a bill."""
    kinds, currencies = {cost.get("kind") for cost in costs}, {cost.get("currency") for cost in costs}
    kind = next(iter(kinds)) if len(kinds) == 1 else "unknown"
    if not costs or any(cost.get("total") is None for cost in costs) or len(currencies) > 1:
        return {"cost": None, "currency": None, "cost_kind": kind if kind == "local" else "unknown"}
    total = sum((Decimal(cost["total"]) for cost in costs), Decimal(0))
    return {"cost": format(total, "f"), "currency": next(iter(currencies)), "cost_kind": kind}


@dataclass(frozen=True)
class Pivot:
    """Questions down, models across: `values[question][model]` is the mean of a measure, None where there is none."""

    models: tuple[str, ...]
    questions: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


def pivot(lines: Sequence[Line], measure: Measure = "passed") -> Pivot:
    """The means over repetitions: rows are the prompts as they were asked, told apart by their parameters."""
    models = tuple(dict.fromkeys(line.cell.model for line in lines))
    rows = _grouped(lines, lambda line: _named(line.cell))
    values = tuple(tuple(_average(found, model, measure) for model in models) for found in rows.values())
    return Pivot(models, tuple(rows), values)


def _average(lines: Sequence[Line], model: str, measure: Measure) -> float | None:
    known = [value for line in lines if line.cell.model == model and (value := line.value(measure)) is not None]
    return fmean(known) if known else None


def _named(cell: Cell) -> str:
    given = ", ".join(f"{name} {value}" for name, value in cell.given.items())
    return f"{' '.join(cell.prompt.split())} ({given})" if given else " ".join(cell.prompt.split())


def _grouped(lines: Sequence[Line], by: Callable[[Line], str]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(by(line), []).append(line)
    return found


def summary(lines: Sequence[Line], total: int, spent: Decimal | None = None) -> dict[str, Any]:
    """What a batch came to, ready for JSON: answers of `total`, failures, what was spent at most, and each model."""
    return {
        "cells": total,
        "answers": len(lines),
        "failed": sum(line.result.status == "failed" for line in lines),
        "not_passed": sum(line.result.passed is False for line in lines),
        "spent": None if spent is None else format(spent, "f"),
        "models": by_model(lines),
    }


def to_csv(lines: Sequence[Line]) -> str:
    """The rows as CSV, one column per check; nothing in it is a formula to a spreadsheet."""
    rows = [{**line.row(), **_check_columns(line)} for line in lines]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([harmless(name) for name in names])
    writer.writerows([[harmless(row.get(name)) for name in names] for row in rows])
    return text.getvalue()


def to_jsonl(lines: Sequence[Line]) -> str:
    """One JSON object per answer."""
    return "".join(json.dumps(line.to_dict(), ensure_ascii=False) + "\n" for line in lines)


def _check_columns(line: Line) -> dict[str, Any]:
    checks = line.result.checks or ()
    told: dict[str, Any] = {f"check {number} {one.kind}": one.passed for number, one in enumerate(checks, 1)}
    told |= {f"check {number} detail": one.detail for number, one in enumerate(checks, 1)}
    judged = [(number, one.cost) for number, one in enumerate(checks, 1) if one.cost is not None]
    costs = {f"check {number} cost": cost["total"] for number, cost in judged}
    return told | costs | {f"check {number} currency": cost["currency"] for number, cost in judged}
