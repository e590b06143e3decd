"""The files of one model in words: checksums, copies elsewhere by SHA-256, and what is left of unfinished downloads.

Knows no widget. Reads no file: what is unknown is a job's to find out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from apps.ui.i18n import Words
from engine.catalog import ModelCard
from engine.engine import Engine
from engine.models.discovery import FoundFile
from engine.models.download import Partial
from engine.models.hashes import Copies, Hashes, copies

Row = tuple[str, ...]


@dataclass(frozen=True)
class Sums:
    """Checksums of a model's files by name, files with the same bytes, what is to be said of these, and which files a
    job would have to read to know the rest.
    """

    known: dict[str, str]
    copies: list[Row]
    note: str
    unread: tuple[Path, ...]


def sums(engine: Engine, card: ModelCard, words: Words, *, paths: bool) -> Sums:
    """What is known of the card's files now; `paths`: whether places on disk may be told."""
    hashes, found = Hashes(engine.settings), engine.catalog.found()
    known = {file.path: hashes.known(file.path) for file in card.files}
    looked = [copies(parts, found, hashes) for parts in _whole(card, found)]
    same = [file for one in looked for file in one.same]
    unread = dict.fromkeys([*(path for path, digest in known.items() if digest is None), *_unread(looked, hashes)])
    return Sums(
        {path.name: digest for path, digest in known.items() if digest},
        [_copy(file, words, paths) for file in same],
        _note(looked, words),
        tuple(unread),
    )


def _whole(card: ModelCard, found: Iterable[FoundFile]) -> list[tuple[Path, ...]]:
    """The parts of each file of the card: the bundled model has two files, one of several parts has one."""
    own = {file.path for file in card.files}
    parts = next((file.parts for file in found if file.path in own and len(file.parts) > 1), None)
    return [parts] if parts else [(file.path,) for file in card.files]


def _unread(looked: Iterable[Copies], hashes: Hashes) -> list[Path]:
    parts = [part for one in looked for file in one.unread for part in file.parts]
    return [part for part in parts if hashes.known(part) is None]


def _note(looked: Iterable[Copies], words: Words) -> str:
    """How far copies are known."""
    waiting = sum(len(one.unread) for one in looked)
    same = sum(len(one.same) for one in looked)
    if waiting:
        return words.n("models_copies.unread", waiting)
    return words.n("models_copies.same", same) if same else words.t("models_copies.none")


def copy_head(words: Words) -> Row:
    """The titles of `Sums.copies`."""
    return tuple(words.t(f"models_copies.{name}") for name in ("name", "source", "path"))


def _copy(file: FoundFile, words: Words, paths: bool) -> Row:
    return file.name, words.t(f"models_from.{file.source}"), str(file.path) if paths else file.path.name


def partial_head(words: Words) -> Row:
    """The titles of `partial_rows`."""
    return tuple(words.t(f"models_partial.{name}") for name in ("name", "size", "changed"))


def partial_rows(found: Iterable[Partial], words: Words) -> list[Row]:
    """One row an unfinished download: its file, what has come, when the last of it came."""
    return [
        (one.name, words.size(one.size_bytes), time.strftime("%Y-%m-%d %H:%M", time.localtime(one.changed)))
        for one in found
    ]


def partial_note(found: Iterable[Partial], words: Words) -> str:
    """How many there are and what they take together."""
    kept = tuple(found)
    return words.n("models_partial.there", len(kept), size=words.size(sum(one.size_bytes for one in kept)))
