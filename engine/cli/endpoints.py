"""The verb `endpoints`: which there are, whether they answer, and those that one adds. Never asks for a key: it names
the variable that holds it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.asking import key_in
from engine.cli.models_list import table
from engine.cli.output import Output, harmless
from engine.cli.sentences import sentence

if TYPE_CHECKING:
    from engine.endpoints import Connection
    from engine.providers import Provider

HELP = "list, test, add or remove the servers behind remote models, or find those on this machine"
HEADINGS = ("id", "name", "address", "protocol", "key", "")
SHOWN = 12  # names of models on a line

Flags = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace, Output], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser for each part; without one, the list."""
    parts = parser.add_subparsers(dest="part", metavar="PART")
    for name, (add, _, text) in PARTS.items():
        part = parts.add_parser(name, help=text, description=text)
        add(part)
        # the general flags are taken after the part too; unset there, they must not undo what stands before it
        part.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")
        part.add_argument("-o", "--output", metavar="FILE", default=argparse.SUPPRESS, help="write to this file")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """The exit code of the part: 3 where an endpoint that was tested does not answer, else 0."""
    return PARTS[arguments.part or "list"][1](arguments, out)


def _no_flags(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def _test_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the list")
    parser.add_argument("--key-env", metavar="VAR", help="environment variable that holds another key")


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="small letters, digits and hyphens; one that exists is changed")
    parser.add_argument("base_url", metavar="URL", nargs="*", help="http://host:port/v1; several serve the same models")
    parser.add_argument("--name", help="what pages call it")
    parser.add_argument("--like", metavar="ID", help="it is such a server: ollama, lmstudio, llama-server, vllm…")
    parser.add_argument("--key-env", metavar="VAR", help="environment variable that holds its key")
    parser.add_argument("--window", type=int, metavar="TOKENS", help="of its models, where it does not tell")
    text = "students may use it, with the key that is known here"
    parser.add_argument("--students", action=argparse.BooleanOptionalAction, default=None, help=text)


def _remove_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="one that was added; a changed one is again as it was")


def _load_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="ID/MODEL", help="of LM Studio or Ollama")
    parser.add_argument("--window", type=int, metavar="TOKENS", help="to load it with")


def _unload_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="ID/MODEL", help="of LM Studio or Ollama")


def _pull_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="an Ollama of the list")
    parser.add_argument("model", metavar="MODEL", help="as Ollama's registry calls it")


def _list(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    with closing(Engine()) as engine:
        rows, typed = engine.endpoints.rows(), engine.endpoints.typed()
    if out.as_json:
        out.json({"endpoints": [described(row, row.id in typed) for row in rows.values()]})
        return 0
    for line in table([HEADINGS, *(_cells(row, row.id in typed) for row in rows.values())]):
        out.line(line)
    return 0


def _test(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    with closing(Engine()) as engine:
        found = engine.endpoints.test(arguments.id, key_in(arguments.key_env))
    if out.as_json:
        out.json({"id": arguments.id, "addresses": [one.to_dict() for one in found]})
    else:
        for one in found:
            _say(one, out)
    return 3 if all(one.problem for one in found) else 0


def _add(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    first, *others = arguments.base_url or [None]
    fields = {name: getattr(arguments, name) for name in ("id", "name", "like", "key_env", "window", "students")}
    with closing(Engine()) as engine:
        row = engine.endpoints.add({**fields, "base_url": first, "addresses": others or None})
    out.json(described(row, typed=True)) if out.as_json else out.line(f"{row.id}: {' '.join(row.all_addresses())}")
    return 0


def _remove(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    with closing(Engine()) as engine:
        engine.endpoints.remove(arguments.id)
    out.json({"removed": arguments.id}) if out.as_json else out.line(f"{arguments.id}: forgotten")
    return 0


def _detect(arguments: argparse.Namespace, out: Output) -> int:
    from engine.connection import detect

    found = detect()
    if out.as_json:
        told = [{"like": one.row, "name": one.name, **one.connection.to_dict()} for one in found]
        out.json({"found": told})
        return 0
    for one in found:
        out.line(one.name)
        _say(one.connection, out)
    if not found:
        out.line("no LM Studio, Ollama, llama.cpp server or vLLM answers on its usual port of this machine")
    return 0


def _load(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine
    from engine.far import load

    with closing(Engine()) as engine:
        found = load(engine, arguments.model, arguments.window)
    if out.as_json:
        out.json({"loaded": [{"id": one.id, "window": one.window} for one in found]})
    for one in found if not out.as_json else ():
        out.line(harmless(one.id) + (f": {one.window} tokens" if one.window else ""))
    return 0


def _unload(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine
    from engine.far import unload

    with closing(Engine()) as engine:
        was = unload(engine, arguments.model)
    told = "unloaded" if was else "was not loaded"
    out.json({"unloaded": was}) if out.as_json else out.line(f"{arguments.model}: {told}")
    return 0


def _pull(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine
    from engine.far import pull

    last = ""
    with closing(Engine()) as engine:
        for status, done, total in pull(engine, arguments.id, arguments.model):
            share = f" {100 * (done or 0) // total} %" if total else ""
            if not out.as_json and status + share != last:
                out.line(harmless(status) + share)
            last = status + share
    if out.as_json:
        out.json({"pulled": arguments.model})
    return 0


def described(row: Provider, typed: bool) -> dict[str, Any]:
    """The row without its key: only whether there is one."""
    from engine.settings import secret

    known = {"key_set": row.key_env is not None and secret(row.key_env) is not None, "typed": typed}
    return {"base_url": row.base_url, **row.to_dict(), **known}


def _cells(row: Provider, typed: bool) -> tuple[str, ...]:
    told = described(row, typed)
    key = "" if row.key_env is None else f"{row.key_env}{' (set)' if told['key_set'] else ''}"
    more = f" +{len(row.addresses)}" if row.addresses else ""
    protocol = row.native or row.protocol
    return (row.id, harmless(row.name), row.base_url + more, protocol, key, "added" if typed else "")


def _say(found: Connection, out: Output) -> None:
    if found.problem is not None:
        out.line(f"{found.address}: {found.problem.code}: {harmless(sentence(found.problem))}")
        return
    window = f", window {found.window} tokens" if found.window else ""
    version = f", version {harmless(found.version)}" if found.version else ""
    out.line(f"{found.address}: {(found.latency_s or 0) * 1000:.0f} ms{version}{window}")
    names = [harmless(one.id) + (" (loaded)" if one.loaded else "") for one in found.models]
    left = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    out.line(f"  {', '.join(names[:SHOWN]) or 'no list of models'}{left}")


PARTS: dict[str, tuple[Flags, Run, str]] = {
    "list": (_no_flags, _list, "the known endpoints, and which of their keys are set"),
    "test": (_test_flags, _test, "whether one answers, how fast, with which models and which window"),
    "add": (_add_flags, _add, "add one, or change one that is there"),
    "remove": (_remove_flags, _remove, "forget one that was added"),
    "load": (_load_flags, _load, "have LM Studio or Ollama load a model"),
    "unload": (_unload_flags, _unload, "have them give a model's memory back"),
    "pull": (_pull_flags, _pull, "have Ollama fetch a model"),
    "detect": (_no_flags, _detect, "find LM Studio, Ollama, llama.cpp servers and vLLM on this machine"),
}
