"""The verb `comptine`: the rhyme of the course sheet, one run, a sweep, a replay, its tokens, its overflow."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.cli import comptine_flags as flags
from engine.cli.asking import chosen, file_text
from engine.cli.comptine_text import overflow_lines, perplexity_lines, run_lines, sweep_lines
from engine.cli.output import Output
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.errors import BadFile

if TYPE_CHECKING:
    from engine.comptine.cell import Cell
    from engine.engine import Engine
    from engine.model import Model

HELP = "the rhyme of the course sheet: generate, run, sweep, replay, tokens, perplexity, overflow"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser for each of its own verbs."""
    verbs = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, (add, _, text) in PARTS.items():
        part = verbs.add_parser(name, help=text, description=text)
        add(part)
        # the general flags are taken after the part too; unset there, they must not undo what stands before it
        part.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")
        part.add_argument("-o", "--output", metavar="FILE", default=argparse.SUPPRESS, help="write to this file")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    return PARTS[arguments.part][1](arguments, out)


def _generate(arguments: argparse.Namespace, out: Output) -> int:
    """The rhyme on stdout, its token counts on stderr, as the sheet's script does."""
    from engine.comptine.rhyme import rhyme
    from engine.tokenizers import ENCODINGS, count_tiktoken

    made = rhyme(arguments.verses, arguments.variant, seed=arguments.seed, language=arguments.language)
    counts = {name: count_tiktoken(made.text, name) for name in ENCODINGS}
    if out.as_json:
        out.json({"text": made.text, "names": list(made.names), "intruder": made.intruder, "tokens": counts})
        return 0
    out.line(made.text)
    sys.stderr.write("".join(f"{name} {count}\n" for name, count in counts.items()))
    return 0


def _run(arguments: argparse.Namespace, out: Output) -> int:
    """One cell: its answer as it comes, then its metrics."""
    from engine.comptine.runfile import record
    from engine.comptine.running import CellRun

    strict = arguments.strict_reproducibility
    with _opened(arguments, strict=strict, slots=1) as (engine, model):
        result = CellRun(model, flags.cell_of(arguments), strict=strict).wait()
        if arguments.save:
            _save(arguments.save, record(engine, model, result, strict=strict))
    if result.error is not None and result.status == "failed":
        from engine.errors import error_from

        raise error_from(result.error)
    if out.as_json:
        out.json({**result.row(), "marks": [asdict(mark) for mark in result.marks], "survivors": result.survivors})
    else:
        out.text("".join(f"{line}\n" for line in run_lines(result)))
    return 0


def _sweep(arguments: argparse.Namespace, out: Output) -> int:
    """Every cell, then what they say together."""
    from pathlib import Path

    from engine.comptine.summary import summary
    from engine.comptine.sweep import SweepRun
    from engine.comptine.sweepfile import SweepFile

    strict = arguments.strict_reproducibility
    file = SweepFile(Path(arguments.file)) if arguments.file else None
    with _opened(arguments, strict=strict, slots=arguments.workers) as (engine, model):
        key = None if model.card.endpoint is None else _key_of(arguments)
        sweep = flags.sweep_of(arguments, model.card.id if arguments.model or arguments.endpoint else None)
        how: dict[str, Any] = {"strict": strict, "workers": arguments.workers, "backend": arguments.backend}
        run = SweepRun(engine, sweep, file, key=key, **how)
        for step in run:
            _progress(step.done, step.total, step.eta)
    results = [run.results[cell.key] for cell in run.cells if cell.key in run.results]
    told = summary(results)
    if out.as_json:
        out.json({"cells": [result.row() for result in results], "summary": told})
    else:
        out.text("".join(f"{line}\n" for line in sweep_lines(told)))
    return 0


def _replay(arguments: argparse.Namespace, out: Output) -> int:
    """Whether the same text came."""
    from engine.comptine.runfile import replay

    try:
        data = json.loads(file_text(arguments.file))
    except ValueError as error:
        raise BadFile(f"{arguments.file} is not JSON", path=arguments.file, reason="json") from error
    found = replay(data)
    told = {"same": found.same, "differences": list(found.differences), "before": found.before.answer}
    if out.as_json:
        out.json({**told, "result": found.result.row()})
    else:
        out.line("same text" if found.same else "another text")
        out.line(f"changed since: {', '.join(found.differences) or 'nothing'}")
    return 0


