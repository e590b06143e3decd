"""Digests are computed once; copies are found by reading only what has the same size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.errors import BadFile
from engine.models import hashes as module
from engine.models.discovery import discover
from engine.models.hashes import Hashes, alike, digest, duplicates
from engine.settings import Settings


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
