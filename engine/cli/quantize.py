"""The verb `quantize`: a local model in another number format, or in several, measured. Knows only the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.cli.keeping import keep, list_kept
from engine.cli.measuring import measured
from engine.cli.output import Output
from engine.cli.perplexity import text_at
from engine.errors import BadInput

HELP = "write a local model in another number format (Q8_0 … Q2_K), and see what that costs and saves"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, which kinds, and the text of the table."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a GGUF file, or the id of a model")
    parser.add_argument("kinds", nargs="*", metavar="TYPE", help="such as Q4_K_M; several with --table; none: sizes")
    text = "measure size, speed, perplexity and divergence of every TYPE on this text (without TYPE: Q8_0 to Q2_K)"
    parser.add_argument("--table", metavar="FILE", help=text)
    parser.add_argument("--context", type=int, default=512, metavar="TOKENS", help="of its windows (default 512)")
    parser.add_argument("--kept", action="store_true", help="list the tables that are kept, and do nothing")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    if arguments.kept:
        return list_kept("quantizations", out)
    if arguments.model is None:
        raise BadInput("which MODEL? see the verb models")
    if arguments.table is not None:
        return _table(arguments, out)
    if not arguments.kinds:
        return _sizes(arguments.model, out)
    if len(arguments.kinds) != 1:
        raise BadInput("one TYPE such as Q4_K_M; several go with --table")
    return _one(arguments, out)


def _sizes(model: str, out: Output) -> int:
    from engine.engine import Engine
    from engine.models.quantize import SIZES_TASK
    from engine.quality.weights import shipped_file

    with closing(Engine()) as engine:
        source = shipped_file(engine, model)
    found = measured(SIZES_TASK, {"source": str(source)})
    if out.as_json:
        out.json(found)
        return 0
    out.line(f"{source.name}: {found['source'] / 1e6:.1f} MB; it would have")
    for kind, size in found["kinds"].items():
        out.line(f"{kind:<8}" + ("llama.cpp cannot make it" if size is None else f"{size / 1e6:>9.1f} MB"))
    return 0


def _one(arguments: argparse.Namespace, out: Output) -> int:
    from engine.models.quantize import TASK

    (kind,) = arguments.kinds
    source, targets, threads = _targets(arguments.model, [kind])
    args = {"source": str(source), "target": targets[kind], "kind": kind, "threads": threads}
    found = {**measured(TASK, args), "source": str(source), "model": Path(targets[kind]).stem.casefold()}
    if out.as_json:
        out.json(found)
    else:
        out.line(f"{found['path']}  {found['size'] / 1e6:.0f} MB  sha256 {found['sha256']}")
        out.line(f"the model {found['model']}, by {found['tool']}")
    return 0


def _table(arguments: argparse.Namespace, out: Output) -> int:
    from engine.quality.quantizations import KINDS, TASK

    text = text_at(arguments.table)
    source, targets, threads = _targets(arguments.model, arguments.kinds or KINDS)
    args = {"source": str(source), "targets": targets, "text": text, "window": arguments.context, "threads": threads}
    found = measured(TASK, args)
    if out.as_json:
        out.json(found)
    else:
        out.text("".join(f"{line}\n" for line in lines(found)))
    keep("quantizations", found["card"]["file"], found)
    return 0


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """One line a kind, the source first."""
    yield "type      size MB  bits/weight     read t/s    write t/s  perplexity  mean KLD  same top token"
    for row in found["rows"]:
        if "error" in row:
            # llama.cpp frames what it says in lines of "="
            said = " ".join(word for word in row["error"]["message"].split() if word.strip("="))
            yield f"{row['quantization']:<8} {row['error']['code']}: {said}"
            continue
        rates = "".join(f"{rate['avg_ts']:>13.1f}" for rate in row["speed"].values())
        left = f"{row['quantization'] or '?':<8}{row['size_bytes'] / 1e6:>9.1f}{row['bits_per_weight']:>13.2f}{rates}"
        far = "" if row["base"] else f"{row['mean_kld']:>10.4f}{100 * row['same_top']:>14.2f} %"
        yield f"{left}{row['perplexity']:>12.3f}{far}"
    yield f"from {found['card']['file']}, sha256 {found['card']['sha256']}"


def _targets(model: str, kinds: Any) -> tuple[Path, dict[str, str], int]:
    """The file as it was shipped, where each kind of it lies, and the threads."""
    from engine.engine import Engine
    from engine.quality.quantizations import target_file
    from engine.quality.weights import shipped_file

    with closing(Engine()) as engine:
        source = shipped_file(engine, model)
        made = {kind: str(target_file(engine.settings, source, kind)) for kind in kinds}
        return source, made, engine.settings.threads
