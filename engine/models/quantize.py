"""A GGUF file in another number format, made by llama-cpp-python's `llama_model_quantize`. A task for a job child.

Never runs in the application's own process: it takes every core for seconds, and cannot be stopped but by a kill.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import threading
from collections.abc import Generator, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import AccessDenied, BadParameter, JobFailed
from engine.filelock import file_lock
from engine.models.gguf_header import QUANTIZATIONS, read_header
from engine.models.room import check_room
from engine.native import require_native
from engine.tasks import Progress, run

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job

TASK = "engine.models.quantize:quantize"
TYPES = {name: number for number, name in QUANTIZATIONS.items()}
TENSOR = re.compile(r"\[\s*\d+/\s*\d+\]\s+\S+\s+-\s+\[([\d, ]+)\]")  # llama.cpp logs one such line before each tensor
SIZE = re.compile(r"\w+: (model|quant) size\s+=\s+([\d.]+) MiB")
OFFERED = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q2_K")  # from the largest to the smallest
SIZES_TASK = "engine.models.quantize:sizes"
LOG_ERROR = 4  # ggml_log_level
BYTES = {"F32": 4.0, "F16": 2.0, "BF16": 2.0}  # of one weight; every other kind has at most those of Q8_0
BYTES_Q8_0 = 34 / 32


def part_of(target: Path) -> Path:
    """Where the new file lies until it is whole; whoever kills the task removes it."""
    return target.with_name(f".{target.name}.part")


def quantize(source: str, target: str, kind: str, threads: int = 0) -> Generator[Progress, None, dict[str, Any]]:
    """Write `source` as `kind` ("Q8_0") to `target`, in one step at the end; weights done of all.

    Returns path, size in bytes, SHA-256 of both files, quantization and tool. Raises BadParameter, ModelFileCorrupt,
    NativeMissing, DiskFull, JobFailed.
    """
    if kind not in TYPES:
        raise BadParameter(f"kind={kind!r}", name="kind", value=kind, choices=sorted(TYPES), low=None, high=None)
    require_native()
    old, new = Path(source), Path(target)
    header = read_header(old)
    new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_room(new.parent, int(header.parameters * BYTES.get(kind, BYTES_Q8_0)))
    with file_lock(new.with_name(f".{new.name}.lock"), timeout=0):
        part = part_of(new)
        tool, _ = yield from _rewrite(old, part, TYPES[kind], threads)
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


def start_quantize(engine: Engine, owner: str, model: str, kind: str, *, role: str) -> Job:
    """The job that writes a local model as `kind` among one's own; its progress is in weights.

    Raises AccessDenied, UnknownModel, NotSupported (not local), BadParameter, BadInput (it is of that kind already).
    """
    from engine.quality.quantizations import target_file
    from engine.quality.weights import shipped_file

    if role != "teacher":
        raise AccessDenied("quantizing models is the teacher's", role="teacher")
    source = shipped_file(engine, engine.catalog.card(model).id)
    target = target_file(engine.settings, source, kind)
    args = {"source": str(source), "target": str(target), "kind": kind, "threads": engine.settings.threads}
    return engine.jobs.submit(owner, TASK, args, f"{source.stem} → {kind}", (part_of(target),))


def foreseen_sizes(engine: Engine, model: str, kinds: Sequence[str] = OFFERED) -> dict[str, int | None]:
    """Bytes that a local model would have as each kind; None where llama.cpp cannot make it. Takes a child process and
    about a second. Raises what `start_quantize` and `sizes` do.
    """
    from engine.quality.weights import shipped_file

    source = shipped_file(engine, engine.catalog.card(model).id)
    found: dict[str, int | None] = run(SIZES_TASK, {"source": str(source), "kinds": list(kinds)})["kinds"]
    return found


def sizes(source: str, kinds: Sequence[str] = OFFERED) -> Generator[Progress, None, dict[str, Any]]:
    """Bytes that `source` would have as each of these kinds, to 0.01 MiB, by llama.cpp itself, which writes nothing;
    kinds done of all.

    Returns `kinds`, sizes by kind, None where llama.cpp cannot make it of this file, and `source`'s own. Raises as
    `quantize`.
    """
    if unknown := sorted(set(kinds) - set(TYPES)):
        raise BadParameter(f"kinds={unknown}", name="kinds", value=unknown, choices=sorted(TYPES), low=None, high=None)
    require_native()
    path = Path(source)
    read_header(path)
    found: dict[str, int | None] = {}
    for number, kind in enumerate(kinds):
        yield Progress(number, len(kinds))
        try:
            found[kind] = _foreseen(path, TYPES[kind])
        except JobFailed:
            found[kind] = None
    yield Progress(len(kinds), len(kinds))
    return {"source": path.stat().st_size, "kinds": found}


def _foreseen(path: Path, ftype: int) -> int:
    """The size of the whole file: what precedes the weights stays as long as it is."""
    work = _rewrite(path, path.with_name(".never-written"), ftype, 1, dry=True)
    while True:
        try:
            next(work)  # its progress is a matter of milliseconds
        except StopIteration as end:
            _, told = end.value
            return int(path.stat().st_size + (told["quant"] - told["model"]) * 2**20)


def sha256(path: Path) -> str:
    """Hexadecimal digest of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rewrite(
    old: Path, part: Path, ftype: int, threads: int, dry: bool = False
) -> Generator[Progress, None, tuple[str, dict[str, float]]]:
    """Have llama.cpp write the new file (`dry`: only reckon); returns which tool it was, and the sizes that it told in
    MiB, of the old weights as `model` and of the new as `quant`.

    Progress comes from its log, one line before each tensor.
    """
    import llama_cpp

    total = read_header(old).parameters
    told: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # weights of the tensor that begins; None: the end
    errors: list[str] = []
    known: dict[str, float] = {}
    code: list[int] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def hear(level: int, text: bytes, _user_data: object) -> None:
        line = text.decode("utf-8", "replace")
        if found := TENSOR.match(line):
            told.put(prod(map(int, found[1].split(","))))
        elif size := SIZE.match(line):
            known[size[1]] = float(size[2])
        elif level == LOG_ERROR:
            errors.append(line.strip())

    def work() -> None:
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype, params.nthread, params.allow_requantize, params.dry_run = ftype, threads, True, dry
        code.append(int(llama_cpp.llama_model_quantize(str(old).encode(), str(part).encode(), params)))
        told.put(None)

    llama_cpp.llama_log_set(hear, None)
    threading.Thread(target=work, name="quantize", daemon=True).start()  # so that progress is told meanwhile
    begun = 0
    while (weights := told.get()) is not None:
        yield Progress(begun, total)
        begun += weights
    if code != [0] or (dry and len(known) < 2):
        part.unlink(missing_ok=True)
        reason = errors[0] if errors else f"llama_model_quantize gave {code}"
        raise JobFailed(reason, job=TASK, reason=reason)
    yield Progress(total, total)
    return f"llama-cpp-python {llama_cpp.__version__}", known
