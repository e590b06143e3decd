"""The flags that `rag search`, `rag ask` and `rag evaluate` share: which collections, and how passages are looked for.

Knows no question.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput, BadParameter, NotFound
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.rag.collections import Collection
    from engine.rag.values import Retrieval

ARMS = ("vector", "text", "hybrid", "rerank")
NAMES = ("arm", "fusion", "k", "weight", "mmr", "neighbours", "reranker")


def collection_flags(parser: argparse.ArgumentParser) -> None:
    """Where to look."""
    parser.add_argument(
        "--collection", metavar="NAME", action="append", help="name or id; may be repeated (default: all of your own)"
    )
    parser.add_argument("--file", metavar="NAME", action="append", help="only this file; may be repeated")


def retrieval_flags(parser: argparse.ArgumentParser) -> None:
    """How to look."""
    group = parser.add_argument_group("search")
    group.add_argument("--arm", choices=ARMS, help="default: hybrid")
    group.add_argument("--fusion", choices=("weighted", "rrf"), help="of hybrid; default: weighted")
    group.add_argument("-k", type=int, metavar="N", help="passages (default 5)")
    group.add_argument("--weight", type=float, metavar="X", help="the vectors' share of a weighted fusion, 0 to 1")
    group.add_argument("--threshold", metavar="X", help="evidence that one passage must reach, or none")
    group.add_argument("--no-threshold", dest="threshold", action="store_const", const="none",
                       help="keep what is found, however far")  # fmt: skip
    group.add_argument("--mmr", type=float, metavar="X", help="share of relevance against variety, 0 to 1")
    group.add_argument("--neighbours", type=int, metavar="N", help="chunks before and after each passage")
    group.add_argument("--reranker", metavar="NAME", help="gguf:MODEL, read after the search (arm rerank: alone)")


def collections_of(engine: Engine, names: Sequence[str] | None) -> list[Collection]:
    """Those of these names or ids; without any, all of whoever runs commands here. Raises NotFound."""
    if names:
        return [engine.collections.find(LOCAL_OWNER, name) for name in names]
    found = [one for one in engine.collections.list(LOCAL_OWNER) if one.owner == LOCAL_OWNER]
    if not found:
        raise NotFound("there is no collection yet: make one with rag index", what="collection", key="")
    return found


def changed(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the flags say of the search, by field of Retrieval. Raises BadParameter."""
    changes = {name: value for name in NAMES if (value := getattr(arguments, name)) is not None}
    if arguments.threshold is not None:
        changes["threshold"] = _threshold(arguments.threshold)
    return changes


def retrieval_of(engine: Engine, found: Sequence[Collection], arguments: argparse.Namespace) -> Retrieval | None:
    """The first collection's default with what the flags change; None where they change nothing, and each collection
    has its own. Raises BadInput, BadParameter.
    """
    from engine.rag.retrieval import default

    changes = changed(arguments)
    if arguments.file:
        changes["files"] = _files(engine, found, arguments.file)
    return replace(default(found[0].embedder), **changes) if changes else None


def _threshold(text: str) -> float | None:
    try:
        return None if text == "none" else float(text)
    except ValueError:
        raise BadParameter(f"threshold={text!r}", name="threshold", value=text, low=-1, high=1.1) from None


def _files(engine: Engine, found: Sequence[Collection], names: Sequence[str]) -> tuple[str, ...]:
    every = [file for one in found for file in engine.collections.files(LOCAL_OWNER, one.id)]
    missing = [name for name in names if not any(name in (file.name, file.id) for file in every)]
    if missing:
        raise BadInput(f"no file {missing[0]} in the collection")
    return tuple(dict.fromkeys(file.id for file in every if {file.name, file.id} & set(names)))
