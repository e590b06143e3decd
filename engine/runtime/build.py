"""Which build of llama.cpp answers here and on what it computes: version, processor features, devices. Loads no model.

Asked in a child process, once: the library is never loaded into ours.

python -m engine.runtime.build PARENT_PID
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine import child
from engine.errors import LoadFailed

WAIT_S = 60


@dataclass(frozen=True)
class Device:
    """Something that llama.cpp can compute on: its `kind` as llama.cpp says it (CPU, GPU, IGPU, ACCEL); bytes."""

    name: str
    description: str
    kind: str
    memory_total: int


@dataclass(frozen=True)
class Build:
    """`version` of xllamacpp, compiler and target of its `build`, the processor `features` it uses, its devices."""

    version: str
    build: str
    features: tuple[str, ...]
    devices: tuple[Device, ...]


@cache
def build() -> Build:
    """What serves the local models. Raises LoadFailed where it cannot be told."""
    process = child.start("engine.runtime.build")
    try:
        told, _ = process.communicate("", WAIT_S)
        return TypeAdapter(Build).validate_json(told.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValidationError, IndexError) as error:
        child.kill(process)
        process.communicate()
        raise LoadFailed("xllamacpp does not tell its build", model=None, reason=str(error)[:200]) from error


def gpus_of(found: Build) -> tuple[Device, ...]:
    """The devices that a model's layers can lie on, in the order in which llama.cpp counts them: it takes those of the
    processor's own package only where there is no other.
    """
    return tuple(one for one in found.devices if one.kind == "GPU") or tuple(
        one for one in found.devices if one.kind == "IGPU"
    )


def _told() -> dict[str, Any]:
    import xllamacpp

    pairs = (pair.split("=") for pair in xllamacpp.get_system_info().replace(":", "|").split("|") if "=" in pair)
    return {
        "version": xllamacpp.__version__,
        "build": f"{xllamacpp.BUILD_INFO['compiler']}, {xllamacpp.BUILD_INFO['build_target']}",
        "features": [name.strip() for name, value in pairs if value.strip() not in ("", "0")],
        "devices": [
            {"name": device["name"], "description": device["description"], "memory_total": device["memory_total"],
             "kind": device["type"].name.removeprefix("GGML_BACKEND_DEVICE_TYPE_")}
            for device in xllamacpp.get_device_info()
        ],
    }  # fmt: skip


if __name__ == "__main__":
    child.die_with_parent(int(sys.argv[1]))
    sys.stdout.write(json.dumps(_told()) + "\n")
