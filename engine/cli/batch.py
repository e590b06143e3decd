"""The verb `batch`: a table of prompts put to several models, judged, with a budget. Knows only the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.asking import file_bytes, file_text, key_in
from engine.cli.output import Output, harmless
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.compare.batch import BatchRun
    from engine.compare.batch_plan import Batch
    from engine.compare.batch_results import Line
    from engine.engine import Engine

HELP = "put every row of a table (CSV, JSONL) to several models, check the answers, stop before a budget is passed"
LINE = 60  # characters of a prompt and of an answer in the list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is asked of whom, how often; what an answer must be; how far to go."""
    parser.add_argument("file", metavar="FILE", help="CSV with a line of names, or JSONL; in UTF-8")
    text = "ids or aliases, separated by commas; see the verb models (default: the default model)"
    parser.add_argument("--models", metavar="A,B", default="", help=text)
    parser.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible server; its models are endpoint/NAME")
    parser.add_argument("--key-env", metavar="VAR", help="environment variable that holds the endpoint's key")
    text = "what is asked of a row, with its columns in {{braces}}; may be repeated (default: the column prompt)"
    parser.add_argument("--template", action="append", metavar="TEXT", help=text)
    parser.add_argument("--system", metavar="TEXT", help="a system prompt, with columns in {{braces}} too")
    text = "values of a parameter, such as temperature=0,0.7; repeated: every combination"
    parser.add_argument("--param", action="append", default=[], metavar="NAME=A,B", help=text)
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="ask each so many times (default 1)")
    group = parser.add_argument_group("checks", "each may be repeated and may hold columns in {{braces}}")
    group.add_argument("--contains", action="append", default=[], metavar="TEXT", help="the answer has this in it")
    group.add_argument("--regex", action="append", default=[], metavar="PATTERN", help="the answer matches somewhere")
    group.add_argument("--schema", action="append", default=[], metavar="FILE", help="the answer is JSON like this")
    group.add_argument("--similar", action="append", default=[], metavar="TEXT", help="the answer means nearly this")
    group.add_argument("--threshold", type=float, metavar="X", help="the cosine that is near enough (default 0.85)")
    group.add_argument("--rubric", action="append", default=[], metavar="TEXT", help="what --judge decides by")
    group.add_argument("--judge", metavar="MODEL", help="the model that judges by the rubric")
    group = parser.add_argument_group("limits")
    group.add_argument("--budget", metavar="AMOUNT", help="the most that all may cost; needs known prices")
    group.add_argument("--currency", default="USD", metavar="ABC", help="of the budget (default USD)")
    group.add_argument("--at-once", type=int, metavar="N", help="requests to each provider at a time (default 4)")
    text = "keep the answers here as they come, and go on with what is there"
    group.add_argument("--results", metavar="JSONL", help=text)
    text = "the answers as CSV instead of a list"
    parser.add_argument("--csv", action="store_true", help=text)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0; 130 where Ctrl-C ended it, with what is there."""
    from engine.comptine.runfile import open_engine

    with closing(open_engine(slots=1)) as engine:
        keys = _endpoint(engine, arguments)
        work = _run(engine, arguments, keys)
        ended = _followed(work)
        _write(work, out, arguments)
    return 130 if ended else 0


def batch_of(arguments: argparse.Namespace, default: str) -> Batch:
    """The batch that the flags ask for. Raises BadInput, BadFile, BadParameter."""
    from engine.compare.batch_plan import Batch, read_grid, templates_for
    from engine.compare.batch_table import read_table

    table = read_table(Path(arguments.file).name, file_bytes(arguments.file))
    return Batch.of(
        {
            "rows": table.rows,
            "templates": arguments.template or templates_for(table.columns),
            "system": arguments.system,
            "models": [name.strip() for name in arguments.models.split(",") if name.strip()] or [default],
            "params": read_grid("\n".join(arguments.param)) if arguments.param else ({},),
            "repetitions": arguments.repeat,
            "checks": list(_checks(arguments)),
            "budget": _amount(arguments.budget),
            "currency": arguments.currency,
        }
    )


def _checks(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    yield from ({"kind": "contains", "value": text} for text in arguments.contains)
    yield from ({"kind": "regex", "value": text} for text in arguments.regex)
    yield from ({"kind": "json_schema", "value": file_text(path)} for path in arguments.schema)
    threshold = {} if arguments.threshold is None else {"threshold": arguments.threshold}
    yield from ({"kind": "similarity", "value": text, **threshold} for text in arguments.similar)
    yield from ({"kind": "judge", "value": text, "model": arguments.judge} for text in arguments.rubric)


def _amount(told: str | None) -> Decimal | None:
    try:
        return None if told is None else Decimal(told.replace(",", "."))
    except InvalidOperation as error:
        raise BadInput(f"--budget takes an amount, not {told!r}") from error


def _endpoint(engine: Engine, arguments: argparse.Namespace) -> str | None:
    if not arguments.endpoint:
        if arguments.key_env:
            raise BadInput("--key-env belongs to --endpoint; a known provider's key has its own variable")
        return None
    from engine.providers import typed_in

    engine.catalog.add(typed_in(arguments.endpoint))
    return key_in(arguments.key_env)


def _run(engine: Engine, arguments: argparse.Namespace, key: str | None) -> BatchRun:
    from engine.compare.batch import BatchRun
    from engine.compare.batch_file import BatchFile

    batch = batch_of(arguments, engine.settings.model)
    file = BatchFile(Path(arguments.results)) if arguments.results else None
    if file is not None and file.path.exists():  # what it was asked with yesterday is asked the same
        batch = batch.model_copy(update={"date": file.read().batch.date})
    keys = {name: key for name in batch.models if key and name.startswith("endpoint/")}
    return BatchRun(engine, batch, file, keys=keys, at_once=arguments.at_once)


def _followed(work: BatchRun) -> bool:
    """Whether Ctrl-C ended it; a line of progress on a terminal."""
    shown = sys.stderr.isatty()
    try:
        for step in work:
            if shown:
                left = "" if step.eta is None else f"  {step.eta:.0f} s left"
                sys.stderr.write(f"\r{step.done}/{step.total}{left}\x1b[K")
                sys.stderr.flush()
    except KeyboardInterrupt:
        work.cancel()
        return True
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
    return False


def _write(work: BatchRun, out: Output, arguments: argparse.Namespace) -> None:
    from engine.compare.batch_results import lines_of, summary, to_csv

    lines = lines_of(work.batch, work.results)
    spent = work.budget.spent if work.batch.budget is not None else None
    told = summary(lines, len(work.cells), spent) | {"over_budget": len(work.over), "waited": work.waited}
    if out.as_json:
        out.json({"results": [line.to_dict() for line in lines], "summary": told})
    elif arguments.csv:
        out.text(to_csv(lines))
    else:
        out.text("".join(f"{line}\n" for line in (*_list(lines), "", *_models(told))))


def _list(lines: Sequence[Line]) -> Iterator[str]:
    marks = {True: "+", False: "-", None: " "}
    for line in lines:
        said = line.result.text if line.result.status == "done" else f"({(line.result.error or {}).get('code')})"
        prompt, answer = (json.dumps(" ".join(text.split())[:LINE], ensure_ascii=False) for text in
                          (line.cell.prompt, said))  # fmt: skip
        yield harmless(f"{marks[line.result.passed]} {line.cell.model}  {prompt} → {answer}")


def _models(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"{told['answers']} of {told['cells']} answers, {told['failed']} failed, {told['not_passed']} not passed"
    for one in told["models"]:
        share = one["passed"]
        passed = f"{share['value']:.2f} [{share['low']:.2f}, {share['high']:.2f}]" if share else "not judged"
        seconds = f"{one['seconds']['value']:.2f} s" if one["seconds"] else "? s"
        cost = f"{one['cost']} {one['currency']}" if one["cost"] is not None else one["cost_kind"]
        yield harmless(f"{one['model']:<32} n {one['n']:<5} passed {passed}  {seconds} an answer  cost {cost}")
    if told["spent"] is not None:
        yield f"spent at most {told['spent']}; {told['over_budget']} not asked for want of budget"
