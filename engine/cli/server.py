"""The verb `server`: what the served API was asked, and who may call it from where. Knows only the terminal."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from engine.cli.output import Output
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.requestlog import RequestLog, Served

HELP = "the served API: its log, the sites that may call it, its rate limit"
EVERY_S = 0.5
LIMIT_MAX = 1000

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


def _log_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="begin with the last N (default 50)")
    parser.add_argument("--key", metavar="ID", help="of this API key only")
    parser.add_argument("--level", choices=("info", "warning", "error"), default="info", help="this level and worse")


def _log(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    if not 1 <= arguments.limit <= LIMIT_MAX:
        raise BadInput(f"--limit is a number from 1 to {LIMIT_MAX}")
    with closing(Engine()) as engine:
        for one in _rows(engine.requests, arguments):
            if out.as_json:
                out.line(json.dumps(asdict(one) | {"level": one.level}))
            else:
                out.line(line(one))
    return 0


def _rows(requests: RequestLog, arguments: argparse.Namespace) -> Iterator[Served]:
    last, limit = 0, arguments.limit
    while True:
        found = requests.list(key=arguments.key, level=arguments.level, after=last, limit=limit)
        yield from found
        last, limit = max((one.seq for one in found), default=last), LIMIT_MAX
        if not arguments.follow:
            return
        if not found:
            time.sleep(EVERY_S)


def line(one: Served) -> str:
    """One request in one line."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.time))
    tokens = f"{_count(one.prompt_tokens)} + {_count(one.completion_tokens)} tokens"
    told = (when, one.level.ljust(7), str(one.status), one.route, one.model or "-", tokens, f"{one.duration:.3f} s")
    return "  ".join((*told, f"key {one.key}" if one.key else one.owner, one.error or "")).rstrip()


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)


def _cors_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("origins", nargs="*", metavar="ORIGIN", help="http://host:port, * for all, null for files")
    parser.add_argument("--none", action="store_true", help="no site any more")


def _cors(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    if arguments.none and arguments.origins:
        raise BadInput("--none stands alone")
    with closing(Engine()) as engine:
        changes = arguments.none or arguments.origins
        found = engine.serving.allow(arguments.origins) if changes else engine.serving.origins()
    if out.as_json:
        out.json({"origins": list(found)})
    else:
        out.line("\n".join(found) or "no page of another site may call /v1")
    return 0


def _rate_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("per_minute", nargs="?", type=int, metavar="N", help="requests in a minute; 0: no limit")


def _rate(arguments: argparse.Namespace, out: Output) -> int:
    from engine.engine import Engine

    with closing(Engine()) as engine:
        if arguments.per_minute is not None:
            engine.serving.limit(arguments.per_minute)
        found = engine.serving.per_minute()
    if out.as_json:
        out.json({"requests_per_minute": found})
    else:
        out.line(f"{found} requests of a key or person in a minute" if found else "no rate limit")
    return 0


PARTS: dict[str, tuple[Flags, Run, str]] = {
    "log": (_log_flags, _log, "each request: route, model, status, tokens, duration, key"),
    "cors": (_cors_flags, _cors, "show or set the sites whose pages may call /v1"),
    "rate": (_rate_flags, _rate, "show or set how often a key or person may ask"),
}
