"""How a model is loaded: one value that two callers with the same wishes share. Knows no library and no process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from engine.errors import BadParameter

KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
KV_TYPES: tuple[KvType, ...] = get_args(KvType)
Pooling = Literal["mean", "cls", "last"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
WHOLE_KV_TYPES = ("f32", "f16", "bf16")

# Closed ranges; the upper ends only keep typing errors away from the machine's memory.
RANGES: Mapping[str, tuple[int, int]] = {
    "context": (16, 1 << 20),
    "slots": (1, 64),
    "threads": (1, 512),
    "batch": (32, 8192),
    "gpu_layers": (-1, 1024),
    "cache_ram_mib": (0, 1 << 20),
}


@dataclass(frozen=True)
class LoadParams:
    """One way to load a file: `context` in tokens per slot, `batch` in tokens, `cache_ram_mib` in MiB. Hashable.

    `gpu_layers` -1 is "all, where there is a GPU", on the one called `device` or on all. Raises BadParameter, also for
    unknown names in `from_dict`.
    """

    path: str
    context: int = 8192
    slots: int = 1
    threads: int = 1
    batch: int = 128
    gpu_layers: int = -1
    device: str | None = None
    kv_type: KvType = "f16"
    flash_attention: bool = True
    chat_template: str | None = None
    seed: int | None = None
    cache_ram_mib: int = 0
    embedding: bool = False
    reranking: bool = False
    pooling: Pooling | None = None  # None: as the file says
    alias: str = "model"

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            _check(name, getattr(self, name), low, high)
        if self.seed is not None:
            _check("seed", self.seed, 0, 2**32 - 1)
        if not self.path:
            raise BadParameter("path=''", name="path", value="", low=None, high=None)
        if self.kv_type not in KV_TYPES:
            raise _bad("kv_type", self.kv_type)
        if self.kv_type not in WHOLE_KV_TYPES and not self.flash_attention:  # llama.cpp refuses a quantized V cache
            raise _bad("flash_attention", self.flash_attention)
        if self.embedding and self.reranking:
            raise _bad("reranking", self.reranking)
        if self.pooling is not None and (self.pooling not in POOLINGS or not self.embedding):
            raise _bad("pooling", self.pooling)

    @property
    def cells(self) -> int:
        """Tokens of all slots together, what the key-value cache is allocated for."""
        return self.context * self.slots

    def to_dict(self) -> dict[str, Any]:
        """Every field, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LoadParams:
        """The value that `to_dict` gave. Raises BadParameter."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise BadParameter(f"unknown: {', '.join(unknown)}", name=unknown[0], value=None, low=None, high=None)
        if "path" not in data:
            raise BadParameter("path is missing", name="path", value=None, low=None, high=None)
        return cls(**data)


def _check(name: str, value: object, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not low <= value <= high:  # type: ignore[operator]
        raise _bad(name, value, low, high)


def _bad(name: str, value: object, low: int | None = None, high: int | None = None) -> BadParameter:
    return BadParameter(f"{name}={value!r}", name=name, value=str(value), low=low, high=high)
