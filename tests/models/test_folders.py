"""Folders that the teacher added are kept for the installation; a missing one is refused, a vanished one told."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import BadFile, BadInput, NotFound
from engine.settings import Settings
from tests.models import gguf_files as make


def test_added_folders_are_kept_and_their_files_are_models(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "t.gguf").write_bytes(make.gguf())
    engine = Engine(Settings())
    try:
        assert engine.folders.add(shelf / ".." / "shelf") == shelf == engine.folders.add(shelf)
        assert engine.folders.list() == (shelf,)
        assert "t" in [card.id for card in engine.models()]
        for wrong in (tmp_path / "none", shelf / "t.gguf", Path("a\0b")):
            with pytest.raises(BadFile):
                engine.folders.add(wrong)
        shelf.rename(tmp_path / "moved")
        engine.catalog.look_again()
        assert [trouble.reason for trouble in engine.catalog.troubles()] == ["no such folder"]
        engine.folders.remove(shelf)
        assert engine.folders.list() == ()
        with pytest.raises(NotFound):
            engine.folders.remove(shelf)
    finally:
        engine.close()


def test_there_is_an_end_to_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.models.folders.FOLDERS_MAX", 1)
    engine = Engine(Settings())
    try:
        engine.folders.add(tmp_path)
        engine.folders.add(tmp_path)
        with pytest.raises(BadInput):
            engine.folders.add(tmp_path.parent)
    finally:
        engine.close()
