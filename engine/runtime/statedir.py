"""The private folder where a worker saves the states of prompts: in memory where there is enough. Knows no server."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
PREFIX = "atelier-states-"


def make(data: Path, size: int, memory: Path = MEMORY) -> Path:
    """A new folder of mode 0700 for `size` bytes: below `memory` if they fit there (containers have 64 MiB), else in
    the data folder. Folders of processes that are gone are removed.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = memory if _holds(memory, size) else data
    for place in (memory, data):
        _sweep(place)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root))


def remove(folder: Path) -> None:
    """Delete the folder and what is in it; nothing where it is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def _holds(memory: Path, size: int) -> bool:
    usable = sys.platform == "linux" and memory.is_dir() and os.access(memory, os.W_OK)
    return usable and shutil.disk_usage(memory).free >= size


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)) and os.access(folder, os.W_OK):
            remove(folder)
