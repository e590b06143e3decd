"""The verb `publish`: presets as models of the served API. Knows only the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.cli.asking import add_param_arguments, file_bytes, params_of
from engine.cli.output import Output
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.presets import Preset

HELP = "offer a preset (system prompt, parameters, documents) as a model of the served API"
MODES = ("documents_only", "documents_and_model")

Flags = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace, Output], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser for each part."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, (add, _, text) in PARTS.items():
        part = parts.add_parser(name, help=text, description=text)
        add(part)
        # taken after the part too; unset there, they must not undo what stands before it
        part.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON instead of text")
        part.add_argument("-o", "--output", metavar="FILE", default=argparse.SUPPRESS, help="write to this file")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """The exit code of the part."""
    return PARTS[arguments.part][1](arguments, out)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="what clients ask for as model")
    parser.add_argument("--preset", metavar="NAME", help="one of your presets, as the chat page saves them")
    parser.add_argument("--file", metavar="FILE", help="a preset file, ours or LM Studio's")
    parser.add_argument("--system", metavar="TEXT", help="the system prompt, in place of the preset's")
    parser.add_argument("-m", "--model", metavar="M", help="who answers (default: the default model)")
    parser.add_argument("-c", "--collection", action="append", default=[], metavar="NAME", help="documents to read")
    parser.add_argument("--mode", choices=MODES, default=MODES[1], help="with documents (default: %(default)s)")
    parser.add_argument("--rewrite", action="store_true", help="make follow-up questions stand alone before the search")
    add_param_arguments(parser)


def _add(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine
    from engine.published import Offer

    with closing(Engine()) as engine:
        preset = _preset(engine, arguments)
        model = engine.catalog.card(arguments.model or engine.settings.model).id
        collections = tuple(engine.collections.find(LOCAL_OWNER, name).id for name in arguments.collection)
        offer = Offer(arguments.name, preset, model, LOCAL_OWNER, collections, arguments.mode, arguments.rewrite)
        offer = engine.published.publish(offer)
    if out.as_json:
        out.json(offer.to_dict())
    else:
        out.line(f"{offer.name} is a model of /v1 now, answered by {offer.model}")
    return 0


def _preset(engine: Engine, arguments: argparse.Namespace) -> Preset:
    """The preset of the flags. Raises NotFound, BadFile, BadInput, BadParameter."""
    from engine.presets import Preset, Presets, read_preset

    preset = Preset(arguments.name)
    if arguments.preset:
        preset = Presets(engine.library).get(LOCAL_OWNER, arguments.preset)
    elif arguments.file:
        preset = read_preset(file_bytes(arguments.file))
    named = params_of(arguments)
    params = {**preset.params, **{name: named[name] for name in named.given}}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}
    settings = dict(preset.settings)
    if arguments.virtual_window is not None:
        settings["virtual_window"] = arguments.virtual_window
    system = preset.system if arguments.system is None else arguments.system
    return replace(preset, name=arguments.name, system=system, params=plain, settings=settings)


def _list_flags(parser: argparse.ArgumentParser) -> None:
    pass


def _list(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    with closing(Engine()) as engine:
        offers = engine.published.list()
    if out.as_json:
        out.json([offer.to_dict() for offer in offers])
        return 0
    for offer in offers:
        system = " ".join(offer.preset.system.split())
        told = f"{offer.name}  {offer.model}  documents: {len(offer.collections)}"
        out.line(told + (f"  {system[:60]}" if system else ""))
    return 0


def _remove_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="what is offered no more")


def _remove(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    with closing(Engine()) as engine:
        engine.published.withdraw(arguments.name)
    if out.as_json:
        out.json({"removed": arguments.name})
    return 0


PARTS: dict[str, tuple[Flags, Run, str]] = {
    "add": (_add_flags, _add, "publish a preset under a name, or again with what it says now"),
    "list": (_list_flags, _list, "what is published"),
    "remove": (_remove_flags, _remove, "offer it no more"),
}
