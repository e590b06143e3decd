"""Batches in words: what a form asks for, how far it is, answers and models as rows, charts, files. Knows no widget and
no framework.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from apps.ui.compare_figures import money
from apps.ui.evaluation import number_locale
from apps.ui.i18n import Words
from apps.ui.present import Progress, error_text
from engine.compare import batch_charts
from engine.compare.batch_file import BatchFile, SavedBatch
from engine.compare.batch_plan import CELLS_MAX, Batch, read_grid, templates_for
from engine.compare.batch_results import MEASURES, Line, Measure, Pivot, by_model, judging, lines_of, to_csv, to_jsonl
from engine.compare.batch_table import Table, read_table
from engine.errors import BadFile, BadInput, BadParameter, error_from
from engine.jobs import Job

Row = tuple[str, ...]


@dataclass(frozen=True)
class Opened:
    """A batch, its answers in its order, and how many it asks for."""

    saved: SavedBatch
    lines: tuple[Line, ...]
    total: int


Held = Mapping[str, Any]

EXAMPLES = ("facts", "temperatures", "json")
FILES: Mapping[str, str] = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
WRITTEN = {"csv": to_csv, "jsonl": to_jsonl}
MARKS = {True: "✓", False: "✗", None: "–"}
LISTED = 30  # earlier batches
SHOWN = 300  # answers on a page; a file has all
TEXT_SHOWN = 300  # characters of a prompt or an answer
SCHEMA = '{"type": "object", "required": ["city", "country"], "properties": {"city": {"type": "string"}}}'
START: Mapping[str, Any] = {"prompts": "", "template": "", "models": [], "contains": "", "system": "", "params": "",
                            "repetitions": 1, "regex": "", "schema": "", "similar": "", "threshold": 0.85, "judge": "",
                            "rubric": "", "budget": "", "currency": "USD"}  # fmt: skip


def example(name: str, words: Words) -> dict[str, Any]:
    """What the form holds in one of EXAMPLES; its table is `table`."""
    rows = words.typed(f"compare_batch.example.{name}_rows").encode()
    held = {**START, "table": read_table("example.csv", rows), "template": "{{question}}"}
    if name == "facts":
        return held | {"contains": "{{answer}}", "params": "max_tokens = 32"}
    if name == "temperatures":
        return held | {"params": "temperature = 0, 1\nmax_tokens = 32", "repetitions": 2}
    return held | {"schema": SCHEMA, "params": "temperature = 0\nmax_tokens = 64"}


def table_of(held: Held) -> Table:
    """The rows to ask: the table's, else a question a line. Raises BadInput where there are none."""
    if held.get("table") is not None:
        table: Table = held["table"]
        return table
    prompts = [line.strip() for line in str(held["prompts"] or "").splitlines() if line.strip()]
    if not prompts:
        raise BadInput("nothing is asked", reason="batch_nothing")
    return Table(("prompt",), tuple({"prompt": line} for line in prompts))


def batch_of(held: Held, chosen: str) -> Batch:
    """The batch of what a form holds; of the `chosen` model unless it names others. Raises BadInput, BadParameter."""
    table = table_of(held)
    template = str(held["template"] or "").strip()
    return Batch.of(
        {
            "rows": table.rows,
            "templates": (template,) if template else templates_for(table.columns),
            "system": str(held["system"] or "").strip() or None,
            "models": list(held["models"] or ()) or [chosen],
            "params": read_grid(str(held["params"] or "")),
            "repetitions": int(held["repetitions"] or 1),
            "checks": list(_checks(held)),
            "budget": _amount(str(held["budget"] or "")),
            "currency": str(held["currency"] or "USD").strip().upper(),
        }
    )


def _checks(held: Held) -> Sequence[dict[str, Any]]:
    """A check for each field that says one."""
    more: dict[str, dict[str, Any]] = {"contains": {}, "regex": {}, "json_schema": {},
                                       "similarity": {"threshold": float(held["threshold"] or 0)},
                                       "judge": {"model": str(held["judge"] or "").strip() or None}}  # fmt: skip
    fields = {"json_schema": "schema", "similarity": "similar", "judge": "rubric"}
    said = {kind: str(held[fields.get(kind, kind)] or "").strip() for kind in more}
    return [{"kind": kind, "value": value, **more[kind]} for kind, value in said.items() if value]


def _amount(text: str) -> Decimal | None:
    text = text.replace("\u202f", "").replace(",", ".").strip()
    try:
        return Decimal(text) if text else None
    except InvalidOperation as error:
        raise BadInput(f"no amount: {text[:40]!r}", reason="batch_amount", value=text[:40]) from error


