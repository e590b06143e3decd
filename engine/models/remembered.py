"""What was found out about files, kept in one small file while their size and time of change stay. Knows no model."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILES_MAX = 5000
NOTE_MAX = 16 << 20  # bytes of the small file; a larger one is not ours


class Remembered:
    """JSON values by file. Never fails: what cannot be read is unknown, what cannot be written is found out again.

    Safe in threads; of two processes that write at once, one's news may be lost, never the file.
    """

    def __init__(self, note: Path) -> None:
        self._note = note
        self._lock = threading.Lock()
        self._known: dict[str, list[Any]] | None = None

    def get(self, path: Path) -> Any | None:
        """The value of the file, None where it is unknown or the file has changed."""
        state = _state(path)
        with self._lock:
            if self._known is None:
                self._known = self._read()
            entry = self._known.get(str(path))
        return entry[2] if entry is not None and state is not None and entry[:2] == list(state) else None

    def put(self, values: Mapping[Path, Any]) -> None:
        """Keep these values. Files that are gone are forgotten on the way."""
        new = {str(path): [*state, value] for path, value in values.items() if (state := _state(path)) is not None}
        if not new:
            return
        with self._lock:
            known = {name: entry for name, entry in self._read().items() if os.path.exists(name)}
            self._known = dict(list({**known, **new}.items())[-FILES_MAX:])
            self._write(self._known)

    def _read(self) -> dict[str, list[Any]]:
        try:
            if self._note.stat().st_size > NOTE_MAX:
                return {}
            found = json.loads(self._note.read_bytes())
        except (OSError, ValueError, RecursionError):  # missing, or of a disk that was full
            return {}
        if not isinstance(found, dict):
            return {}
        return {name: entry for name, entry in found.items() if isinstance(entry, list) and len(entry) == 3}

    def _write(self, known: Mapping[str, list[Any]]) -> None:
        with contextlib.suppress(OSError):  # a full disk, or a folder that we may only read
            self._note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{self._note.name}-", dir=self._note.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(known, file)
                os.replace(name, self._note)
            except OSError:
                os.unlink(name)
                raise


def _state(path: Path) -> tuple[int, int] | None:
    """Size in bytes and time of change in nanoseconds."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
