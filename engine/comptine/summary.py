"""What a sweep's cells say together: means with intervals per setting, and the effective context of each curve.

Knows no model and no chart; the unit is the seed (engine.statistics).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from statistics import fmean, median
from typing import Any

from engine.comptine.cell import Cell, CellResult
from engine.comptine.effective import Length, effective_context
from engine.errors import BadInput
from engine.statistics import Interval, Paired, bootstrap, by_seed, paired, wilson

RATES = ("strict", "normalized", "fuzzy")  # one number per prompt, so its mean is resampled
YES_NO = ("obedience", "gibberish", "in_order")  # yes or no per prompt: Wilson
COUNTS = ("omissions", "out_of_range", "invented", "duplicates", "example_leak")


def summary(results: Iterable[CellResult]) -> dict[str, Any]:
    """`cells`, `statuses`, `rows` (one per setting, all seeds together) and `effective` (one per curve), for JSON."""
    known = list(results)
    groups = by_setting(known)
    return {
        "cells": len(known),
        "statuses": dict(Counter(result.status for result in known)),
        "rows": [row(group) for group in groups],
        "effective": [_effective(curve) for curve in by_curve(known)],
    }


def by_setting(results: Iterable[CellResult]) -> list[list[CellResult]]:
    """The results in groups that differ in their seed only."""
    return _groups(results, lambda result: (result.cell.setting, result.model))


def by_curve(results: Iterable[CellResult]) -> list[list[CellResult]]:
    """The results in groups that differ in seed and number of verses only."""
    return _groups(results, lambda result: (replace(result.cell.setting, verses=1), result.model))


def row(group: Sequence[CellResult]) -> dict[str, Any]:
    """One setting: its factors, how many of its prompts were scored, each metric with its interval (None: none was).

    Means of rates are resampled over seeds, yes-or-no metrics have Wilson's interval, counts a plain mean; first token
    in seconds and prompt tokens are medians.
    """
    first = group[0]
    scored = [result for result in group if result.score is not None]
    factors = {name: value for name, value in first.cell.to_dict().items() if name != "seed"}
    told: dict[str, Any] = {
        **factors,
        "model": first.model,
        "virtual_window": first.cell.window,
        "window": first.window,
        "n": len(scored),
        "budget": sum(result.status == "budget" for result in group),
        "refused": sum(result.status == "refused" for result in group),
        "failed": sum(result.status == "failed" for result in group),
        "prompt_tokens": _median(result.prompt_tokens for result in group),
        "total": _median(result.total for result in group),
        "first_token": _median(result.first_token for result in scored),
        "tokens_per_second": _median(result.tokens_per_second for result in scored),
    }
    told |= {name: _dict(rate(scored, name)) for name in RATES}
    told |= {name: _dict(share(scored, name)) for name in YES_NO}
    return told | {name: fmean(getattr(r.score, name) for r in scored) if scored else None for name in COUNTS}


def rate(results: Iterable[CellResult], metric: str) -> Interval | None:
    """The mean of a rate over seeds with its bootstrap interval; None where nothing was scored."""
    values = _by_seed(results, metric)
    return bootstrap(list(values.values())) if values else None


def share(results: Iterable[CellResult], metric: str) -> Interval | None:
    """The share of prompts for which a yes-or-no metric holds, with Wilson's interval; None where none was scored."""
    said = [bool(getattr(result.score, metric)) for result in results if result.score is not None]
    return wilson(sum(said), len(said)) if said else None


def compare(first: Iterable[CellResult], second: Iterable[CellResult], metric: str = "strict") -> Paired:
    """Two models or settings on the same seeds. Raises BadInput where they share no scored prompt.

    Where they were asked at several lengths too, each seed counts with its mean over the lengths that both have.
    """
    one, other = _by_prompt(first, metric), _by_prompt(second, metric)
    shared = one.keys() & other.keys()
    if not shared:
        raise BadInput("the two share no scored prompt", n=0)
    means = [by_seed((key[0], side[key]) for key in sorted(shared)) for side in (one, other)]
    return paired(*means)


def _effective(curve: Sequence[CellResult]) -> dict[str, Any]:
    """Both definitions on `strict`, of the lengths of one curve, in prompt tokens; None where nothing was scored."""
    first = curve[0]
    factors = {name: value for name, value in first.cell.to_dict().items() if name not in ("seed", "verses")}
    told: dict[str, Any] = {**factors, "model": first.model, "relative": None, "absolute": None}
    lengths = list(points(curve))
    if lengths:
        told["relative"] = effective_context(lengths, "relative").to_dict()
        told["absolute"] = effective_context(lengths, "absolute").to_dict()
    return told


def points(curve: Iterable[CellResult], metric: str = "strict") -> list[Length]:
    """The lengths of one curve, shortest first: median prompt tokens and the mean of a rate with its interval."""
    found = []
    for group in _groups(curve, lambda result: result.cell.verses):
        interval = rate(group, metric)
        tokens = _median(result.prompt_tokens for result in group if result.score is not None)
        if interval is not None and tokens is not None:
            found.append(Length(round(tokens), interval))
    return sorted(found, key=lambda length: length.tokens)


def _groups(results: Iterable[CellResult], key: Callable[[CellResult], Any]) -> list[list[CellResult]]:
    groups: dict[Any, list[CellResult]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return sorted(groups.values(), key=lambda group: _place(group[0].cell))


def _place(cell: Cell) -> tuple[Any, ...]:
    return tuple((value is not None, value) for value in asdict(cell).values())


def _by_seed(results: Iterable[CellResult], metric: str) -> dict[int, float]:
    return by_seed((r.cell.seed, float(getattr(r.score, metric))) for r in results if _rated(r, metric))


def _by_prompt(results: Iterable[CellResult], metric: str) -> dict[tuple[int, int, int, int], float]:
    """The metric of each prompt: seed, verses and range; whatever else differs is what is compared."""
    return {
        (r.cell.seed, r.cell.verses, r.cell.first, r.cell.last): float(getattr(r.score, metric))
        for r in results
        if _rated(r, metric)
    }


def _rated(result: CellResult, metric: str) -> bool:
    return result.score is not None and getattr(result.score, metric) is not None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _dict(interval: Interval | None) -> dict[str, Any] | None:
    return interval.to_dict() if interval else None
