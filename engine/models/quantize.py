"""A GGUF file in another number format, made by llama-cpp-python's `llama_model_quantize`. A task for a job child.

Never runs in the application's own process: it takes every core for seconds, and cannot be stopped but by a kill.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import shutil
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from engine.errors import BadParameter, JobFailed
from engine.filelock import file_lock
from engine.models.gguf_header import QUANTIZATIONS, read_header
from engine.native import require_native
from engine.tasks import Progress

TASK = "engine.models.quantize:quantize"
TYPES = {name: number for number, name in QUANTIZATIONS.items()}
TENSOR = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")  # llama.cpp logs one such line per tensor
LOG_ERROR = 4  # ggml_log_level
BYTES = {"F32": 4.0, "F16": 2.0, "BF16": 2.0}  # of one weight; every other kind has at most those of Q8_0
BYTES_Q8_0 = 34 / 32


def part_of(target: Path) -> Path:
    """Where the new file lies until it is whole; whoever kills the task removes it."""
    return target.with_name(f".{target.name}.part")


def quantize(source: str, target: str, kind: str, threads: int = 0) -> Generator[Progress, None, dict[str, Any]]:
    """Write `source` as `kind` ("Q8_0") to `target`, in one step at the end; tensors done of all.

    Returns path, size in bytes, SHA-256 of both files, quantization and tool. Raises BadParameter, ModelFileCorrupt,
    NativeMissing, JobFailed.
    """
    if kind not in TYPES:
        raise BadParameter(f"kind={kind!r}", name="kind", value=kind, choices=sorted(TYPES), low=None, high=None)
    require_native()
    old, new = Path(source), Path(target)
    header = read_header(old)
    new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_room(new.parent, int(header.parameters * BYTES.get(kind, BYTES_Q8_0)))
    with file_lock(new.with_name(f".{new.name}.lock"), timeout=0):
        part = part_of(new)
        tool = yield from _rewrite(old, part, TYPES[kind], threads)
        found = read_header(part)  # as whole as we can tell without loading it
        answer = {
            "path": str(new),
            "size": part.stat().st_size,
            "sha256": sha256(part),
            "source_sha256": sha256(old),
            "quantization": found.quantization,
            "tool": tool,
        }
        os.replace(part, new)
    return answer


def sha256(path: Path) -> str:
    """Hexadecimal digest of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        text = f"{size >> 20} MiB are needed, {free >> 20} MiB are free"
        raise JobFailed(text, job=TASK, reason="disk_full", needed=size, free=free)


def _rewrite(old: Path, part: Path, ftype: int, threads: int) -> Generator[Progress, None, str]:
    """Have llama.cpp write the new file; returns which tool it was. Progress comes from its log, one line a tensor."""
    import llama_cpp

    told: queue.SimpleQueue[Progress | int] = queue.SimpleQueue()
    errors: list[str] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def hear(level: int, text: bytes, _user_data: object) -> None:
        line = text.decode("utf-8", "replace")
        if found := TENSOR.match(line):
            told.put(Progress(int(found[1]), int(found[2])))
        elif level == LOG_ERROR:
            errors.append(line.strip())

    def work() -> None:
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype, params.nthread, params.allow_requantize = ftype, threads, True
        told.put(int(llama_cpp.llama_model_quantize(str(old).encode(), str(part).encode(), params)))

    llama_cpp.llama_log_set(hear, None)
    threading.Thread(target=work, name="quantize", daemon=True).start()  # so that progress is told meanwhile
    while isinstance(news := told.get(), Progress):
        yield news
    if news != 0:
        part.unlink(missing_ok=True)
        reason = errors[0] if errors else f"llama_model_quantize gave {news}"
        raise JobFailed(reason, job=TASK, reason=reason)
    return f"llama-cpp-python {llama_cpp.__version__}"
