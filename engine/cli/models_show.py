"""`models show ID`: the card of a local model from its header, and what it would take of the memory. Loads nothing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from engine.cli.models_list import catalog_of, table
from engine.cli.output import Output, harmless

if TYPE_CHECKING:
    from pathlib import Path

    from engine.catalog import ModelCard
    from engine.models.details import Details
    from engine.models.memory import Memory

HELP = "one model's card: architecture, parameters, template, special tokens, memory for a window"
MIB = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which, and how it would be loaded."""
    parser.add_argument("id", metavar="ID", help="an id of `models list`")
    parser.add_argument("--context", type=int, metavar="N", help="tokens of one window (default: as loaded)")
    parser.add_argument("--slots", type=int, default=1, metavar="N", help="windows at once (default: %(default)s)")
    parser.add_argument("--kv-type", default="f16", metavar="TYPE", help="number format of the cache (default: f16)")
    parser.add_argument("--template", action="store_true", help="print the chat template alone")
    parser.add_argument("--sha256", action="store_true", help="read the whole file for its SHA-256")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises UnknownModel, NotSupported (not a local model), ModelFileCorrupt."""
    from engine.errors import NotSupported
    from engine.models.details import details
    from engine.settings import Settings

    settings = Settings()
    with catalog_of(settings) as catalog:
        card = catalog.card(arguments.id)
    if not card.files:
        raise NotSupported(f"{card.id} has no file on this machine", capability="files", backend=card.backend)
    path = card.files[0].path
    found = details(path)
    if arguments.template and not out.as_json:
        out.line(found.chat_template or "")
        return 0
    memory = _memory(arguments, card, found, settings.batch)
    told = _told(card, path, found, memory, _sha256(path, read=arguments.sha256))
    if out.as_json:
        out.json(told)
        return 0
    for line in table([(name, _cell(value)) for name, value in _lines(told) if value not in (None, "")]):
        out.line(harmless(line))
    return 0


def _memory(arguments: argparse.Namespace, card: ModelCard, found: Details, batch: int) -> Memory | None:
    """None where the header does not say enough."""
    from engine.errors import NotSupported
    from engine.models.memory import estimate

    context = card.window or found.trained_context or 4096
    wanted = context if arguments.context is None else arguments.context
    try:
        return estimate(found, wanted, arguments.slots, arguments.kv_type, batch=batch)
    except NotSupported:
        return None


def _sha256(path: Path, *, read: bool) -> str | None:
    from engine.models.hashes import Hashes
    from engine.settings import Settings

    hashes = Hashes(Settings())
    return hashes.of(path) if read else hashes.known(path)


def _told(card: ModelCard, path: Path, found: Details, memory: Memory | None, sha256: str | None) -> dict[str, Any]:
    return {
        "id": card.id,
        "from": card.source,
        "path": str(path),
        "sha256": sha256,
        **found.to_dict(),
        "memory": memory and memory.to_dict(),
    }


def _lines(told: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and values for the terminal, the long ones left out."""
    plain = [(name, value) for name, value in told.items() if not isinstance(value, dict | list | tuple)]
    lines = [(name, value) for name, value in plain if name not in ("chat_template", "size_bytes", "bits_per_weight")]
    lines.append(("size", f"{told['size_bytes'] / MIB:.0f} MiB"))
    lines.append(("chat template", f"{len(told['chat_template'])} characters" if told["chat_template"] else "none"))
    lines += [(f"token {role}", repr(text)) for role, text in told["special_tokens"].items()]
    lines += [(f"recommends {name}", value) for name, value in told["sampling"].items()]
    memory = told["memory"]
    if memory:
        lines += [(f"memory {name}", f"{memory[name] / MIB:.0f} MiB") for name in memory if name != "fits"]
        lines.append(("fits", "yes" if memory["fits"] else "no"))
    return lines


def _cell(value: Any) -> str:
    return " ".join(str(value).split())
