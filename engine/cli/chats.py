"""The verb `chats`: the conversations that are stored here: list, show, export, import, delete."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.asking import file_bytes
from engine.cli.output import Output, harmless
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.chats import Chats
    from engine.conversation import Conversation

HELP = "list, show, export, import or delete the conversations kept here"
ACTIONS = ("list", "show", "export", "import", "delete")
FORMATS = ("json", "markdown", "openai")
OWNER = "local"  # whoever runs commands on this machine; those of a class are read in their own pages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which."""
    parser.add_argument("action", choices=ACTIONS, help="import takes a file of ours, ChatGPT, Open WebUI or OpenAI")
    parser.add_argument("what", nargs="?", metavar="ID|FILE", help="a conversation; `export all` takes every one")
    parser.add_argument("--search", default="", metavar="WORDS", help="list only those that contain these words")
    parser.add_argument("--format", choices=FORMATS, default="json", help="of the export (default: %(default)s)")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises NotFound, BadFile."""
    from engine.engine import Engine

    if arguments.action != "list" and not arguments.what:
        raise BadInput(f"chats {arguments.action} needs a conversation's id; `chats list` shows them")
    with closing(Engine()) as engine:
        if arguments.action == "list":
            _list(engine.chats, arguments.search, out)
        elif arguments.action == "import":
            _import(engine.chats, arguments.what, out)
        elif arguments.action == "delete":
            engine.chats.delete(OWNER, arguments.what)
        elif arguments.action == "show":
            _export([engine.chats.get(OWNER, arguments.what)], "json" if out.as_json else "markdown", out)
        else:
            _export(_wanted(engine.chats, arguments.what), arguments.format, out, many=arguments.what == "all")
    return 0


def _list(chats: Chats, search: str, out: Output) -> None:
    lines = chats.lines(OWNER, search)
    if out.as_json:
        return out.json([vars(line) for line in lines])
    for line in lines:
        out.line(
            f"{line.id}  {'*' if line.pinned else ' '} {line.messages:4}  {harmless(' '.join(line.title.split()))}"
        )


def _import(chats: Chats, name: str, out: Output) -> None:
    from engine.transfer import import_any

    found = import_any(file_bytes(name), Path(name).name)
    kept = [chats.adopt(OWNER, conversation).id for conversation in found]
    if out.as_json:
        return out.json(kept)
    for key in kept:
        out.line(key)


def _wanted(chats: Chats, what: str) -> list[Conversation]:
    keys = [line.id for line in chats.lines(OWNER, limit=100_000)] if what == "all" else [what]
    return [chats.get(OWNER, key) for key in keys]


def _export(found: list[Conversation], form: str, out: Output, *, many: bool = False) -> None:
    from engine.transfer import export_all, export_conversation, to_markdown, to_openai_jsonl

    if form == "json":
        out.json(export_all(found) if many else export_conversation(found[0]))
    else:
        out.text(to_markdown(found) if form == "markdown" else to_openai_jsonl(found))
