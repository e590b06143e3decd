"""What is measured of a model's speed, and the row that tells it, in llama-bench's names. Pure; measures nothing.

pp512 reads 512 random tokens, tg128 writes 128, one at a time; `@ d1024` does so after 1024 others. Rows have the keys
of llama-bench's JSON, so that the files of either can be compared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from typing import Any

from engine.errors import BadParameter
from engine.runtime.load import KV_TYPES

ROWS_MAX = 256
WRITTEN_WEIGHT = 5  # a written token takes about as long as so many read ones: for the time left only
RANGES: Mapping[str, tuple[int, int]] = {
    "prompts": (0, 1 << 17),
    "generated": (0, 1 << 14),
    "depths": (0, 1 << 17),
    "threads": (1, 512),
    "batches": (1, 1 << 14),
    "ubatches": (1, 1 << 14),
    "repetitions": (1, 100),
}


@dataclass(frozen=True)
class Case:
    """One row: `n_prompt` tokens read, then `n_gen` written, after `n_depth` others."""

    n_prompt: int
    n_gen: int
    n_depth: int
    n_threads: int
    n_batch: int
    n_ubatch: int
    kv_type: str

    @property
    def name(self) -> str:
        """As llama-bench calls it: `pp512`, `tg128`, `pp512 @ d1024`."""
        return case_name(self.n_prompt, self.n_gen, self.n_depth)

    @property
    def cost(self) -> int:
        """Of one repetition, in the time of a read token."""
        return self.n_prompt + WRITTEN_WEIGHT * self.n_gen


@dataclass(frozen=True)
class Plan:
    """What to measure: every combination, prompts and answers apart; llama-bench's defaults but for one thread.

    All sizes in tokens; keys and values are kept in the same type. Raises BadParameter, above 256 rows too.
    """

    prompts: tuple[int, ...] = (512,)
    generated: tuple[int, ...] = (128,)
    depths: tuple[int, ...] = (0,)
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (2048,)
    ubatches: tuple[int, ...] = (512,)
    kv_types: tuple[str, ...] = ("f16",)
    repetitions: int = 5

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            for one in value if isinstance(value, tuple) else (value,):
                if not isinstance(one, int) or isinstance(one, bool) or not low <= one <= high:
                    raise BadParameter(f"{name}={one!r}", name=name, value=one, low=low, high=high)
        for kind in self.kv_types:
            if kind not in KV_TYPES:
                text = f"kv_types={kind!r}"
                raise BadParameter(text, name="kv_types", value=kind, choices=list(KV_TYPES), low=None, high=None)
        apart = (self.depths, self.threads, self.batches, self.ubatches, self.kv_types)
        count = sum(n > 0 for n in (*self.prompts, *self.generated)) * math.prod(map(len, apart))
        if not 1 <= count <= ROWS_MAX:
            raise BadParameter(f"{count} rows", name="rows", value=count, low=1, high=ROWS_MAX)

    def cases(self) -> tuple[Case, ...]:
        """The rows in llama-bench's order: settings outside, then all prompts, then all answers."""
        found = []
        for batch, ubatch, kind, threads, depth in product(
            self.batches, self.ubatches, self.kv_types, self.threads, self.depths
        ):
            rest = (depth, threads, batch, min(ubatch, batch), kind)
            found += [Case(n, 0, *rest) for n in self.prompts if n]
            found += [Case(0, n, *rest) for n in self.generated if n]
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """What `to_dict` gave, or a part of it. Raises BadParameter, for unknown names too."""
        for name in data:
            if name not in {field.name for field in fields(cls)}:
                raise BadParameter(f"no such thing to measure: {name}", name=name, value=None, low=None, high=None)
        values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in data.items()}
        return cls(**values)


def case_name(n_prompt: int, n_gen: int, n_depth: int) -> str:
    """llama-bench's name of a row."""
    what = "+".join(f"{kind}{count}" for kind, count in (("pp", n_prompt), ("tg", n_gen)) if count)
    return what + (f" @ d{n_depth}" if n_depth else "")


def row(facts: Mapping[str, Any], test: Case, samples_ns: Sequence[int]) -> dict[str, Any]:
    """One object of llama-bench's JSON, with its keys in its order, then `test` and `model_sha256`, ours.

    avg_ts is the mean of the repetitions' tokens per second, stddev_ts their sample standard deviation, 0 for one.
    """
    rates = [1e9 * (test.n_prompt + test.n_gen) / one for one in samples_ns]
    told = {
        **facts,
        "n_batch": test.n_batch, "n_ubatch": test.n_ubatch, "n_threads": test.n_threads,
        "type_k": test.kv_type, "type_v": test.kv_type,
        "n_prompt": test.n_prompt, "n_gen": test.n_gen, "n_depth": test.n_depth,
        "test_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "avg_ns": int(_mean(samples_ns)), "stddev_ns": int(_deviation(samples_ns)),
        "avg_ts": _mean(rates), "stddev_ts": _deviation(rates),
        "samples_ns": list(samples_ns), "samples_ts": rates,
        "test": test.name,
    }  # fmt: skip
    return {name: told[name] for name in (*KEYS, "samples_ns", "samples_ts", "test", "model_sha256")}


# llama-bench.cpp: test::get_fields
# fmt: off
KEYS = (
    "build_commit", "build_number", "cpu_info", "gpu_info", "backends", "model_filename", "model_type", "model_size",
    "model_n_params", "n_batch", "n_ubatch", "n_threads", "cpu_mask", "cpu_strict", "poll", "type_k", "type_v",
    "n_gpu_layers", "n_cpu_moe", "split_mode", "main_gpu", "no_kv_offload", "flash_attn", "devices", "tensor_split",
    "tensor_buft_overrides", "load_mode", "lazy_mode", "embeddings", "no_op_offload", "no_host", "repack",
    "fit_target", "fit_min_ctx", "n_prompt", "n_gen", "n_depth", "test_time", "avg_ns", "stddev_ns", "avg_ts",
    "stddev_ts",
)
# What we leave as llama-bench leaves it
DEFAULTS = {
    "cpu_mask": "0x0", "cpu_strict": False, "poll": 50, "n_gpu_layers": -1, "n_cpu_moe": 0, "split_mode": "layer",
    "main_gpu": 0, "no_kv_offload": False, "flash_attn": -1, "devices": "auto", "tensor_split": "0.00",
    "tensor_buft_overrides": "none", "load_mode": "auto", "lazy_mode": "auto", "embeddings": False,
    "no_op_offload": 0, "no_host": False, "repack": True, "fit_target": 0, "fit_min_ctx": 0,
}
# fmt: on


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    middle = _mean(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1))
