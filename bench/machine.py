"""Which machine and which builds a figure was measured with. Knows no measurement."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("xllamacpp", "llama-cpp-python", "streamlit", "gradio", "langchain-openai")


def machine() -> dict[str, object]:
    """Processor, cores, memory (GiB), system and package versions, ready for JSON."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def machine_line() -> str:
    """One line that names the machine, for the table's caption."""
    told = machine()
    return f"{told['cpu']}, {told['cores']} cores, {told['memory_gib']} GiB, {told['system']}, Python {told['python']}"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
