"""A file of JSON lines that a crash cannot take: each line is on the disk before it counts. Knows no meaning of any."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import BadFile
from engine.filelock import file_lock


class LineFile:
    """One file; thread safe. Raises BadFile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def append(self, value: Mapping[str, Any]) -> None:
        """Add a line; it is on the disk when this returns."""
        line = json.dumps(value, ensure_ascii=False) + "\n"
        try:
            with self._lock, self.path.open("ab") as file:
                file.write(line.encode(errors="surrogatepass"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BadFile(f"{self.path.name}: {error.strerror}", path=str(self.path), reason=str(error)) from error

    def lines(self) -> Iterator[dict[str, Any]]:
        """What is in it; a last line that a crash has torn is left out."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise BadFile(f"{self.path.name}: {error.strerror}", path=str(self.path), reason=str(error)) from error
        for number, line in enumerate(data.splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):  # a crash tore it
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                where = f"line {number}"
                raise BadFile(f"{self.path.name}: {where}", path=str(self.path), reason=where) from error

    def mend(self) -> None:
        """Make its folder, and take away a torn last line, so that the next one begins on its own."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing what this one writes. Raises TimedOut where one does."""
        with file_lock(self.path.with_suffix(".lock"), timeout=0.5):
            yield
