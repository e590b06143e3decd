"""The isolation that all other tests rely on."""

from __future__ import annotations

import os
from pathlib import Path

from engine.settings import Settings


def test_the_data_folder_is_a_fresh_one(isolation: Path, tmp_path_factory) -> None:
    assert Settings().home == isolation
    assert isolation.is_relative_to(tmp_path_factory.getbasetemp())
    assert Path.home() == isolation.parent


def test_no_key_is_visible(isolation: Path) -> None:
    assert not [name for name in os.environ if name.endswith("_API_KEY")]