def _tokens(arguments: argparse.Namespace, out: Output) -> int:
    """How long the prompt is, by whom."""
    from engine.comptine.tokens import count

    asked = flags.cell_of(arguments).prompt()
    if arguments.no_model:
        counts = count(asked, virtual_window=arguments.window)
    else:
        with _opened(arguments) as (_, model):
            counts = count(asked, model, virtual_window=arguments.window)
    told = {**asdict(counts), "fits": counts.fits, "sha256": asked.sha256}
    if out.as_json:
        out.json(told)
    else:
        out.text("".join(f"{name:<10} {'unknown' if value is None else value}\n" for name, value in told.items()))
    return 0


def _perplexity(arguments: argparse.Namespace, out: Output) -> int:
    """How much each verse and its name surprise the model."""
    from engine.comptine.perplexity import Perplexity, perplexity
    from engine.comptine.rhyme import rhyme

    made = rhyme(arguments.verses, arguments.variant, seed=arguments.seed, language=arguments.language)
    with _opened(arguments) as (engine, model):
        for news in perplexity(engine, made, model, method=arguments.method):
            if isinstance(news, Perplexity):
                found = news
    if out.as_json:
        out.json(found.to_dict())
    else:
        out.text("".join(f"{line}\n" for line in perplexity_lines(found)))
    return 0


def _overflow(arguments: argparse.Namespace, out: Output) -> int:
    """What each policy leaves of the prompt."""
    from engine.comptine.behaviours import BEHAVIOURS

    if arguments.engines:
        found: dict[str, Any] = {"engines": [one.to_dict() for one in BEHAVIOURS]}
    else:
        with _opened(arguments) as (_, model):
            found = (
                _ends(model, flags.cell_of(arguments))
                if arguments.bisect
                else _policies(model, flags.cell_of(arguments))
            )
    if out.as_json:
        out.json(found)
    else:
        out.text("".join(f"{line}\n" for line in overflow_lines(found)))
    return 0


PARTS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace, Output], int], str]] = {
    "generate": (flags.generate_flags, _generate, "the rhyme on stdout, its token counts on stderr"),
    "run": (flags.run_flags, _run, "ask once, and score the answer"),
    "sweep": (flags.sweep_flags, _sweep, "ask for every combination, with intervals over seeds"),
    "replay": (flags.replay_flags, _replay, "repeat a run file with one slot and no cache"),
    "tokens": (flags.tokens_flags, _tokens, "how long the prompt is by each tokenizer, and whether the answer fits"),
    "perplexity": (flags.perplexity_flags, _perplexity, "how much each verse surprises the model, in nats"),
    "overflow": (flags.overflow_flags, _overflow, "what is left of a prompt that is too long, by each policy"),
}


@contextmanager
def _opened(
    arguments: argparse.Namespace, *, strict: bool = False, slots: int | None = 1
) -> Iterator[tuple[Engine, Model]]:
    from engine.comptine.runfile import open_engine

    with closing(open_engine(strict=strict, slots=slots)) as engine:
        yield engine, chosen(engine, arguments)


def _key_of(arguments: argparse.Namespace) -> str | None:
    from engine.settings import from_environment

    return from_environment(arguments.key_env) if arguments.key_env else None


def _policies(model: Model, cell: Cell) -> dict[str, Any]:
    """What every policy leaves, and which verses."""
    from dataclasses import replace

    from engine.comptine.running import prepare

    found = {}
    for policy in OVERFLOW_POLICIES:
        made = prepare(model, replace(cell, policy=policy))
        sent = 0 if made.status == "refused" else made.sent
        found[policy] = {
            "status": made.status or "fits",
            "total": made.total,
            "sent": sent,
            "needed": made.needed,
            "window": made.window,
            "survivors": made.survivors.to_dict() if made.survivors else None,
        }
    return {"policies": found}


def _ends(model: Model, cell: Cell) -> dict[str, Any]:
    """The last prompt and the last answer under the window, with the steps that found them."""
    from engine.comptine.ends import ends

    return {name: asdict(found) for name, found in ends(model, cell).items()}


def _save(path: str, record: dict[str, Any]) -> None:
    from pathlib import Path

    try:
        Path(path).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadFile(f"{path} cannot be written: {error.strerror}", path=path, reason=str(error.strerror)) from error


def _progress(done: int, total: int, eta: float | None) -> None:
    """One line that is written over, for who watches; nothing into a file."""
    if sys.stderr.isatty():
        left = "" if eta is None else f"  {eta:.0f} s left"
        sys.stderr.write(f"\r{done}/{total}{left}   " + ("\n" if done == total else ""))
        sys.stderr.flush()
