"""Folders with GGUF files that the teacher added; the others are known without being told. Knows no model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadFile, BadInput, NotFound

if TYPE_CHECKING:
    from engine.values import Values

OWNER, NAME = "local", "models.folders"  # of the installation, not of a person
FOLDERS_MAX = 50


class Folders:
    """The added folders, in the order in which they came. Whoever calls sees to it that this is the teacher."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def list(self) -> tuple[Path, ...]:
        """Their absolute paths; one may be unreachable now: a stick, a share."""
        found = self._values.get(OWNER, NAME, [])
        return tuple(Path(name) for name in found if isinstance(name, str))

    def add(self, folder: Path) -> Path:
        """The folder as it is kept. Raises BadFile (no folder, unreadable), BadInput (too many)."""
        path = _absolute(folder)
        known = [str(kept) for kept in self.list()]
        _check(path)
        if len(known) >= FOLDERS_MAX and str(path) not in known:
            raise BadInput(f"{FOLDERS_MAX} folders are enough", what="folders", limit=FOLDERS_MAX)
        if str(path) not in known:
            self._values.set(OWNER, NAME, [*known, str(path)])
        return path

    def remove(self, folder: Path) -> None:
        """Look there no more; nothing in it is touched. Raises NotFound."""
        path = str(_absolute(folder))
        known = [str(kept) for kept in self.list()]
        if path not in known:
            raise NotFound(f"{path} is none of the added folders", what="folder", key=path)
        self._values.set(OWNER, NAME, [kept for kept in known if kept != path])


def _absolute(folder: Path) -> Path:
    """Without `..` and `~`, links left as they are: what they point to may change."""
    try:
        return Path(os.path.abspath(folder.expanduser()))
    except (RuntimeError, ValueError) as error:  # no home of that name, a zero byte
        raise BadFile(f"{folder} is no folder", path=str(folder), reason="no folder") from error


def _check(path: Path) -> None:
    if not path.is_dir():
        raise BadFile(f"{path} is no folder", path=str(path), reason="no folder")
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}", path=str(path), reason=str(error.strerror)) from error
