"""Digests are computed once; copies are found by reading only what has the same size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.errors import BadFile
from engine.models import hashes as module
from engine.models.discovery import discover
from engine.models.hashes import TASK, Hashes, alike, copies, digest, duplicates
from engine.settings import Settings
from engine.tasks import TaskRun


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read."""
    names: list[str] = []
    real = module.digest
    monkeypatch.setattr(module, "digest", lambda path: (names.append(Path(path).name), real(path))[1])
    return names


def test_a_digest_is_computed_once_and_again_after_a_change(tmp_path: Path, read: list[str]) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"one")
    assert Hashes(Settings()).known(path) is None
    assert Hashes(Settings()).of(path) == hashlib.sha256(b"one").hexdigest() == Hashes(Settings()).of(path)
    assert Hashes(Settings()).known(path) and read == ["a.gguf"]
    path.write_bytes(b"another")
    assert Hashes(Settings()).of(path) == hashlib.sha256(b"another").hexdigest() and len(read) == 2
    with pytest.raises(BadFile):
        Hashes(Settings()).of(tmp_path / "none")


def test_progress_is_told_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 4)
    (tmp_path / "a").write_bytes(bytes(10))
    assert [(told.done, told.total) for told in digest(str(tmp_path / "a"))] == [(4, 10), (8, 10), (10, 10)]


def test_a_blob_is_named_after_its_digest(tmp_path: Path, read: list[str]) -> None:
    blob = tmp_path / f"sha256-{'ab' * 32}"
    blob.write_bytes(b"")
    link = tmp_path / "x.gguf"
    link.symlink_to(blob)
    assert Hashes(Settings()).of(link) == "ab" * 32 and read == []


def test_copies_are_found_and_only_equal_sizes_are_read(tmp_path: Path, read: list[str]) -> None:
    files = {"a": b"same", "b": b"same", "c": b"diff", "d": b"longer"}
    files |= {f"{stem}-0000{part}-of-00002": data for stem in "pq" for part, data in ((1, b"xy"), (2, b"zw"))}
    for name, data in files.items():
        (tmp_path / f"{name}.gguf").write_bytes(data)
    found = discover(Settings(), [tmp_path])
    assert sorted(len(group) for group in alike(found)) == [2, 3]
    groups = {tuple(file.name for file in group) for group in duplicates(found, Hashes(Settings()))}
    assert groups == {("a", "b"), ("p", "q")}
    assert "d.gguf" not in read and len(read) == 7


def test_a_job_reads_several_files_once_and_what_it_read_is_remembered(tmp_path: Path, isolation: Path) -> None:
    files = {"a.gguf": b"same", "b.gguf": b"same", "c.gguf": b"diff", "d.gguf": b"longer"}
    paths = [tmp_path / name for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    found, settings = discover(Settings(), [tmp_path]), Settings(home=isolation)
    before = copies(paths[:1], found, Hashes(settings))
    assert not before.same and [file.name for file in before.unread] == ["b", "c"]
    asked = [str(path) for path in (*paths, tmp_path / "gone.gguf")]
    work = TaskRun(TASK, {"home": str(settings.home), "paths": asked}, nice=0)
    told = list(work)
    assert told[-1].done == told[-1].total == 18 and work.result["unread"] == ["gone.gguf"]
    assert work.result["sha256"]["a.gguf"] == hashlib.sha256(b"same").hexdigest()
    after = copies(paths[:1], found, Hashes(settings))
    assert [file.name for file in after.same] == ["b"] and not after.unread
    with pytest.raises(BadFile):
        list(TaskRun(TASK, {"home": str(settings.home), "paths": asked[-1:]}, nice=0))
