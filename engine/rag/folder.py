"""The folder of one collection: originals by their contents, what was read of them, its LanceDB table. Knows no row."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.documents.document import Document
from engine.documents.formats import extension
from engine.errors import NotFound
from engine.filelock import file_lock

LOCK_S = 60.0
MARK = "store"  # says whose rows the folder belongs to


def folders(home: Path, store: str) -> tuple[str, ...]:
    """The ids of all collections of that store that have a folder; another store may use the same data folder."""
    place = home / "collections"
    marks = place.glob(f"*/{MARK}")
    return tuple(mark.parent.name for mark in marks if mark.read_text(encoding="utf-8") == store)


class Folder:
    """Where a collection's files lie, under the data folder. Contents are never written under a name from outside."""

    def __init__(self, home: Path, collection_id: str) -> None:
        self.path = home / "collections" / collection_id
        self._originals = self.path / "originals"
        self._texts = self.path / "texts"

    def make(self, store: str) -> None:
        """The empty folder of a collection whose rows are in that store."""
        _write(self.path / MARK, store.encode())

    def keep(self, data: bytes) -> str:
        """The SHA-256 by which `original` finds these bytes again."""
        sha256 = hashlib.sha256(data).hexdigest()
        _write(self._originals / sha256, data)
        return sha256

    def original(self, sha256: str) -> bytes:
        """The bytes as they came. Raises NotFound."""
        try:
            return (self._originals / sha256).read_bytes() if sha256 else _missing(sha256)
        except FileNotFoundError:
            return _missing(sha256)

    def keep_text(self, sha256: str, document: Document) -> None:
        """Keep what was read, so that it is read once."""
        read = {"text": document.text, "pages": document.pages, "warnings": document.warnings, "unit": document.unit}
        _write(self._text(sha256, document.name), json.dumps(read, ensure_ascii=False).encode())

    def text(self, sha256: str, name: str) -> Document | None:
        """What was read, under that name; None where nothing was."""
        try:
            read = json.loads(self._text(sha256, name).read_bytes())
        except FileNotFoundError:
            return None
        return Document(name, read["text"], tuple(read["pages"]), tuple(read["warnings"]), read["unit"])

    def prune(self, kept: Iterable[str]) -> None:
        """Remove what belongs to none of these contents."""
        known = frozenset(kept)
        for path in (*_files(self._originals), *_files(self._texts)):
            if path.name.partition(".")[0] not in known:
                path.unlink(missing_ok=True)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One writer at a time, over all processes. Raises TimedOut after a minute."""
        with file_lock(self._lock, LOCK_S):
            yield

    def remove(self) -> None:
        """Remove it all; what another process holds open stays for the next sweep."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.unlink(missing_ok=True)

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    def _text(self, sha256: str, name: str) -> Path:
        return self._texts / f"{sha256}.{extension(name)[:16]}.json"  # the extension takes part in how it is read


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, for this person's eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    part.write_bytes(data)
    part.replace(path)


def _files(place: Path) -> tuple[Path, ...]:
    return tuple(place.iterdir()) if place.is_dir() else ()


def _missing(sha256: str) -> bytes:
    raise NotFound("the file is no longer kept", what="file", key=sha256)
