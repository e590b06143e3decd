from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.runtime import statedir


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.skipif(sys.platform != "linux", reason="memory-backed files")
def test_it_is_private_and_in_memory_where_there_is_room(tmp_path: Path) -> None:
    memory, data = tmp_path / "shm", tmp_path / "data"
    memory.mkdir()
    folder = statedir.make(data, 1000, memory)
    assert folder.parent == memory
    assert mode(folder) == 0o700
    statedir.remove(folder)
    assert not folder.exists()
    statedir.remove(folder)


def test_it_is_in_the_data_folder_where_memory_is_small_or_missing(tmp_path: Path) -> None:
    memory, data = tmp_path / "shm", tmp_path / "data"
    assert statedir.make(data, 1000, memory).parent == data
    memory.mkdir()
    assert statedir.make(data, 1 << 60, memory).parent == data


def test_folders_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = tmp_path / f"{statedir.PREFIX}{ended.pid}-x"
    alive = tmp_path / f"{statedir.PREFIX}{os.getpid()}-y"
    for folder in (stale, alive):
        folder.mkdir()
    (stale / "prefix-1.bin").touch()
    statedir.make(tmp_path, 0, tmp_path / "absent")
    assert not stale.exists()
    assert alive.exists()
