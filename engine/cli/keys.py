"""The verb `keys`: who may use the served API, and how much. Knows only the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.cli.output import Output
from engine.errors import NotFound
from engine.person import LOCAL_OWNER, PersonRole

if TYPE_CHECKING:
    from engine.keys import ApiKey, Spent

HELP = "keys of the served API: create, list, revoke"
HEADINGS = ("id", "name", "state", "opens", "requests today", "tokens today", "expires", "last used")

Flags = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace, Output], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser for each part."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, (add, _, text) in PARTS.items():
        part = parts.add_parser(name, help=text, description=text)
        add(part)
        # taken after the part too; unset there, they must not undo what stands before it
        part.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON value")
        part.add_argument("-o", "--output", metavar="FILE", default=argparse.SUPPRESS, help="write to this file")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """The exit code of the part."""
    return PARTS[arguments.part][1](arguments, out)


def _create_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", help="what it is for, such as open-webui")
    parser.add_argument("--person", metavar="ID", default=LOCAL_OWNER, help="whom it acts for (default: you)")
    parser.add_argument("--days", type=float, metavar="N", help="days until it ends (default: none)")
    parser.add_argument("--requests", type=int, metavar="N", help="requests per day at most")
    parser.add_argument("--tokens", type=int, metavar="N", help="tokens per day at most, prompts and answers together")
    parser.add_argument("--teacher", action="store_true", help="give it a teacher's powers: providers' keys included")


def _create(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    lifetime = None if arguments.days is None else timedelta(days=arguments.days)
    with closing(Engine()) as engine:
        person = engine.people.get(arguments.person)
        if person is None:
            raise NotFound(f"no person {arguments.person}", what="person", key=arguments.person)
        role: PersonRole | None = None if arguments.teacher else "student"
        key, raw = engine.keys.create(
            person, arguments.name, lifetime=lifetime, role=role,
            requests_per_day=arguments.requests, tokens_per_day=arguments.tokens,
        )  # fmt: skip
    if out.as_json:
        out.json(_told(key) | {"key": raw})
    else:
        out.line(raw)
    return 0


def _list(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine
    from engine.keys import Spent

    with closing(Engine()) as engine:
        keys, spent = engine.keys.list(), engine.keys.spent()
    if out.as_json:
        out.json([_told(key, spent.get(key.id, Spent())) for key in keys])
        return 0
    rows = [HEADINGS, *(_cells(key, spent.get(key.id, Spent())) for key in keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        out.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _revoke_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="its public part, as `keys list` shows it")


def _revoke(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    with closing(Engine()) as engine:
        if not engine.keys.revoke(arguments.id):
            raise NotFound(f"no open key {arguments.id}", what="key", key=arguments.id)
    if out.as_json:
        out.json({"revoked": arguments.id})
    else:
        out.line(f"{arguments.id} opens nothing any more")
    return 0


PARTS: dict[str, tuple[Flags, Run, str]] = {
    "create": (_create_flags, _create, "a new key, told once"),
    "list": (lambda parser: None, _list, "every key and what it used today"),
    "revoke": (_revoke_flags, _revoke, "end a key"),
}


def _told(key: ApiKey, spent: Spent | None = None) -> dict[str, Any]:
    dates = {name: value.isoformat() if (value := getattr(key, name)) else None for name in _DATES}
    used = {"requests_today": spent.requests, "tokens_today": spent.tokens} if spent else {}
    return asdict(key) | dates | used | {"state": key.state()}


_DATES = ("created", "expires", "revoked", "last_used")


def _cells(key: ApiKey, spent: Spent) -> tuple[str, ...]:
    requests = _of(spent.requests, key.requests_per_day)
    tokens = _of(spent.tokens, key.tokens_per_day)
    dates = [f"{when:%Y-%m-%d %H:%M}" if when else "" for when in (key.expires, key.last_used)]
    opens = "as a student" if key.role == "student" else "all that its owner may"
    return (key.id, key.name, key.state(), opens, requests, tokens, *dates)


def _of(spent: int, limit: int | None) -> str:
    return str(spent) if limit is None else f"{spent} of {limit}"
