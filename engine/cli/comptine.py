"""The verb `comptine`: the rhyme of the course sheet, one run, a sweep, a replay, its tokens, its overflow."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.cli.asking import add_model_arguments, checked, chosen, file_text
from engine.cli.output import Output
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.comptine.question import KINDS, PLACES
from engine.comptine.rhyme import LANGUAGES, VARIANTS
from engine.errors import BadFile, BadInput

if TYPE_CHECKING:
    from engine.comptine.cell import Cell, CellResult
    from engine.engine import Engine, Model

HELP = "the rhyme of the course sheet: generate, run, sweep, replay, tokens, overflow"


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


# --- flags


def _add_rhyme(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variant", choices=VARIANTS, default="constant", help="default constant, as in the sheet")
    parser.add_argument("--language", choices=LANGUAGES, default="fr", help="of rhyme and question (default fr)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws names and intruder (default 0)")


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verses", type=int, help="how many")
    _add_rhyme(parser)


def _add_question(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("question")
    group.add_argument("--kind", choices=KINDS, default="range", help="default range")
    group.add_argument("--first", type=int, default=1, metavar="N", help="first verse asked for (default 1)")
    group.add_argument("--last", type=int, default=10, metavar="N", help="last one (default 10)")
    group.add_argument("--text", metavar="TEXT", help="a question of one's own, with --kind custom")
    group.add_argument("--prefix", metavar="TEXT", help="begin the answer so; auto: up to the first name")
    group.add_argument("--policy", choices=OVERFLOW_POLICIES, default="refuse", help="when the prompt is too long")
    group.add_argument("--temperature", type=float, default=0.0, metavar="X", help="default 0: the likeliest token")
    group.add_argument("-n", "--max-tokens", type=int, metavar="N", help="default: the ideal answer and a margin")


def _add_cell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verses", type=int, required=True, metavar="N", help="of the rhyme")
    _add_rhyme(parser)
    _add_question(parser)
    parser.add_argument("--shots", type=int, choices=(0, 1), default=0, help="solved examples before it (default 0)")
    parser.add_argument("--place", choices=PLACES, default="after", help="of the question (default after)")
    parser.add_argument("--window", type=int, metavar="TOKENS", help="a smaller window, enforced exactly")
    add_model_arguments(parser)


def _add_strict(parser: argparse.ArgumentParser) -> None:
    text = "a worker of its own with one slot, and no cache: the same text each time"
    parser.add_argument("--strict-reproducibility", action="store_true", help=text)


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    _add_strict(parser)
    parser.add_argument("--save", metavar="FILE", help="write a run file that `replay` repeats")


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    lists = parser.add_argument_group("factors: values with commas; every combination is a cell")
    lists.add_argument("--verses", required=True, metavar="N,N")
    lists.add_argument("--ranges", metavar="A-B,A-B", help="instead of --first and --last")
    lists.add_argument("--variant", default="names", metavar="V,V", help=f"of {', '.join(VARIANTS)} (default names)")
    lists.add_argument("--language", default="fr", metavar="L,L", help=f"of {', '.join(LANGUAGES)} (default fr)")
    lists.add_argument("--shots", default="0", metavar="0,1")
    lists.add_argument("--place", default="after", metavar="P,P", help=f"of {', '.join(PLACES)} (default after)")
    lists.add_argument("--windows", metavar="N,N", help="virtual windows in tokens (default: the model's own)")
    lists.add_argument("--models", metavar="M,M", help="ids or aliases, instead of --model")
    lists.add_argument("--seeds", type=int, default=5, metavar="N", help="so many rhymes of each kind (default 5)")
    _add_question(parser)
    add_model_arguments(parser)
    _add_strict(parser)
    how = parser.add_argument_group("how")
    how.add_argument("--file", metavar="FILE", help="keep finished cells here; with the same file it goes on from them")
    how.add_argument("--workers", type=int, metavar="N", help="cells at once (default: the slots of the runtime)")
    how.add_argument("--backend", choices=("threading", "ray"), default="threading", help="default threading")


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="what `run --save` wrote")


def _add_tokens(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    parser.add_argument("--no-model", action="store_true", help="leave the model out, which takes seconds to load")


def _add_overflow(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    parser.add_argument("--bisect", action="store_true", help="the last rhyme whose prompt, and whose answer, fits")
    parser.add_argument("--engines", action="store_true", help="what real engines do; needs no model")


# --- parts


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
        result = CellRun(model, _cell(arguments), strict=strict).wait()
        if arguments.save:
            _save(arguments.save, record(engine, model, result, strict=strict))
    if result.error is not None and result.status == "failed":
        from engine.errors import error_from

        raise error_from(result.error)
    if out.as_json:
        out.json({**result.row(), "marks": [asdict(mark) for mark in result.marks], "survivors": result.survivors})
    else:
        out.text("".join(f"{line}\n" for line in _lines(result)))
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
        sweep = _grid(arguments, model.card.id if arguments.model or arguments.endpoint else None)
        how: dict[str, Any] = {"strict": strict, "workers": arguments.workers, "backend": arguments.backend}
        run = SweepRun(engine, sweep, file, key=key, **how)
        for step in run:
            _progress(step.done, step.total, step.eta)
    results = [run.results[cell.key] for cell in run.cells if cell.key in run.results]
    told = summary(results)
    if out.as_json:
        out.json({"cells": [result.row() for result in results], "summary": told})
    else:
        out.text("".join(f"{line}\n" for line in _table(told)))
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

    asked = _cell(arguments).prompt()
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


def _overflow(arguments: argparse.Namespace, out: Output) -> int:
    """What each policy leaves of the prompt."""
    from engine.comptine.behaviours import BEHAVIOURS

    if arguments.engines:
        found: dict[str, Any] = {"engines": [one.to_dict() for one in BEHAVIOURS]}
    else:
        with _opened(arguments) as (_, model):
            found = _ends(model, _cell(arguments)) if arguments.bisect else _policies(model, _cell(arguments))
    if out.as_json:
        out.json(found)
    else:
        out.text("".join(f"{line}\n" for line in _overflow_lines(found)))
    return 0


# --- helpers


PARTS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace, Output], int], str]] = {
    "generate": (_add_generate, _generate, "the rhyme on stdout, its token counts on stderr"),
    "run": (_add_run, _run, "ask once, and score the answer"),
    "sweep": (_add_sweep, _sweep, "ask for every combination, with intervals over seeds"),
    "replay": (_add_replay, _replay, "repeat a run file with one slot and no cache"),
    "tokens": (_add_tokens, _tokens, "how long the prompt is by each tokenizer, and whether the answer fits"),
    "overflow": (_add_overflow, _overflow, "what is left of a prompt that is too long, by each policy"),
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


def _cell(arguments: argparse.Namespace) -> Cell:
    """The cell of the flags; the model is chosen apart."""
    from engine.comptine.cell import Cell

    names = ("verses", "first", "last", "kind", "variant", "language", "seed", "shots", "place", "policy", "window",
             "temperature", "max_tokens")  # fmt: skip
    return Cell.from_dict(
        {**{name: getattr(arguments, name) for name in names}, **_texts(arguments), "model": arguments.model}
    )


def _texts(arguments: argparse.Namespace) -> dict[str, str | None]:
    given = {"text": arguments.text, "prefix": arguments.prefix}
    return {name: None if value is None else checked(value) for name, value in given.items()}


def _grid(arguments: argparse.Namespace, model: str | None) -> Any:
    """The sweep of the flags. Raises BadInput."""
    from engine.comptine.grid import Sweep

    ranges = [f"{arguments.first}-{arguments.last}"] if arguments.ranges is None else arguments.ranges.split(",")
    if arguments.seeds < 1:
        raise BadInput("--seeds is 1 or more")
    return Sweep.of(
        {
            "verses": arguments.verses.split(","),
            "ranges": [one.split("-") for one in ranges],
            "variants": arguments.variant.split(","),
            "languages": arguments.language.split(","),
            "shots": _numbers(arguments.shots),
            "places": arguments.place.split(","),
            "windows": [None] if arguments.windows is None else arguments.windows.split(","),
            "models": [model] if arguments.models is None else arguments.models.split(","),
            "seeds": range(1, arguments.seeds + 1),
            **{name: getattr(arguments, name) for name in ("kind", "policy", "temperature", "max_tokens")},
            **_texts(arguments),
        }
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise BadInput(f"whole numbers with commas, not {text!r}") from error


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


_SIGNS = {"exact": "=", "drift": "~", "wrong": "x", "missing": "-", "not_reached": ".", "out_of_range": "+",
          "invented": "!", "duplicate": "2"}  # fmt: skip


def _lines(result: CellResult) -> Iterator[str]:
    if result.answer:
        yield result.answer
        yield ""
        yield "".join(_SIGNS[mark.state] for mark in result.marks)
    yield f"status {result.status}; {result.prompt_tokens} prompt + {result.needed} needed of {result.window} tokens"
    for name, value in result.metrics().items():
        yield f"{name:<13} {'–' if value is None else value}"


def _table(told: dict[str, Any]) -> Iterator[str]:
    yield "verses  tokens   n  strict [interval]      normalized  obedience [interval]   budget"
    for row in told["rows"]:
        tokens = "–" if row["prompt_tokens"] is None else f"{row['prompt_tokens']:.0f}"
        normalized = "–" if row["normalized"] is None else f"{row['normalized']['value']:.2f}"
        left = f"{row['verses']:>6}  {tokens:>6}  {row['n']:>2}  {_interval(row['strict']):<22} {normalized:<11}"
        yield f"{left} {_interval(row['obedience']):<22} {row['budget'] + row['refused']}"
    for curve in told["effective"]:
        for name in ("relative", "absolute"):
            if found := curve[name]:
                yield f"effective context, {name}: {_reach(found)}"


def _interval(found: dict[str, Any] | None) -> str:
    return "–" if found is None else f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def _reach(found: dict[str, Any]) -> str:
    said = [
        f"< {found['shortest']}" if found[name] is None else str(found[name]) for name in ("tokens", "conservative")
    ]
    more = " or more" if found["reached_end"] else ""
    return f"{said[0]}{more} tokens (surely {said[1]}), threshold {found['threshold']:.3f}"


def _overflow_lines(found: dict[str, Any]) -> Iterator[str]:
    for one in found.get("engines", ()):
        yield f"{one['name']}: {one['prompt']}, then {one['full']}"
        yield f"    {one['text'] or '(says nothing)'}"
    for policy, told in found.get("policies", {}).items():
        yield f"{policy:<11} {told['status']:<8} {told['sent']} of {told['total']} tokens in {told['window']}"
        if told["survivors"]:
            yield "    " + "".join(
                {"whole": "#", "part": "~", "gone": "."}[fate] for fate in told["survivors"]["verses"]
            )
    for name in ("prompt", "answer"):
        if name in found:
            yield f"last {name} that fits: {found[name]['last']} verses ({len(found[name]['steps'])} steps)"
