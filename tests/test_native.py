"""The state of the llama-cpp-python build, as run.py writes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import native
from engine.errors import NativeMissing


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "MODULE", "llama_cpp_that_is_not_there")


def write(folder: Path, **fields: object) -> None:
    (folder / native.FILE).write_text(json.dumps(fields), encoding="utf-8")


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_installed_is_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native, "MODULE", "pytest")
    monkeypatch.setattr(native, "PACKAGE", "pytest")
    write(tmp_path, state="building", pid=os.getpid())
    assert native.native_state(tmp_path) == native.NativeState("ready")
    native.require_native()


def test_module_without_metadata_is_an_installation_under_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native, "MODULE", "pytest")
    monkeypatch.setattr(native, "PACKAGE", "not-a-distribution")
    write(tmp_path, state="building", pid=os.getpid())
    assert native.native_state(tmp_path).state == "building"


@pytest.mark.usefixtures("absent")
def test_building_while_its_process_lives(tmp_path: Path) -> None:
    write(tmp_path, state="building", started=12.5, pid=os.getpid(), message="under way", log="a.log", attempt=[])
    assert native.native_state(tmp_path) == native.NativeState("building", 12.5, "under way", None, "a.log")


@pytest.mark.usefixtures("absent")
def test_building_by_a_dead_process_has_failed(tmp_path: Path) -> None:
    write(tmp_path, state="building", pid=ended_process())
    assert native.native_state(tmp_path).state == "failed"
    write(tmp_path, state="building", pid=None)
    assert native.native_state(tmp_path).state == "failed"


@pytest.mark.usefixtures("absent")
def test_failed_keeps_the_reason(tmp_path: Path) -> None:
    write(tmp_path, state="failed", message="no compiler", reason="no_compiler", pid=1)
    found = native.native_state(tmp_path)
    assert (found.state, found.message, found.reason) == ("failed", "no compiler", "no_compiler")


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"state": "odd"}', '{"state": "ready"}', "\x00"])
def test_no_or_broken_file_is_missing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / native.FILE).write_text(text)
    assert native.native_state(tmp_path) == native.NativeState("missing")


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"state": "building", "pid": os.getpid()}, "still being built"),
        ({"state": "failed", "message": "no compiler"}, "could not be built: no compiler"),
        ({}, "run.py setup"),
    ],
)
def test_require_says_what_is_the_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fields: dict[str, object], sentence: str
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    write(tmp_path, **fields)
    with pytest.raises(NativeMissing, match=sentence) as caught:
        native.require_native()
    assert caught.value.exit_code == 3
