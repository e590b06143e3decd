"""A lock between processes, held by the operating system: it is free again as soon as its holder is gone, however it
went. Knows not what it guards.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from engine.errors import TimedOut

POLL_S = 0.05


@contextlib.contextmanager
def file_lock(path: Path, timeout: float = 600, stop: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock of this file, which stays behind, empty. Raises TimedOut after `timeout` seconds, or on `stop`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout
        while not _try(handle):
            if time.monotonic() >= deadline or (stop is not None and stop.is_set()):
                raise TimedOut(f"{path.name} is held by another process", seconds=timeout)
            time.sleep(POLL_S)
        yield
    finally:
        os.close(handle)  # which gives the lock back


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
