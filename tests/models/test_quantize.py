"""Re-quantization in a child process, with the real weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import BadParameter, JobFailed, ModelFileCorrupt, NativeMissing, TimedOut
from engine.filelock import file_lock
from engine.models import quantize as quantize_module
from engine.models.bundled import bundled_file
from engine.models.gguf_header import read_header
from engine.models.quantize import TASK, part_of, quantize, sha256
from engine.native import NativeState
from engine.tasks import TaskRun, run


@pytest.mark.model
def test_q4_1_becomes_q8_0_with_progress_per_tensor(tmp_path: Path) -> None:
    target = tmp_path / "new" / "q8.gguf"
    work = TaskRun(TASK, {"source": str(bundled_file()), "target": str(target), "kind": "Q8_0", "threads": 2})
    progress = list(work)
    assert (progress[-1].done, progress[-1].total) == (272, 272)
    assert len(progress) > 3
    assert [p.done for p in progress] == sorted(p.done for p in progress)
    told = work.result
    assert read_header(target).quantization == told["quantization"] == "Q8_0"
    assert told["size"] == target.stat().st_size == 144_811_072
    assert told["sha256"] == sha256(target)
    assert told["tool"].startswith("llama-cpp-python 0.")
    assert not part_of(target).exists()


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameter):
        list(quantize(str(bundled_file()), str(tmp_path / "x"), "Q9_9"))


def test_a_broken_source_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelFileCorrupt):
        run(TASK, {"source": str(broken), "target": str(tmp_path / "new.gguf"), "kind": "Q8_0"})
    assert list(tmp_path.iterdir()) == [broken]


def test_what_llama_cpp_refuses_is_told(tmp_path: Path) -> None:
    key = b"general.architecture" + (8).to_bytes(4, "little") + (5).to_bytes(8, "little")
    foreign, target = tmp_path / "foreign.gguf", tmp_path / "new.gguf"
    foreign.write_bytes(bundled_file().read_bytes().replace(key + b"llama", key + b"lamia"))
    with pytest.raises(JobFailed, match="lamia"):
        run(TASK, {"source": str(foreign), "target": str(target), "kind": "Q8_0"})
    assert not target.exists()
    assert not part_of(target).exists()


def test_without_room_or_tool_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (str(bundled_file()), str(tmp_path / "new.gguf"), "Q8_0")
    monkeypatch.setattr(quantize_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 20}))
    with pytest.raises(JobFailed) as caught:
        list(quantize(*arguments))
    assert caught.value.details["reason"] == "disk_full"
    monkeypatch.setattr("engine.native.native_state", lambda: NativeState("building"))
    with pytest.raises(NativeMissing):
        list(quantize(*arguments))


def test_two_never_write_the_same_file(tmp_path: Path) -> None:
    target = tmp_path / "new.gguf"
    with file_lock(tmp_path / ".new.gguf.lock"), pytest.raises(TimedOut):
        list(quantize(str(bundled_file()), str(target), "Q8_0"))
