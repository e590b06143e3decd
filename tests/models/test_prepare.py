"""The bundled weights, prepared once: by one of many, again after damage, never where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import child
from engine.errors import JobFailed
from engine.models import prepare
from engine.models.bundled import bundled_file
from engine.models.gguf_header import read_header
from engine.models.prepare import found_file, prepared_file, target_file
from engine.models.quantize import sha256
from engine.native import NativeState
from engine.settings import Settings

PREPARE = """
import sys
from pathlib import Path
from engine.models.prepare import prepared_file
from engine.settings import Settings
print(prepared_file(Settings(home=Path(sys.argv[1]))).note)
"""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were run."""
    ran: list[str] = []
    run = prepare.run
    monkeypatch.setattr(prepare, "run", lambda task, args: (ran.append(task), run(task, args))[1])
    return ran


@pytest.mark.model
def test_once_and_again_after_damage(tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path)
    assert found_file(settings).note == "not_prepared"
    made = prepared_file(settings)
    target = target_file(settings)
    assert (made.path, made.quantization, made.source, made.note) == (target, "Q8_0", bundled_file(), "prepared")
    assert made.sha256 == sha256(target)
    assert read_header(target).quantization == "Q8_0"

    with monkeypatch.context() as patch:  # while sizes and times match, nothing is read again
        patch.setattr(prepare, "sha256", lambda path: pytest.fail("was read"))
        assert prepared_file(settings) == found_file(settings) == made
    os.utime(target)  # copied elsewhere and back: the same bytes, read once
    assert prepared_file(settings) == made
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "sha256", lambda path: pytest.fail("was read"))
        assert found_file(settings) == made
    assert len(counted) == 1

    os.truncate(target, 100_000_000)
    assert found_file(settings).note == "not_prepared"
    assert prepared_file(settings) == made
    with target.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"not weights")
    os.utime(target)
    assert prepared_file(settings) == made
    assert len(counted) == 3
    assert sha256(target) == made.sha256


@pytest.mark.model
def test_two_processes_at_once_and_the_rest_of_one_that_was_killed(tmp_path: Path) -> None:
    target = target_file(Settings(home=tmp_path))
    target.parent.mkdir(parents=True)
    prepare.part_of(target).write_bytes(b"half")
    (target.parent / ".prepare.lock").touch()  # of a process that is gone: nobody holds it
    arguments = [sys.executable, "-c", PREPARE, str(tmp_path)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=child.ROOT) for _ in range(2)]
    assert [process.communicate(timeout=240)[0].strip() for process in both] == ["prepared", "prepared"]
    assert not prepare.part_of(target).exists()
    seen = {path.name for path in target.parent.iterdir() if not path.name.startswith(".")}
    assert seen == {target.name, target.with_suffix(".json").name}


def test_not_where_it_is_switched_off(tmp_path: Path) -> None:
    served = prepared_file(Settings(home=tmp_path, prepare=False))
    assert (served.path, served.quantization, served.note) == (bundled_file(), "Q4_1", "prepare_off")


def test_not_where_the_tool_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "native_state", lambda: NativeState("building"))
    served = prepared_file(Settings(home=tmp_path))
    assert (served.path, served.note) == (bundled_file(), "native_missing")


def test_what_failed_is_kept_and_the_file_served_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(task: str, args: object) -> None:
        raise JobFailed("no room", job=task, reason="disk_full")

    monkeypatch.setattr(prepare, "run", fail)
    served = prepared_file(Settings(home=tmp_path))
    assert (served.path, served.note) == (bundled_file(), "prepare_failed")
    assert served.error is not None
    assert served.error.details["reason"] == "disk_full"


def test_a_data_folder_that_cannot_be_written_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    served = prepared_file(Settings(home=tmp_path / "file" / "below"))
    assert (served.path, served.note) == (bundled_file(), "prepare_failed")


@pytest.mark.parametrize("record", ["", "{}", "nonsense"])
def test_a_damaged_record_is_no_record(tmp_path: Path, record: str) -> None:
    settings = Settings(home=tmp_path)
    target_file(settings).parent.mkdir(parents=True)
    target_file(settings).touch()
    target_file(settings).with_suffix(".json").write_text(record)
    assert found_file(settings).note == "not_prepared"
