"""Re-quantization in a child process, with the real weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog import BUNDLED
from engine.engine import Engine
from engine.errors import (
    AccessDenied,
    BadParameter,
    DiskFull,
    JobFailed,
    ModelFileCorrupt,
    NativeMissing,
    NotSupported,
    TimedOut,
)
from engine.filelock import file_lock
from engine.models import room
from engine.models.bundled import bundled_file
from engine.models.gguf_header import read_header
from engine.models.quantize import (
    OFFERED,
    SIZES_TASK,
    TASK,
    foreseen_sizes,
    part_of,
    quantize,
    sha256,
    sizes,
    start_quantize,
)
from engine.native import NativeState
from engine.person import LOCAL_OWNER
from engine.settings import Settings
from engine.tasks import TaskRun, run


@pytest.mark.model
def test_q4_1_becomes_q8_0_with_progress_by_weights(tmp_path: Path) -> None:
    target = tmp_path / "new" / "q8.gguf"
    work = TaskRun(TASK, {"source": str(bundled_file()), "target": str(target), "kind": "Q8_0", "threads": 2})
    progress = list(work)
    weights = read_header(bundled_file()).parameters
    assert (progress[-1].done, progress[-1].total) == (weights, weights)
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
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 20}))
    with pytest.raises(DiskFull) as caught:
        list(quantize(*arguments))
    assert caught.value.details["free"] == 1 << 20
    monkeypatch.setattr("engine.native.native_state", lambda: NativeState("building"))
    with pytest.raises(NativeMissing):
        list(quantize(*arguments))


def test_two_never_write_the_same_file(tmp_path: Path) -> None:
    target = tmp_path / "new.gguf"
    with file_lock(tmp_path / ".new.gguf.lock"), pytest.raises(TimedOut):
        list(quantize(str(bundled_file()), str(target), "Q8_0"))


@pytest.mark.model
def test_sizes_are_foreseen_and_nothing_is_written(tmp_path: Path) -> None:
    source, target = tmp_path / "source.gguf", tmp_path / "made.gguf"
    source.symlink_to(bundled_file())
    work = TaskRun(SIZES_TASK, {"source": str(source)})
    progress = list(work)
    told = work.result
    assert (progress[-1].done, progress[-1].total) == (len(OFFERED), len(OFFERED))
    assert told["source"] == bundled_file().stat().st_size
    assert list(told["kinds"]) == list(OFFERED)
    assert [path.name for path in tmp_path.iterdir()] == ["source.gguf"]
    assert abs(told["kinds"]["Q8_0"] - 144_811_072) < 64 * 1024
    made = run(TASK, {"source": str(source), "target": str(target), "kind": "Q4_0", "threads": 2})
    assert abs(told["kinds"]["Q4_0"] - made["size"]) < 64 * 1024


def test_an_unknown_kind_has_no_size() -> None:
    with pytest.raises(BadParameter):
        list(sizes(str(bundled_file()), ["Q9_9"]))


@pytest.mark.model
def test_only_the_teacher_quantizes_and_is_told_the_sizes(tmp_path: Path) -> None:
    engine = Engine(Settings(home=tmp_path, prepare=False))
    try:
        with pytest.raises(AccessDenied):
            start_quantize(engine, LOCAL_OWNER, BUNDLED, "Q4_0", role="student")
        with pytest.raises(NotSupported):
            start_quantize(engine, LOCAL_OWNER, "echo", "Q4_0", role="teacher")
        assert foreseen_sizes(engine, BUNDLED, ["Q8_0"])["Q8_0"]
        job = start_quantize(engine, LOCAL_OWNER, BUNDLED, "Q8_0", role="teacher")
        assert Path(job.args["target"]) == engine.settings.models_dir / "SmolLM2-135M-Instruct.Q8_0.gguf"
        assert engine.jobs.cancel(job.id, LOCAL_OWNER).state == "cancelled"
    finally:
        engine.close()
