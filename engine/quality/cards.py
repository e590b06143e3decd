"""The reproducibility card of a measurement: which weights, which build of llama.cpp, how many threads, which machine,
when. Measures nothing, and loads no model; hashing the weights takes a second per gigabyte, so it belongs in the job.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from engine.models.gguf_header import read_header
from engine.models.quantize import sha256
from engine.native import require_native

# What must be the same for the same numbers; time, name of the file and the machine's memory are not
DECISIVE = ("sha256", "quantization", "runtime", "threads", "cpu", "nice", "settings")


def card(path: Path, threads: int, **settings: Any) -> dict[str, Any]:
    """The card, ready for JSON: file, size in bytes, SHA-256, quantization, runtime, threads, machine, date (UTC) and
    the measurement's own `settings`. Raises BadFile, ModelFileCorrupt, NativeMissing.
    """
    header = read_header(path)
    stat = path.stat()
    return {
        "file": path.name,
        "size_bytes": stat.st_size,
        "sha256": file_sha256(path, stat.st_size, stat.st_mtime_ns),
        "quantization": header.quantization,
        "parameters": header.parameters,
        "runtime": runtime(),
        "threads": threads,
        **machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "settings": settings,
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What of two cards would let the same measurement give other numbers."""
    return tuple(name for name in DECISIVE if before.get(name) != after.get(name))


def runtime() -> dict[str, Any]:
    """The build that measures: llama-cpp-python's version, ggml's version and commit, processor features compiled in.

    It is not the one that writes chats (xllamacpp): two builds differ in a probability's second or third digit. Raises
    NativeMissing.
    """
    require_native()
    import llama_cpp

    features = llama_cpp.llama_print_system_info().decode("ascii", "replace")
    return {
        "name": "llama-cpp-python",
        "version": llama_cpp.__version__,
        "ggml": _told_by_ggml("ggml_version"),
        "commit": _told_by_ggml("ggml_commit"),
        "features": " ".join(features.replace("|", " ").split()),
    }


def machine() -> dict[str, Any]:
    """This machine and how this process stands on it: `memory_gib`, `nice` (None where there is none), and the `load`
    of the last minute, which says whether others were at work too.
    """
    return {
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "nice": None if sys.platform == "win32" else os.nice(0),
        "load": round(psutil.getloadavg()[0], 2),
    }


@lru_cache(maxsize=16)
def file_sha256(path: Path, size: int, changed: int) -> str:
    """Of the file as it is now: size and time of change are part of the question."""
    return sha256(path)


def _told_by_ggml(function: str) -> str | None:
    """What ggml says of itself; its functions are found through the library that loads it, but on Windows."""
    from llama_cpp import _ggml

    try:
        tell = getattr(_ggml.libggml, function)
    except AttributeError:
        return None
    tell.restype = ctypes.c_char_p
    told = tell()
    return told.decode("ascii", "replace") if told else None


@lru_cache(maxsize=1)
def _cpu() -> str:
    """The processor's name, as llama-bench tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
