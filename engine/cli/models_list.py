"""`models list`: the models on this machine, and the providers that are known. Loads none and asks no network."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from engine.cli.output import Output, harmless

if TYPE_CHECKING:
    from engine.catalog import Catalog, ModelCard
    from engine.providers import Provider
    from engine.settings import Settings

HELP = "list the models on this machine and the providers that are known"
HEADINGS = ("id", "from", "quantization", "window", "size", "aliases")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only whether copies are looked for."""
    parser.add_argument("--duplicates", action="store_true", help="also tell which files have the same bytes (SHA-256)")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.providers import providers
    from engine.settings import Settings

    settings = Settings()
    with catalog_of(settings) as catalog:
        cards, troubles = catalog.cards(), catalog.troubles()
        copies = _copies(settings, catalog) if getattr(arguments, "duplicates", False) else None
    if out.as_json:
        told = {
            "models": [card.to_dict() for card in cards],
            "providers": [_row(row) for row in providers().values()],
            "troubles": [{"path": str(one.path), "source": one.source, "reason": one.reason} for one in troubles],
        }
        out.json(told if copies is None else {**told, "duplicates": copies})
        return 0
    for line in table([HEADINGS, *(_cells(card) for card in cards)]):
        out.line(harmless(line))
    for card in cards:
        if card.problem:
            out.line(f"{card.id} cannot be used: {card.problem}")
    for one in troubles:
        out.line(harmless(f"{one.path}: {one.reason}"))
    for group in copies or ():
        out.line(harmless("the same bytes: " + ", ".join(group)))
    out.line(f"\nand provider/model for {', '.join(providers())}")
    return 0


@contextmanager
def catalog_of(settings: Settings) -> Iterator[Catalog]:
    """The catalogue; the store, half a second of imports, is opened only where there is one."""
    from engine.catalog import Catalog

    if settings.database_url is None and not (settings.home / "atelier.sqlite3").exists():
        yield Catalog(settings)
        return
    from engine.engine import Engine

    with closing(Engine(settings)) as engine:
        yield engine.catalog


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """The rows as lines, columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _copies(settings: Settings, catalog: Catalog) -> list[list[str]]:
    from engine.models.hashes import Hashes, duplicates

    groups = duplicates(catalog.found(), Hashes(settings))
    return [[str(file.path) for file in group] for group in groups]


def _cells(card: ModelCard) -> tuple[str, ...]:
    size = "" if card.size_bytes is None else f"{card.size_bytes / 1e6:.0f} MB"
    window = "" if card.window is None else f"{card.window} tokens"
    kind = "" if card.kind == "chat" else f" ({card.kind})"
    return (card.id, card.source + kind, card.quantization or "", window, size, ", ".join(card.aliases))


def _row(row: Provider) -> dict[str, Any]:
    """The row without its key: only whether there is one."""
    from engine.settings import from_environment

    known = row.key_env and from_environment(row.key_env)
    return {
        "id": row.id,
        "name": row.name,
        "base_url": row.base_url,
        "key_variable": row.key_env,
        "key_set": bool(known),
        "homepage": row.homepage,
    }
