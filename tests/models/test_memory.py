"""The estimate before loading is what loading takes, and is exact where it can be."""

from __future__ import annotations

import struct
from pathlib import Path

import psutil
import pytest

from engine.errors import BadParameter, LoadFailed, NotSupported
from engine.models import memory as module
from engine.models.bundled import bundled_file
from engine.models.details import details
from engine.models.memory import KV_BYTES, estimate, free_memory, kv_bytes, refuse_hopeless, whole_memory
from engine.runtime.load import KV_TYPES, LoadParams
from engine.runtime.supervisor import Supervisor
from tests.conftest import small_settings
from tests.models import gguf_files as make

TOLERANCE = 0.25  # of the measured memory, which holds the libraries of this machine


def test_one_window_of_the_bundled_model() -> None:
    shape = details(bundled_file()).shape
    assert shape is not None
    assert kv_bytes(shape, 8192) == 30 * 2 * 3 * 64 * 2 * 8192 == 188_743_680  # as DESIGN.md measured it
    assert kv_bytes(shape, 8192, "f32") == 2 * kv_bytes(shape, 8192, "bf16") == 2 * kv_bytes(shape, 8192)
    assert kv_bytes(shape, 8192, "q8_0") == kv_bytes(shape, 8192) * 34 // 64
    assert kv_bytes(shape, 8192, "q4_0") == kv_bytes(shape, 8192) * 18 // 64
    assert kv_bytes(shape, 1) == kv_bytes(shape, 256)


def test_every_format_has_a_size() -> None:
    assert set(KV_BYTES) == set(KV_TYPES)


def test_the_sum_and_whether_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    card = details(bundled_file())
    monkeypatch.setattr(module, "free_memory", lambda: 1 << 30)
    small, large = estimate(card, 2048), estimate(card, 8192, 16)
    assert small.total == small.weights + small.kv + small.compute and small.weights == card.size_bytes
    assert small.fits and not large.fits and large.kv == 16 * estimate(card, 8192).kv
    assert large.to_dict()["fits"] is False and large.free == 1 << 30
    assert estimate(card, 8192, flash=False).compute > estimate(card, 8192).compute


def test_what_cannot_be_estimated(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(make.gguf())
    with pytest.raises(NotSupported):
        estimate(details(path), 2048)
    for wrong in ({"kv_type": "q3"}, {"slots": 0}, {"context": 0}):
        with pytest.raises(BadParameter):
            estimate(details(bundled_file()), **{"context": 1024, **wrong})  # type: ignore[arg-type]


def test_layers_without_attention_cost_their_state_alone(tmp_path: Path) -> None:
    def number(key: str, value: int) -> bytes:
        return make.u32(f"mamba.{key}", value)

    path = tmp_path / "x.gguf"
    heads = make.field("mamba.attention.head_count", make.ARRAY, struct.pack("<IQ3I", make.U32, 3, 0, 0, 0))
    fields = [
        make.string("general.architecture", "mamba"),
        number("block_count", 3),
        number("embedding_length", 8),
        heads,
    ]
    fields += [number("ssm.conv_kernel", 4), number("ssm.inner_size", 16), number("ssm.state_size", 2)]
    path.write_bytes(make.gguf(fields))
    shape = details(path).shape
    assert shape is not None
    assert kv_bytes(shape, 8192) == kv_bytes(shape, 256) == 4 * 3 * ((4 - 1) * 16 + 16 * 2)


def test_a_container_has_less_than_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CGROUP", tmp_path)
    whole = free_memory()
    assert whole > 0
    told = {"memory.max": "2000", "memory.current": "1500", "memory.stat": "inactive_file 100\nanon 5\n"}
    for name, text in told.items():
        (tmp_path / name).write_text(text)
    assert (free_memory(), whole_memory()) == (600, 2000)
    (tmp_path / "memory.max").write_text("max\n")
    assert whole_memory() == psutil.virtual_memory().total
    assert abs(free_memory() - psutil.virtual_memory().available) < 1 << 30


@pytest.mark.model
@pytest.mark.parametrize(("context", "slots"), [(1024, 2), (4096, 4)])
def test_the_estimate_is_what_the_real_model_takes(tmp_path: Path, context: int, slots: int) -> None:
    supervisor = Supervisor(small_settings(tmp_path))
    try:
        load = LoadParams(path=str(bundled_file()), context=context, slots=slots, threads=1, batch=128, alias="m")
        runtime = supervisor.runtime(load)
        for _ in runtime.ready():
            pass
        taken = runtime.memory()
        expected = estimate(details(bundled_file()), context, slots).total
        assert taken is not None
        assert abs(expected - taken) < TOLERANCE * taken, (expected >> 20, taken >> 20)
    finally:
        supervisor.close()


def test_what_no_machine_can_hold_is_refused_before_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = LoadParams(path=str(bundled_file()), context=1 << 20, slots=64, kv_type="f32", threads=1, alias="huge")
    supervisor = Supervisor(small_settings(tmp_path))
    try:
        with pytest.raises(LoadFailed, match=r"it needs [\d.]+ GiB of memory, this machine has"):
            for _ in supervisor.runtime(load).ready():
                pass
    finally:
        supervisor.close()
    small = LoadParams(path=str(bundled_file()), context=1024, alias="small")
    refuse_hopeless(details(bundled_file()), small)
    monkeypatch.setattr(module, "whole_memory", lambda: 1 << 20)
    with pytest.raises(LoadFailed):
        refuse_hopeless(details(bundled_file()), small)
