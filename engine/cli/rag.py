"""The verb `rag`: documents of one's own, indexed and asked. Knows only its parts."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from engine.cli import rag_ask, rag_collections, rag_search
from engine.cli.output import Output

HELP = (
    "index documents, then search them and ask them: index, collections, files, versions, delete, search, evaluate, ask"
)

Flags = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace, Output], int]


def _no_flags(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


PARTS: dict[str, tuple[Flags, Run, str]] = {
    "index": (rag_collections.index_flags, rag_collections.index, "bring files into a collection; only what changed"),
    "collections": (_no_flags, rag_collections.collections, "list the collections"),
    "files": (rag_collections.name_flags, rag_collections.files, "what was read of each file of a collection"),
    "versions": (rag_collections.versions_flags, rag_collections.versions, "earlier states of a collection, and back"),
    "delete": (rag_collections.delete_flags, rag_collections.delete, "forget a collection, or one of its files"),
    "search": (rag_search.search_flags, rag_search.search, rag_search.SEARCH_HELP),
    "evaluate": (rag_search.evaluate_flags, rag_search.evaluate, rag_search.EVALUATE_HELP),
    "ask": (rag_ask.add_arguments, rag_ask.run, rag_ask.HELP),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser for each part."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, (add, _, text) in PARTS.items():
        part = parts.add_parser(name, help=text, description=text)
        add(part)
        # the general flags are taken after the part too; unset there, they must not undo what stands before it
        part.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")
        part.add_argument("-o", "--output", metavar="FILE", default=argparse.SUPPRESS, help="write to this file")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """The exit code of the part."""
    return PARTS[arguments.part][1](arguments, out)
