"""Tasks for the job queue that do nothing of use: they count, sleep, fail, die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import PromptTooLong
from engine.tasks import Progress


def count(to: int, pause: float = 0.0) -> Iterator[Progress]:
    """Count to a number; the result is how it went, in words and values."""
    for done in range(1, to + 1):
        time.sleep(pause)
        yield Progress(done, to)
    return {"counted": to, "text": "é\n\u2028"}  # type: ignore[return-value]


def length(key: str, other: str = "") -> Iterator[Progress]:
    """How long a key is that only the child may know."""
    yield Progress(1)
    return len(key)  # type: ignore[return-value]


def priority() -> Iterator[Progress]:
    """The niceness that the task runs at."""
    yield Progress(1)
    return os.nice(0) if sys.platform != "win32" else 19  # type: ignore[return-value]


def talk() -> Iterator[Progress]:
    """Print, as libraries do."""
    sys.stdout.write("not a message\n")
    yield Progress(1, 1)
    return "said"  # type: ignore[return-value]


def refuse() -> Iterator[Progress]:
    """An error of ours, with numbers."""
    yield Progress(1, 2)
    raise PromptTooLong(300, 256)


def crash() -> Iterator[Progress]:
    """A defect."""
    yield Progress(1, 2)
    raise ZeroDivisionError("by the test")


def die() -> Iterator[Progress]:
    """Killed, as by the kernel for memory."""
    yield Progress(1, 2)
    os.kill(os.getpid(), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def sleep(scratch: str = "", seconds: float = 300) -> Iterator[Progress]:
    """Sleep beside a grandchild, leaving its number in a file."""
    grandchild = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])
    if scratch:
        Path(scratch).write_text(str(grandchild.pid), encoding="utf-8")
    yield Progress(1, 10)
    time.sleep(seconds)
    yield Progress(10, 10)


def mark(path: str, word: str) -> Iterator[Progress]:
    """Append a word to a file: who ran when."""
    yield Progress(0, 1)
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(word + "\n")
    yield Progress(1, 1)


def overlap(folder: str, others: int = 0) -> Iterator[Progress]:
    """How many ran at the same time, seen over half a second, or until so many others came, a minute at most."""
    mine = Path(folder) / str(os.getpid())
    mine.touch()
    most: Any = 0
    for turn in range(1200 if others else 10):
        most = max(most, len(list(Path(folder).iterdir())))
        if others and turn >= 10 and most > others:
            break
        time.sleep(0.05)
    mine.unlink()
    yield Progress(1, 1)
    return most  # type: ignore[no-any-return]
