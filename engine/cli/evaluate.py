"""The verb `evaluate`: small question sets put to a model, judged by likelihood and by its answers."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.asking import add_model_arguments, chosen
from engine.cli.keeping import keep, kept_or_file, list_kept
from engine.cli.output import Output, harmless
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.model import Model
    from engine.tasks import Progress

HELP = "put a small question set to a model: by log-likelihood and by what it writes, with intervals"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which items, how they are judged, which model."""
    text = "fr or en for our own items, or a JSONL file as lm-evaluation's tasks and logs have them"
    parser.add_argument("file", nargs="?", metavar="FILE", help=text)
    text = "by the likelihood of the choices (local models), or by what the model writes (default: both where possible)"
    parser.add_argument("--method", choices=("likelihood", "answer"), help=text)
    parser.add_argument("--limit", type=int, metavar="N", help="the first N items only")
    parser.add_argument("--max-tokens", type=int, default=32, metavar="N", help="of an answer (default 32)")
    text = "then compare with an earlier result, item by item: its JSON file, or the name of a kept one"
    parser.add_argument("--compare", metavar="RESULT", help=text)
    parser.add_argument("--kept", action="store_true", help="list the results that are kept, and ask nothing")
    add_model_arguments(parser)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    if arguments.kept:
        return list_kept("evaluation", out)
    if arguments.file is None:
        raise BadInput("which FILE? fr, en or a JSONL file")
    before = None if arguments.compare is None else _earlier(arguments.compare)
    found = _evaluated(arguments)
    if before is not None:
        from engine.quality.evaluations import compare

        found["compared"] = {name: one.to_dict() for name, one in compare(found, before).items()}
    if out.as_json:
        out.json(found)
    else:
        out.text("".join(f"{line}\n" for line in lines(found)))
    keep("evaluation", f"{found['model']} {arguments.file}", found)
    return 0


def _evaluated(arguments: argparse.Namespace) -> dict[str, Any]:
    from engine.engine import Engine
    from engine.quality.evaluating import evaluate

    with closing(Engine()) as engine:
        model = chosen(engine, arguments)
        options = {"limit": arguments.limit, "max_tokens": arguments.max_tokens}
        return _watched(evaluate(engine, arguments.file, model, methods=_methods(arguments, model), **options))


def _methods(arguments: argparse.Namespace, model: Model) -> tuple[Any, ...]:
    if arguments.method is not None:
        return (arguments.method,)
    return ("likelihood", "answer") if model.card.backend == "llamacpp" else ("answer",)


def _watched(steps: Iterator[Progress | dict[str, Any]]) -> dict[str, Any]:
    """The last step; on a terminal with a line of progress that is written over."""
    shown, started = sys.stderr.isatty(), time.monotonic()
    found: dict[str, Any] = {}
    for step in steps:
        if isinstance(step, dict):
            found = step
        elif shown and step.total:
            spent = time.monotonic() - started
            left = f", {spent * (step.total - step.done) / step.done:.0f} s left" if step.done else ""
            sys.stderr.write(f"\r{step.done:.0f} of {step.total:.0f}{left}\x1b[K")
            sys.stderr.flush()
    if shown:
        sys.stderr.write("\r\x1b[K")
    return found


def _earlier(name: str) -> Mapping[str, Any]:
    """An earlier result. Raises BadFile, NotFound."""
    found = kept_or_file("evaluation", name)
    if isinstance(found, bytes):
        from engine.quality.evaluations import read_result

        return read_result(name, found)
    return found


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """One line a measure, with what it says; then what the comparison says."""
    from engine.quality.evaluations import MEASURES

    chance = "" if found["chance"] is None else f", chance {found['chance']:.2f}"
    yield f"{harmless(found['model'])}: {found['n']} items of {harmless(found['source'])}{chance}"
    for name, one in found["metrics"].items():
        yield f"{name:<13} {one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]  n {one['n']:<4} {MEASURES[name]}"
    if found.get("left_out"):
        yield f"left out, longer than the window: {len(found['left_out'])}"
    for name, one in found.get("compared", {}).items():
        difference = one["difference"]
        left = f"{name:<13} {difference['value']:+.2f} [{difference['low']:+.2f}, {difference['high']:+.2f}]"
        yield f"{left}  {one['wins']} won, {one['losses']} lost, {one['ties']} tied{' *' if one['clear'] else ''}"
