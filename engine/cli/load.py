"""The verb `load`: have the running application load a model, or a named instance of it with wishes of its own."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.output import Output
from engine.errors import BadInput, NotSupported

if TYPE_CHECKING:
    from engine.engine import Engine

HELP = "load a model in the running application; with --as NAME another instance of it"
WISHES = {
    "context": ("--context-length", "TOKENS", "window of one slot"),
    "slots": ("--slots", "N", "answers at once"),
    "threads": ("--threads", "N", "processor threads"),
    "batch": ("--batch", "TOKENS", "tokens of one evaluation"),
    "gpu_layers": ("--gpu-layers", "N", "layers on the GPU, -1 for all"),
    "kv_type": ("--kv-type", "TYPE", "number format of the key-value cache: f16, bf16, f32, q8_0, q4_0 …"),
    "ttl_s": ("--ttl", "SECONDS", "unload after so long without a request; 0 never"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, under which name, and how."""
    parser.add_argument("model", metavar="MODEL", help="id or alias of a local model, or of an instance: model@name")
    parser.add_argument("--as", dest="instance", metavar="NAME", help="an instance of that name, kept until removed")
    for name, (flag, metavar, text) in WISHES.items():
        parser.add_argument(flag, dest=name, metavar=metavar, help=f"{text} (kept)")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, once it is loaded."""
    from engine.engine import Engine
    from engine.instances import load
    from engine.ps import application

    with closing(Engine()) as engine:
        if application(engine) is None:
            raise BadInput("no application runs on this data folder, which would hold it: python run.py starts one")
        model = _wished(engine, arguments)
        found = load(engine, model)
    if found is None:
        raise NotSupported(f"{model} is not loaded by this application", capability="load_params", backend=None)
    if out.as_json:
        out.json(found.to_dict())
    else:
        out.line(f"{found.id}: {found.window} tokens, {found.slots} slots")
    return 0


def _wished(engine: Engine, arguments: argparse.Namespace) -> str:
    """The id to load; wishes are kept as its configuration first, and a worker that runs with others is ended."""
    from engine.cli.config import changed
    from engine.instances import configure, unload
    from engine.models.configuration import instance_id

    wishes = {name: getattr(arguments, name) for name in WISHES if getattr(arguments, name) is not None}
    card = engine.catalog.card(arguments.model)
    model = instance_id(card.id, arguments.instance) if arguments.instance else card.id
    if not wishes and not arguments.instance:
        return model
    before = engine.configurations.get(model)
    after: Any = changed(before, wishes)
    model = configure(engine, model, after)
    if after.load != before.load:
        unload(engine, model)
    return model
