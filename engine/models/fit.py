"""Whether a model can be served here, judged before it is there: against the memory and the disk that are free.

By its size alone, roughly, or by its card, as engine.models.memory reckons what is on disk. Reads no file.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import NotSupported
from engine.models.details import Details
from engine.models.memory import estimate, free_memory
from engine.settings import Settings

FitName = Literal["fits", "tight", "too_large", "no_disk"]

# What one window of 8192 tokens and llama.cpp's buffers take. A token takes 23 kB of SmolLM2-135M, 32 of Llama 3.2 1B,
# 114 of Qwen3 0.6B, 131 of Mistral 7B, 197 of SmolLM2-1.7B: by the size of a file nobody can tell them apart
SMALL = 300 * 2**20
EXTRA_SMALL, EXTRA = 256 * 2**20, 1024 * 2**20
COMFORT = 0.8  # of what is free


@dataclass(frozen=True)
class Fit:
    """`needed` bytes of memory, `free` bytes of it now, `disk_free` bytes where it would lie; `rough`: judged by the
    size of the file alone, with one window.
    """

    name: FitName
    needed: int
    free: int
    disk_free: int
    rough: bool = True


def fit(size_bytes: int, folder: Path, free: int | None = None) -> Fit:
    """How a model of that size would fit; `free` bytes of memory, measured when None."""
    free = free_memory() if free is None else free
    disk = shutil.disk_usage(_existing(folder)).free
    needed = size_bytes + (EXTRA_SMALL if size_bytes < SMALL else EXTRA)
    return Fit(_judged(size_bytes, needed, free, disk), needed, free, disk)


def fit_of(details: Details, settings: Settings, slots: int | None = None) -> Fit:
    """How the model of that card would fit, with `slots` windows (the settings' when None) as it would be loaded."""
    window = min(settings.window, details.trained_context or settings.window)
    try:
        memory = estimate(details, window, slots or settings.slots, batch=settings.batch)
    except NotSupported:  # the card does not tell its shape
        return fit(details.size_bytes, settings.models_dir)
    disk = shutil.disk_usage(_existing(settings.models_dir)).free
    name = _judged(details.size_bytes, memory.total, memory.free, disk)
    return Fit(name, memory.total, memory.free, disk, rough=False)


def _judged(size: int, needed: int, free: int, disk: int) -> FitName:
    if size > disk:
        return "no_disk"
    if needed > free:
        return "too_large"
    return "fits" if needed <= free * COMFORT else "tight"


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
