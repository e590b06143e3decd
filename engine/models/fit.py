"""Whether a file of that size can be served here, judged before it is there: by its size against the memory and the
disk that are free. Reads no file; what is on disk already is judged exactly by engine.models.memory.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

FitName = Literal["fits", "tight", "too_large", "no_disk"]

LEAST_EXTRA = 256 * 2**20  # what a window and llama.cpp's buffers take of even the smallest model
EXTRA = 0.15  # of the file's size: the windows of a few slots of models of 1 to 8 thousand million weights
COMFORT = 0.8  # of what is free


@dataclass(frozen=True)
class Fit:
    """`needed` bytes of memory by a rough estimate, `free` bytes of it now, `disk_free` bytes where it would lie."""

    name: FitName
    needed: int
    free: int
    disk_free: int


def fit(size_bytes: int, folder: Path, free: int | None = None) -> Fit:
    """How a model of that size would fit; `free` bytes of memory, measured when None."""
    free = int(psutil.virtual_memory().available) if free is None else free
    disk = shutil.disk_usage(_existing(folder)).free
    needed = size_bytes + max(LEAST_EXTRA, int(size_bytes * EXTRA))
    return Fit(_judged(size_bytes, needed, free, disk), needed, free, disk)


def _judged(size: int, needed: int, free: int, disk: int) -> FitName:
    if size > disk:
        return "no_disk"
    if needed > free:
        return "too_large"
    return "fits" if needed <= free * COMFORT else "tight"


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