def resumed(asked: Batch, budget: str) -> Batch:
    """The batch to go on with: as it was asked, with another budget where one is said. Raises BadInput."""
    amount = _amount(budget)
    return asked if amount is None else asked.model_copy(update={"budget": amount})


def estimate(held: Held, chosen: str, words: Words) -> tuple[bool, str]:
    """Whether the form asks for something, and how much, or why not."""
    try:
        cells = len(batch_of(held, chosen).cells())
    except (BadInput, BadFile, BadParameter) as error:
        if error.details.get("reason") == "batch_nothing":
            return False, ""
        return False, error_text(error, words).sentence
    return True, words.n("compare_batch.cells", cells, limit=CELLS_MAX)


def progress(job: Job, words: Words) -> Progress:
    """How far an open batch is."""
    if job.state == "queued":
        return Progress(words.t("compare_batch.queued"))
    if not job.done or not job.total:
        return Progress(words.t("compare_batch.starting"), 0.0)
    told = {"done": words.number(job.done), "total": words.number(job.total), "left": words.seconds(job.eta)}
    return Progress(words.t("compare_batch.running", **told), min(1.0, job.done / job.total))


def label(file: BatchFile, words: Words) -> str:
    """The name of an earlier batch in a list: when, which models, how many rows."""
    try:
        created, models, rows = file.head()
    except BadFile:  # the others are still to be chosen
        return file.path.stem
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created))
    return f"{when} · {', '.join(models)[:60]} · {words.n('compare_batch.rows', rows)}"


def opened(file: BatchFile) -> Opened:
    """A batch with its answers; read again only where something has come since."""
    try:
        return _opened(file.path, file.path.stat().st_size)
    except OSError as error:
        raise BadFile(f"{file.path.name}: {error.strerror}", path=file.path.name, reason="missing") from error


@functools.lru_cache(maxsize=4)
def _opened(path: Path, size: int) -> Opened:
    saved = BatchFile(path).read()
    return Opened(saved, lines_of(saved.batch, saved.results), len(saved.batch.cells()))


def state_lines(one: Opened, words: Words) -> list[str]:
    """How whole a batch is, what failed, what was spent of its budget."""
    saved, lines, total = one.saved, one.lines, one.total
    failed = sum(line.result.status == "failed" for line in lines)
    told = [words.t(f"compare_batch.{'whole' if len(lines) == total else 'partial'}", done=len(lines), total=total)]
    if failed:
        told.append(words.n("compare_batch.some_failed", failed))
    budget = saved.batch.budget
    if budget is not None:
        spent, cap = (money(amount, saved.batch.currency, words) for amount in (saved.spent, budget))
        told.append(words.t("compare_batch.spent", spent=spent, cap=cap))
    rubrics = [check for check in saved.batch.checks if check.kind == "judge"]
    told += [words.t("compare_batch.rubric_said", model=check.model or "", rubric=check.value) for check in rubrics]
    if cost := judging(lines):
        total_told = {"total": cost["cost"], "currency": cost["currency"], "kind": cost["cost_kind"]}
        told.append(words.t("compare_batch.judging", cost=cost_told(total_told, words)))
    return told


def unfinished(one: Opened) -> bool:
    """Whether there is something left to ask."""
    judged = bool(one.saved.batch.checks)
    return len(one.lines) < one.total or not all(line.result.settled(judged) for line in one.lines)


def answers_head(words: Words) -> Row:
    """The titles of `answers_rows`."""
    return _head(words, "prompt", "model", "passed", "answer", "tokens", "seconds", "cost")


def answers_rows(lines: Sequence[Line], words: Words) -> list[Row]:
    """One row per answer, the first SHOWN of them."""
    return [_answer_row(line, words) for line in lines[:SHOWN]]


def _answer_row(line: Line, words: Words) -> Row:
    result, cell = line.result, line.cell
    given = ", ".join(f"{name} {value}" for name, value in cell.given.items())
    said = result.text
    if result.status == "failed" and result.error:
        said = error_text(error_from(result.error), words).what + (f" {said}" if said else "")
    tokens = (result.usage or {}).get("completion_tokens")
    return (
        short(cell.prompt), f"{cell.model} ({given})" if given else cell.model, verdict(line, words), short(said),
        words.number(tokens), words.seconds(line.value("seconds")), cost_told(result.cost or {}, words),
    )  # fmt: skip


