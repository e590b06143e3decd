"""The verb `config`: what is kept for a model or an instance, and which value wins."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.asking import file_text
from engine.cli.models_list import table
from engine.cli.output import Output
from engine.errors import BadInput, BadParameter

if TYPE_CHECKING:
    from engine.models.configuration import Configuration
    from engine.models.deciding import Decided

HELP = "show, set or remove what is kept for a model or an instance of it (model@name)"
HEADINGS = ("name", "value", "said by", "overruled")
SHOWN = 60  # characters of a value
SAID = ("json_schema", "grammar")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which model."""
    parser.add_argument("act", choices=("show", "set", "remove"), help="remove forgets all; of an instance, itself")
    parser.add_argument("model", metavar="MODEL", help="id or alias; set makes an instance of an id model@name")
    text = "such as context=2048 temperature=0.2 system=@file.txt; NAME= forgets it"
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help=text)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.decided import decided
    from engine.engine import Engine
    from engine.instances import configure, remove

    if arguments.values and arguments.act != "set":
        raise BadInput("NAME=VALUE belongs to set")
    with closing(Engine()) as engine:
        model = arguments.model
        if arguments.act == "remove":
            remove(engine, model)
            out.line(f"{model}: forgotten") if not out.as_json else out.json({"removed": model})
            return 0
        if arguments.act == "set":
            wanted = dict(map(_pair, arguments.values))
            model = configure(engine, model, changed(engine.wishes(model), wanted))
        card = engine.catalog.card(model)
        kept, found = engine.configuration(card), decided(engine, card.id)
    if out.as_json:
        out.json({"id": card.id, "configuration": kept.to_dict(), "decided": [one.to_dict() for one in found]})
    else:
        for line in table([HEADINGS, *map(_cells, found)]):
            out.line(line)
    return 0


def changed(before: Configuration, values: Mapping[str, str]) -> Configuration:
    """The configuration with these values by the names that `config` knows, an empty one forgotten. Raises
    BadParameter.
    """
    from engine.models.configuration import Configuration, LoadWishes
    from engine.params import BY_NAME

    data: dict[str, Any] = {"load": {}, "prompt": {}, "params": {}, **before.to_dict()}
    for name, text in values.items():
        if name in SAID:
            data["output"] = {"kind": name, "source": text} if text else None
            continue
        own = "seed" if name == "load_seed" else name
        if name in BY_NAME:
            part, value = "params", BY_NAME[name].check(text) if text else None
        elif own in LoadWishes.model_fields:
            part, value = "load", _number(text)
        elif name in ("system", "template"):
            part, value = "prompt", text
        else:
            raise BadParameter(f"there is no {name} to configure", name=name, value=text, low=None, high=None)
        data[part] = {key: kept for key, kept in data[part].items() if key != own}
        if text:
            data[part][own] = value
    return Configuration.from_dict({name: value for name, value in data.items() if value is not None})


def _pair(argument: str) -> tuple[str, str]:
    name, sign, value = argument.partition("=")
    if not sign:
        raise BadInput(f"{argument!r} is not NAME=VALUE")
    return name, file_text(value[1:]) if value.startswith("@") else value


def _number(text: str) -> Any:
    """A number or a truth value where it is one, else the word itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _cells(one: Decided) -> tuple[str, ...]:
    others = ", ".join(f"{source}: {_short(value)}" for source, value in one.overruled if value is not None)
    return one.name, _short(one.value), one.source, others


def _short(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
