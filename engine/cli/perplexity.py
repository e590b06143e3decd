"""The verb `perplexity`: how well a local model predicts a text. Knows only the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.cli.asking import file_text, text_of
from engine.cli.keeping import keep, list_kept
from engine.cli.measuring import files_of, measured
from engine.cli.output import Output
from engine.errors import BadInput

HELP = "how well a local model predicts a text, as llama-perplexity measures it, and in bits per byte"


def text_arguments(parser: argparse.ArgumentParser) -> None:
    """The text and its windows."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="a text in UTF-8; - reads standard input")
    parser.add_argument("--context", type=int, default=512, metavar="TOKENS", help="tokens of a window (default 512)")
    parser.add_argument("--kept", action="store_true", help="list the results that are kept, and measure nothing")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Text, windows, model."""
    text_arguments(parser)
    parser.add_argument("--stride", type=int, metavar="TOKENS", help="windows advance by so many tokens and overlap")
    parser.add_argument("-m", "--model", metavar="M", help="a GGUF file, or the id of a model; see the verb models")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.quality.perplexity import TASK

    if arguments.kept:
        return list_kept("perplexity", out)
    text = text_at(arguments.file)
    (path,), threads = files_of(arguments.model)
    args = {"path": path, "text": text, "window": arguments.context, "stride": arguments.stride, "threads": threads}
    found = measured(TASK, args)
    if out.as_json:
        out.json(found)
    else:
        out.text("".join(f"{line}\n" for line in lines(found)))
    keep("perplexity", f"{found['card']['file']} {Path(arguments.file).name}", found)
    return 0


def text_at(name: str | None) -> str:
    """What the file holds but one last line end, which llama-perplexity leaves out too. Raises BadFile, BadInput."""
    if name is None:
        raise BadInput("which FILE? - reads standard input")
    return (text_of(name) if name == "-" else file_text(name)).removesuffix("\n")


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The result as llama-perplexity prints it, and what it does not print."""
    yield "".join(f"[{number}]{value:.4f}," for number, value in enumerate(found["so_far"], 1))
    yield f"PPL = {found['perplexity']:.4f} +/- {found['standard_error']:.5f}"
    yield f"{found['bits_per_byte']:.4f} bits per byte, {found['nats_per_token']:.4f} nats per token"
    how = f"windows of {found['window']}" + (f", stride {found['stride']}" if found["stride"] else "")
    yield f"{found['counted']} of {found['tokens']} tokens predicted, {how}, {found['seconds']:.1f} s"
    yield f"{found['card']['file']}, sha256 {found['card']['sha256']}"
