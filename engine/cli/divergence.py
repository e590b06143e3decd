"""The verb `divergence`: how far a model is from its base on a text. Knows only the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.cli.keeping import keep, list_kept
from engine.cli.measuring import files_of, measured
from engine.cli.output import Output
from engine.cli.perplexity import text_arguments, text_at
from engine.errors import BadInput

HELP = "how far a model, such as a quantization, is from its base on a text, as llama-perplexity --kl-divergence tells"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Text, windows, two models."""
    text_arguments(parser)
    parser.add_argument("--base", metavar="M", help="a GGUF file or the id of a model: the reference")
    parser.add_argument("-m", "--model", metavar="M", help="the one that is compared with it")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.quality.divergence import TASK

    if arguments.kept:
        return list_kept("divergence", out)
    if arguments.base is None or arguments.model is None:
        raise BadInput("divergence takes both --base and --model")
    text = text_at(arguments.file)
    (base, other), threads = files_of(arguments.base, arguments.model)
    args = {"base": base, "other": other, "text": text, "window": arguments.context, "threads": threads}
    found = measured(TASK, args)
    if out.as_json:
        out.json(found)
    else:
        out.text("".join(f"{line}\n" for line in lines(found)))
    title = f"{found['base_card']['file']} → {found['card']['file']} {Path(arguments.file).name}"
    keep("divergence", title, found)
    return 0


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The result in llama-perplexity's order, Δp and shares in percent."""
    yield f"base   {found['base_card']['file']}, sha256 {found['base_card']['sha256']}"
    yield f"model  {found['card']['file']}, sha256 {found['card']['sha256']}"
    yield f"{found['counted']} positions, windows of {found['window']}, {found['seconds']:.1f} s\n"
    yield _pair("PPL", found, "perplexity")
    yield _pair("PPL of the base", found, "base_perplexity")
    if found["correlation"] is not None:
        yield f"{'correlation of ln PPL':<22}{100 * found['correlation']:10.2f} %"
    yield _pair("ln ratio", found, "log_ratio")
    yield _pair("ratio", found, "ratio")
    yield _pair("difference", found, "difference")
    yield "\n" + _pair("mean KLD", found, "mean_kld")
    yield from _percentiles("KLD", found["kld"])
    yield "\n" + _pair("mean Δp", found, "mean_dp", 100, " %")
    yield from _percentiles("Δp", found["dp"], 100, " %")
    yield _pair("RMS Δp", found, "rms_dp", 100, " %")
    yield _pair("same top token", found, "same_top", 100, " %")


def _pair(name: str, found: dict[str, Any], key: str, times: float = 1, unit: str = "") -> str:
    return f"{name:<22}{times * found[key]:10.6f} ± {times * found[f'{key}_error']:9.6f}{unit}"


def _percentiles(name: str, found: dict[str, float], times: float = 1, unit: str = "") -> Iterator[str]:
    for key, value in found.items():
        label = key if key in ("max", "min") else "median" if key == "50" else f"{key} %"
        yield f"{f'{label} {name}':<22}{times * value:10.6f}{unit}"