def verdict(line: Line, words: Words) -> str:
    """Whether it passed, with what it failed by."""
    wrong = [words.t(f"compare_batch.check.{one.kind}") for one in line.result.checks or () if one.passed is False]
    unjudged = [words.t(f"compare_batch.check.{one.kind}") for one in line.result.checks or () if one.passed is None]
    told = MARKS[line.result.passed] + (f" {', '.join(wrong)}" if wrong else "")
    return told + (f" ({words.t('compare_batch.unjudged')} {', '.join(unjudged)})" if unjudged else "")


def short(text: str) -> str:
    """A text in one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_SHOWN else f"{line[:TEXT_SHOWN]}…"


def cost_told(cost: Mapping[str, Any], words: Words) -> str:
    """What an answer cost, that nobody bills it, or that it is unknown."""
    if cost.get("total") is not None:
        return money(Decimal(cost["total"]), str(cost["currency"]), words)
    return words.t("compare.no_bill" if cost.get("kind") == "local" else "compare.unknown")


def models_head(words: Words) -> Row:
    """The titles of `models_rows`."""
    return _head(words, "model", "n", "failed", "share", "first", "speed", "seconds", "cost")


def models_rows(lines: Sequence[Line], words: Words) -> list[Row]:
    """One row per model: how many answers, the share that passed with its interval, means, the cost in all."""
    return [_model_row(one, words) for one in by_model(lines)]


def _model_row(one: Mapping[str, Any], words: Words) -> Row:
    share, first, speed, seconds = (one[name] for name in ("passed", "first_token", "tokens_per_second", "seconds"))
    ends = {name: 100 * share[name] for name in ("value", "low", "high")} if share else {}
    total = {"total": one["cost"], "currency": one["currency"], "kind": one["cost_kind"]}
    return (
        one["model"], words.number(one["n"]), words.number(one["failed"]),
        words.t("compare_batch.interval", **ends) if share else "–",
        words.seconds(first and first["value"]), words.rate(speed and speed["value"]),
        words.seconds(seconds and seconds["value"]), cost_told(total, words),
    )  # fmt: skip


def pivot_head(found: Pivot, words: Words) -> Row:
    """The titles of `pivot_rows`: the question, then a column for each model."""
    return (words.t("compare_batch.column.prompt"), *found.models)


def pivot_rows(found: Pivot, measure: Measure, words: Words) -> list[Row]:
    """Questions down, models across, the first SHOWN of them."""
    rows = zip(found.questions[:SHOWN], found.values, strict=False)
    return [(short(question), *(value_told(value, measure, words) for value in values)) for question, values in rows]


def value_told(value: float | None, measure: Measure, words: Words) -> str:
    """A value of a measure with its unit."""
    if value is None:
        return "–"
    if measure == "passed":
        return words.t("tokens.percent", value=words.number(100 * value))
    if measure == "tokens_per_second":
        return words.rate(value)
    if measure == "completion_tokens":
        return words.number(value, 0 if value == int(value) else 1)
    return words.number(value, 6) if measure == "cost" else words.seconds(value)


def measures(words: Words) -> dict[str, Measure]:
    """What can be told of models, by its name."""
    return {words.t(f"compare_batch.measure.{name}"): name for name in MEASURES}


def chart(lines: Sequence[Line], measure: Measure, words: Words) -> Any:
    """The picture of a measure per model; None where nothing of it is known."""
    said = {name: words.t(f"compare_batch.measure.{name}") for name in MEASURES}
    models = by_model(lines)
    if measure == "passed":
        drawn = batch_charts.passed(models, said) if batch_charts.passed_rows(models) else None
    else:
        known = batch_charts.measured_rows(lines, measure)
        drawn = batch_charts.measured(lines, measure, said) if known else None
    return drawn and drawn.configure(locale=number_locale(words))


def chart_text(lines: Sequence[Line], measure: Measure, words: Words) -> str:
    """The picture as a sentence."""
    known: dict[str, list[float]] = {}
    for line in lines:
        if (value := line.value(measure)) is not None:
            known.setdefault(line.cell.model, []).append(value)
    means = (f"{model} {value_told(sum(found) / len(found), measure, words)}" for model, found in known.items())
    return words.t("compare_batch.chart", measure=words.t(f"compare_batch.measure.{measure}"), told=", ".join(means))


def file(form: str, lines: Sequence[Line]) -> str:
    """All answers as a file of one of FILES."""
    return WRITTEN[form](lines)


def _head(words: Words, *names: str) -> Row:
    return tuple(words.t(f"compare_batch.column.{name}") for name in names)
