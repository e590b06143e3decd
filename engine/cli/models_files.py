"""`models import FILE` and `models folders …`: where model files come from. Loads nothing."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path

from engine.cli.output import Output, harmless
from engine.errors import BadInput

IMPORT_HELP = "copy a GGUF file into one's own folder, checked on the way"
FOLDERS_HELP = "folders with GGUF files that are looked into besides those of other programs: list, add, remove"
ACTIONS = ("list", "add", "remove")
MIB = 1 << 20


def import_flags(parser: argparse.ArgumentParser) -> None:
    """Which file, and its name here."""
    parser.add_argument("file", metavar="FILE", help="a GGUF file; of several parts, each is imported by itself")
    parser.add_argument("--name", metavar="NAME", help="its name here (default: its own)")


def import_(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises BadFile, ModelFileCorrupt, DiskFull."""
    from engine.models.importing import importing
    from engine.settings import Settings

    settings = Settings()
    source = Path(arguments.file)
    work = importing(settings, source, arguments.name)
    shown = sys.stderr.isatty()
    while True:
        try:
            told = next(work)
        except StopIteration as end:
            path = Path(end.value)
            break
        if shown:
            sys.stderr.write(f"\r{told.done / MIB:.0f} of {(told.total or 0) / MIB:.0f} MiB")
    if shown:
        sys.stderr.write("\n")
    if out.as_json:
        out.json({"path": str(path), "id": _id(path), "size_bytes": path.stat().st_size})
    else:
        out.line(f"{_id(path)}  {path}")
    return 0


def folders_flags(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="(default: %(default)s)")
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="to add or remove")


def folders(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises BadFile, NotFound, BadInput."""
    from engine.engine import Engine
    from engine.models.discovery import places

    if arguments.action != "list" and not arguments.folder:
        raise BadInput(f"models folders {arguments.action} needs a folder")
    with closing(Engine()) as engine:
        if arguments.action == "add":
            engine.folders.add(Path(arguments.folder))
        elif arguments.action == "remove":
            engine.folders.remove(Path(arguments.folder))
        rows = [(source, path) for source, path in places(engine.settings, engine.folders.list())]
    if out.as_json:
        out.json([{"source": source, "path": str(path), "exists": path.is_dir()} for source, path in rows])
        return 0
    for source, path in rows:
        if source == "folder" or path.is_dir():
            out.line(harmless(f"{source:12}{path}"))
    return 0


def _id(path: Path) -> str:
    """The id of a file of one's own folder."""
    from engine.cli.models_list import catalog_of
    from engine.settings import Settings

    with catalog_of(Settings()) as catalog:
        cards = catalog.cards()
    return next((card.id for card in cards if card.files and card.files[0].path == path), path.stem.casefold())
