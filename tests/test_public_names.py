"""The public surface of the engine: complete, sorted, and light to import."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import engine
from engine import compare, comptine, models, quality, rag, sampling


def test_all_is_sorted_and_everything_in_it_exists() -> None:
    assert engine.__all__ == sorted(engine.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(engine, name) is not None for name in engine.__all__)


def test_importing_the_engine_imports_nothing_heavy() -> None:
    code = "import engine, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pydantic", "sqlalchemy", "httpx", "numpy", "langchain_core", "xllamacpp", "llama_cpp", "tiktoken"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("package", [compare, comptine, models, quality, rag, sampling])
def test_a_packages_names_are_sorted_and_none_is_hidden_by_a_module(package: ModuleType) -> None:
    names = package.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert not [name for name in names if isinstance(getattr(package, name), ModuleType)]
