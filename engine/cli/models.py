"""The verb `models`: which there are, what one is, where files come from. Knows only its parts."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from engine.cli import models_files, models_hub, models_list, models_show
from engine.cli.output import Output

HELP = "the models on this machine and the known providers: list, show one, import or download"

Flags = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace, Output], int]

PARTS: dict[str, tuple[Flags, Run, str]] = {
    "list": (models_list.add_arguments, models_list.run, models_list.HELP),
    "show": (models_show.add_arguments, models_show.run, models_show.HELP),
    "import": (models_files.import_flags, models_files.import_, models_files.IMPORT_HELP),
    "folders": (models_files.folders_flags, models_files.folders, models_files.FOLDERS_HELP),
    "search": (models_hub.search_flags, models_hub.search, models_hub.SEARCH_HELP),
    "download": (models_hub.download_flags, models_hub.download, models_hub.DOWNLOAD_HELP),
    "curated": (models_hub.curated_flags, models_hub.curated, models_hub.CURATED_HELP),
}


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
    """The exit code of the part."""
    return PARTS[arguments.part or "list"][1](arguments, out)
