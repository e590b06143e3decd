"""What a model would take of the machine's memory, estimated from its header before anything is loaded.

Weights are the file itself, mapped; the key-value cache is exact arithmetic over layers, heads and number format; what
computing needs besides is an estimate from llama.cpp's own graph sizes. For layers with a sliding window the whole
window is counted, so that the estimate is never too low there. Memory of a graphics card is not looked at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from engine.errors import BadParameter, LoadFailed, NotSupported
from engine.runtime.load import KV_TYPES, KvType, LoadParams

if TYPE_CHECKING:
    from engine.models.details import Details, Shape

# ggml's block formats: bytes of one number
KV_BYTES: dict[str, float] = {
    "f32": 4, "f16": 2, "bf16": 2, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32, "q4_0": 18 / 32,
    "iq4_nl": 18 / 32,
}  # fmt: skip
PROCESS = 58 << 20  # bytes of a worker without weights and windows: Python and llama.cpp, measured at six sizes
OUTPUTS = 5  # buffers of the model's width that its widest operation holds at once, at most
CONTEXT_STEP = 256  # tokens; llama.cpp rounds a window up to it

GIB = 1 << 30
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Memory:
    """Bytes: of the weights, of all windows, of what computing needs besides, of all; `free` is the machine's now."""

    weights: int
    kv: int
    compute: int
    total: int
    free: int

    @property
    def fits(self) -> bool:
        """Whether the machine has that much now."""
        return self.total <= self.free

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "fits": self.fits}


def estimate(
    details: Details, context: int, slots: int = 1, kv_type: KvType = "f16", *, batch: int = 128, flash: bool = True
) -> Memory:
    """What the model takes with `slots` windows of `context` tokens. Raises NotSupported where the header does not say
    enough, BadParameter.
    """
    if kv_type not in KV_TYPES:
        raise BadParameter(f"kv_type={kv_type!r}", name="kv_type", value=kv_type, choices=KV_TYPES, low=None, high=None)
    if context < 1 or slots < 1:
        raise BadParameter(f"context={context}", name="context", value=context, low=1, high=None)
    shape = details.shape
    if shape is None:
        raise NotSupported("the file's header does not tell its shape", capability="memory", backend="gguf")
    kv = slots * kv_bytes(shape, context, kv_type)
    compute = PROCESS + _compute(details, shape, context, slots, batch, flash)
    total = details.size_bytes + kv + compute
    return Memory(details.size_bytes, kv, compute, total, free_memory())


def kv_bytes(shape: Shape, context: int, kv_type: KvType = "f16") -> int:
    """Bytes of one window of so many tokens, rounded up as llama.cpp does."""
    cells = -(-context // CONTEXT_STEP) * CONTEXT_STEP
    numbers = sum(shape.key_widths) + sum(shape.value_widths)
    return int(cells * numbers * KV_BYTES[kv_type]) + shape.state_bytes


def refuse_hopeless(details: Details, load: LoadParams) -> None:
    """Return where the machine could hold the model if nothing else ran. Raises LoadFailed.

    Loading it all the same would have the system end some process, ours or another.
    """
    try:
        needed = estimate(
            details, load.context, load.slots, load.kv_type, batch=load.batch, flash=load.flash_attention
        ).total
    except NotSupported:
        return
    if needed > (whole := whole_memory()):
        reason = f"it needs {needed / GIB:.1f} GiB of memory, this machine has {whole / GIB:.1f}"
        raise LoadFailed(f"{load.alias}: {reason}", model=load.alias, reason=reason, needed=needed, whole=whole)


def whole_memory() -> int:
    """Bytes of the machine, or of the container that we live in."""
    whole = int(psutil.virtual_memory().total)
    return min(whole, _number(CGROUP / "memory.max") or whole)


def free_memory() -> int:
    """Bytes that may still be taken: of the machine, or of the container that we live in."""
    free = int(psutil.virtual_memory().available)
    limit, used = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    if limit is None or used is None:
        return free
    return max(0, min(free, limit - used + _reclaimable()))


def _compute(details: Details, shape: Shape, context: int, slots: int, batch: int, flash: bool) -> int:
    """The graph's buffers for one batch, as far as they are written to: the widest layers, the mask in f16, without
    flash attention its scores, and the logits of each slot's next token.
    """
    wide = OUTPUTS * shape.embedding + 2 * shape.feed_forward
    scores = 0 if flash else shape.heads * context
    return 4 * batch * (wide + scores) + 2 * batch * context + 4 * slots * (details.vocabulary or 0)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file system, or "max"
        return None


def _reclaimable() -> int:
    """Bytes of files that the container's kernel would drop for us."""
    try:
        rows = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return int(rows["inactive_file"]) + int(rows.get("active_file", 0))
    except (OSError, ValueError, KeyError):
        return 0
