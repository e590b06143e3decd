"""The verb `unload`: have the running application end a model's worker, which gives its memory back."""

from __future__ import annotations

import argparse
from contextlib import closing

from engine.cli.output import Output

HELP = "unload a model in the running application; the next question loads it again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which one."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("model", nargs="?", metavar="MODEL", help="as the verb ps names it, or an alias")
    which.add_argument("--all", action="store_true", help="every one that is loaded")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, also where it was not loaded."""
    from engine.engine import Engine
    from engine.instances import unload
    from engine.ps import loaded

    with closing(Engine()) as engine:
        wanted = [one.id for one in loaded(engine)] if arguments.all else [arguments.model]
        done = {model: unload(engine, model) for model in wanted}
    if out.as_json:
        out.json({"unloaded": [model for model, was in done.items() if was]})
    else:
        for model, was in done.items():
            out.line(f"{model}: unloaded" if was else f"{model} was not loaded")
    return 0
