"""The verb `ps`: what is loaded in the running application, how busy it is, how much memory it holds. Loads nothing."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from engine.cli.models_list import table
from engine.cli.output import Output

if TYPE_CHECKING:
    from engine.ps import Loaded

HELP = "list the models that are loaded, with window, queue and memory"
HEADINGS = ("id", "state", "window", "slots", "busy", "waiting", "memory", "idle", "unloaded after")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No flags of its own."""


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.engine import Engine
    from engine.ps import application, loaded

    with closing(Engine()) as engine:
        found, served = loaded(engine), application(engine) is not None
    if out.as_json:
        out.json({"application": served, "loaded": [one.to_dict() for one in found]})
    elif found:
        for line in table([HEADINGS, *map(_cells, found)]):
            out.line(line)
    else:
        out.line("nothing is loaded" if served else "no application runs on this data folder, and nothing is loaded")
    return 0


def _cells(one: Loaded) -> tuple[str, ...]:
    window = "" if one.window is None else f"{one.window} tokens"
    memory = "" if one.memory_bytes is None else f"{one.memory_bytes / 2**20:.0f} MiB"
    ttl = "never" if one.ttl is None else f"{one.ttl:g} s"
    return (
        *(one.id, one.state, window, str(one.slots), str(one.busy), str(one.waiting)),
        *(memory, f"{one.idle:.0f} s", ttl),
    )
