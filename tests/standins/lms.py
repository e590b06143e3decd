"""A `lms` that logs what a file beside it says, line by line as it grows, then goes on until it is ended."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

SCRIPT = """#!{python}
import pathlib, sys, time
if sys.argv[1:] != ["log", "stream", "--json"]:
    sys.exit(2)
pathlib.Path({pid!r}).write_text(str(__import__("os").getpid()))
with open({events!r}, encoding="utf-8") as events:
    while True:
        line = events.readline()
        if line == "QUIT\\n":
            sys.exit(0)
        if line:
            sys.stdout.write(line)
            sys.stdout.flush()
        else:
            time.sleep(0.02)
"""


class Lms:
    """The stand-in in a folder: `folder` goes on the PATH, `say` adds a line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = folder / "events.jsonl"
        self.events.touch()
        self._pid = folder / "pid"
        path = folder / "lms"
        path.write_text(SCRIPT.format(python=sys.executable, events=str(self.events), pid=str(self._pid)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def say(self, line: str) -> None:
        """Let it log that line."""
        with self.events.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    @property
    def pid(self) -> int | None:
        """Of the running one; None before it has begun."""
        return int(self._pid.read_text()) if self._pid.exists() and self._pid.read_text() else None
