"""Whether a folder has room for a file. Knows not which."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.errors import DiskFull


def check_room(folder: Path, size: int) -> None:
    """Return where `size` bytes are free. Raises DiskFull with `needed` and `free` in bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DiskFull(f"{size >> 20} MiB are needed, {free >> 20} MiB are free", needed=size, free=free)
