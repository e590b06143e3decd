"""What can be brought here, in words and sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.ui.bringing import quantized_size
from engine.catalog import ECHO, Catalog
from engine.settings import Settings

# Of the files themselves, as llama-cpp-python writes them
SIZES = {"Q8_0": 144.8, "Q6_K": 138.4, "Q5_K_M": 112.1, "Q4_K_M": 105.5, "Q4_0": 91.7, "Q2_K": 88.2}


def test_sizes_of_the_bundled_model_are_foretold_to_two_percent(tmp_path: Path) -> None:
    card = Catalog(Settings(home=tmp_path, prepare=False)).cards()[0]
    for kind, size in SIZES.items():
        assert quantized_size(card, kind) == pytest.approx(size * 1e6, rel=0.02)
    assert quantized_size(card, "IQ1_S") is None
    assert quantized_size(ECHO, "Q8_0") is None
