"""The verb `bench`: how fast a local model reads and writes, as llama-bench; two runs compared.

Not `python3 run.py bench`, which measures the application.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.cli.keeping import keep, kept_or_file, list_kept
from engine.cli.measuring import files_of, measured
from engine.cli.output import Output
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.quality.ratios import Ratio

HELP = "how fast a local model reads a prompt and writes, measured as llama-bench does, in rows with its keys"
SIZES = {
    "prompts": ("-p", "--prompts", "512", "tokens to read"),
    "generated": ("-n", "--generated", "128", "tokens to write"),
    "depths": ("-d", "--depths", "0", "tokens that are in the window already"),
    "threads": ("-t", "--threads", None, "default: the settings' own"),
    "batches": ("-b", "--batches", "2048", "tokens handed over at once"),
    "ubatches": ("-ub", "--ubatches", "512", "tokens computed at once"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """llama-bench's flags; values with commas, and every combination is a row."""
    for name, (short, long, default, said) in SIZES.items():
        text = said if default is None else f"{said} (default {default})"
        parser.add_argument(short, long, dest=name, default=default, metavar="N,N", help=text)
    parser.add_argument("--kv-types", default="f16", metavar="K,K", help="of keys and values: q8_0… (default f16)")
    parser.add_argument("-r", "--repetitions", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("-m", "--model", metavar="M", help="a GGUF file, or the id of a model; see the verb models")
    what = parser.add_mutually_exclusive_group()
    text = "compare: one run with a new one, or two runs; a file of llama-bench or of ours, or the name of a kept run"
    what.add_argument("--compare", nargs="+", metavar="RUN", help=text)
    what.add_argument("--kept", action="store_true", help="list the runs that are kept, and measure nothing")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    if arguments.kept:
        return list_kept("speed", out)
    runs = [_run(name) for name in arguments.compare or ()]
    if len(runs) > 2:
        raise BadInput("--compare takes one run or two")
    if len(runs) == 2:
        _compare(runs[0], runs[1], out)
        return 0
    found = _measured(arguments)
    if runs:
        _compare(runs[0], found["rows"], out)
    elif out.as_json:
        out.json([{**row, "card": found["card"]} for row in found["rows"]])  # a list, as llama-bench's
    else:
        out.text("".join(f"{line}\n" for line in lines(found["rows"])))
    keep("speed", found["card"]["file"], found)
    return 0


def _measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """A new run: its card and rows."""
    from engine.quality.speed import Plan
    from engine.quality.stopwatch import TASK

    (path,), threads = files_of(arguments.model)
    sizes = {name: _numbers(getattr(arguments, name)) for name in SIZES if getattr(arguments, name) is not None}
    rest = {"kv_types": arguments.kv_types.split(","), "repetitions": arguments.repetitions}
    plan = Plan.from_dict({"threads": [threads], **sizes, **rest})
    return measured(TASK, {"path": path, "plan": plan.to_dict()})


def _run(name: str) -> list[dict[str, Any]]:
    """The rows of a file or of a kept run. Raises BadFile, NotFound."""
    from engine.quality.ratios import read_run

    found = kept_or_file("speed", name)
    return read_run(name, found) if isinstance(found, bytes) else list(found["rows"])


def _compare(before: list[dict[str, Any]], after: list[dict[str, Any]], out: Output) -> None:
    from engine.quality.ratios import compare

    found = compare(before, after)
    if out.as_json:
        out.json([one.to_dict() for one in found])
    else:
        out.text("".join(f"{line}\n" for line in _ratio_lines(found)))


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """llama-bench's table in Markdown."""
    heads = ("model", "size", "params", "backend", "threads", "batch", "kv", "test", "t/s")
    yield f"| {' | '.join(heads)} |"
    yield "|" + " --- |" * len(heads)
    for row in rows:
        size, weights = f"{row['model_size'] / 2**20:.2f} MiB", f"{row['model_n_params'] / 1e6:.2f} M"
        rate = f"{row['avg_ts']:.2f} ± {row['stddev_ts']:.2f}"
        cells = (row["model_type"], size, weights, row["backends"], row["n_threads"], row["n_batch"], row["type_k"])
        yield f"| {' | '.join(map(str, (*cells, row['test'], rate)))} |"
    yield f"\nsha256 {rows[0]['model_sha256']}, build {rows[0]['build_commit']}"


def _ratio_lines(found: tuple[Ratio, ...]) -> Iterator[str]:
    yield "test             threads  kv       before      after  ratio [95 % interval]"
    for one in found:
        between = "" if one.low is None or one.high is None else f" [{one.low:.3f}, {one.high:.3f}]"
        left = f"{one.test:<16} {one.n_threads:>7}  {one.type_k:<5} {one.before:>9.2f}  {one.after:>9.2f}"
        yield f"{left}  {one.ratio:.3f}{between}{' *' if one.clear else ''}"


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise BadInput(f"whole numbers with commas, not {text!r}") from error
