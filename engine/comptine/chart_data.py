"""The rows behind the charts, as plain values: what a reader downloads as CSV or JSON. Knows no chart, no language."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from engine.comptine.cell import CellResult
from engine.comptine.effective import survival
from engine.comptine.summary import RATES, YES_NO, by_setting, rate, share
from engine.statistics import wilson

Row = dict[str, Any]
FACTORS = ("model", "shots", "place", "variant", "language", "first", "last", "virtual_window", "policy")
CURVES = ("strict", "normalized", "obedience")


def factors_of(result: CellResult) -> dict[str, Any]:
    """What makes its curve, by name."""
    cell = result.cell
    return {**{name: getattr(cell, name) for name in FACTORS if name not in ("model", "virtual_window")},
            "model": result.model, "virtual_window": cell.window}  # fmt: skip


def varying(results: Iterable[CellResult]) -> tuple[str, ...]:
    """The factors that are not the same everywhere: what a legend has to tell apart."""
    known = [factors_of(result) for result in results]
    return tuple(name for name in FACTORS if len({repr(row[name]) for row in known}) > 1)


def heat(results: Iterable[CellResult]) -> list[Row]:
    """A row for each requested verse of each length: share of prompts that gave it exactly, with Wilson's interval.

    `depth` is its place in the rhyme in per cent; `state` is done, budget or refused, and the share then None.
    """
    rows = []
    for group in by_setting(results):
        for verse in group[0].cell.prompt().requested:
            said = [_state(result, verse) == "exact" for result in group if result.score is not None]
            found = wilson(sum(said), len(said)) if said else None
            rows.append({
                **factors_of(group[0]), "verses": group[0].cell.verses, "tokens": _tokens(group), "verse": verse,
                "depth": round(100 * verse / group[0].cell.verses, 1), "exact": found and found.value,
                "low": found and found.low, "high": found and found.high, "n": len(said),
                "state": "done" if said else group[0].status,
            })  # fmt: skip
    return rows


def accuracy(results: Iterable[CellResult], metrics: Sequence[str] = CURVES) -> list[Row]:
    """A row for each length and metric: the mean over prompts with its interval, by real prompt tokens (median)."""
    rows = []
    for group in by_setting(results):
        scored = [result for result in group if result.score is not None]
        for metric in metrics:
            found = rate(scored, metric) if metric in RATES else share(scored, metric) if metric in YES_NO else None
            if found is not None:
                rows.append({**factors_of(group[0]), "verses": group[0].cell.verses, "tokens": _tokens(scored),
                             "metric": metric, **found.to_dict()})  # fmt: skip
    return rows


def windows(results: Iterable[CellResult]) -> list[Row]:
    """The borders of the windows, in prompt tokens: the window itself (`full`), and where the answer stops fitting."""
    found: dict[tuple[str, int], Row] = {}
    for result in results:
        if result.window:
            found[("full", result.window)] = {"border": "full", "tokens": result.window}
            if result.needed:
                left = result.window - result.needed
                found[("answer", left)] = {"border": "answer", "tokens": left}
    return list(found.values())


def strips(results: Iterable[CellResult]) -> list[Row]:
    """A row for each mark of each answer: `place` counts along the strip, `said` is the name given."""
    ordered = sorted(results, key=lambda result: (result.cell.verses, result.cell.seed, result.cell.key))
    return [
        {**factors_of(result), "verses": result.cell.verses, "seed": result.cell.seed, "key": result.cell.key,
         "place": place, "verse": mark.verse, "state": mark.state, "said": mark.said}
        for result in ordered if result.score is not None for place, mark in enumerate(result.marks, 1)
    ]  # fmt: skip


def survivals(results: Iterable[CellResult]) -> list[Row]:
    """A row for each place of the range and each length: share of prompts without a wrong verse up to it."""
    rows = []
    for group in by_setting(results):
        scored = [result for result in group if result.score is not None]
        asked = group[0].cell.prompt().requested
        if not scored or not asked:
            continue
        drifts = [_place(result, asked) for result in scored]
        for point in survival(drifts, len(asked)):
            rows.append({**factors_of(group[0]), "verses": group[0].cell.verses, "place": point.place,
                         **point.share.to_dict()})  # fmt: skip
    return rows


def tokens(results: Iterable[CellResult]) -> list[Row]:
    """A row for each length: OpenAI's two encodings of the message, and the model's whole prompt, in tokens."""
    from engine.tokenizers import count_tiktoken

    rows = []
    for group in by_setting(results):
        totals = [result.total for result in group if result.total is not None]
        if not totals:
            continue
        text = group[0].cell.prompt().text
        counted = {name: count_tiktoken(text, name) for name in ("cl100k_base", "o200k_base")}
        whole = median(totals)
        rows.append({**factors_of(group[0]), "verses": group[0].cell.verses, **counted, "model_tokens": whole,
                     "ratio": whole / counted["cl100k_base"]})  # fmt: skip
    return rows


def first_tokens(results: Iterable[CellResult]) -> list[Row]:
    """A row for each answer: seconds to its first token, by prompt tokens and by those that needed no reading."""
    return [
        {**factors_of(result), "verses": result.cell.verses, "seed": result.cell.seed, "tokens": result.prompt_tokens,
         "cached": result.cached, "seconds": result.first_token}
        for result in results if result.first_token is not None and result.prompt_tokens is not None
    ]  # fmt: skip


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as CSV, columns in the order of their first row; empty text for no rows."""
    known = list(rows)
    out = io.StringIO()
    if known:
        columns = list(dict.fromkeys(name for row in known for name in row))
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _plain(value) for name, value in row.items()} for row in known)
    return out.getvalue()


def to_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as a JSON array."""
    return json.dumps([dict(row) for row in rows], ensure_ascii=False, indent=1)


def table(results: Iterable[CellResult]) -> list[Row]:
    """The run table: one flat row per cell."""
    return [result.row() for result in results]


def _plain(value: Any) -> Any:
    """The value for a spreadsheet: a text that would be read as a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


def _tokens(group: Sequence[CellResult]) -> float | None:
    known = [result.prompt_tokens for result in group if result.prompt_tokens is not None]
    return median(known) if known else None


def _state(result: CellResult, verse: int) -> str | None:
    """How a requested verse fared: its own mark comes before those of its repetitions."""
    return next((mark.state for mark in result.marks if mark.verse == verse), None)


def _place(result: CellResult, asked: Sequence[int]) -> int | None:
    """The place in the range (from 1) of the first drift; None where there is none."""
    drift = result.score.first_drift if result.score else None
    return None if drift is None else asked.index(drift) + 1
