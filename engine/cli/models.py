"""The verb `models`: which models there are. Loads none and asks no network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from engine.cli.output import Output

if TYPE_CHECKING:
    from engine.catalog import ModelCard
    from engine.providers import Provider

HELP = "list the models on this machine and the providers that are known"
HEADINGS = ("id", "from", "quantization", "window", "size", "aliases")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No flags of its own."""


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.catalog import Catalog
    from engine.providers import providers
    from engine.settings import Settings

    cards = Catalog(Settings()).cards()
    if out.as_json:
        out.json(
            {"models": [card.to_dict() for card in cards], "providers": [_row(row) for row in providers().values()]}
        )
        return 0
    for line in _table([HEADINGS, *(_cells(card) for card in cards)]):
        out.line(line)
    for card in cards:
        if card.problem:
            out.line(f"{card.id} cannot be used: {card.problem}")
    out.line(f"\nand provider/model for {', '.join(providers())}")
    return 0


def _cells(card: ModelCard) -> tuple[str, ...]:
    size = "" if card.size_bytes is None else f"{card.size_bytes / 1e6:.0f} MB"
    window = "" if card.window is None else f"{card.window} tokens"
    return (card.id, card.source, card.quantization or "", window, size, ", ".join(card.aliases))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


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
