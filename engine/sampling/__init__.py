"""What samplers do to the next token's probabilities, stage by stage. Pure arithmetic on arrays: knows no model.

Its public names, each imported at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.sampling.chain import HUGGING_FACE_ORDER, LLAMA_ORDER, Kind, Stage, Step, chain_of, run_chain
    from engine.sampling.draw import Dart, chi_square, dart, draws, u_of, xtc_draw
    from engine.sampling.mirostat import next_mu
    from engine.sampling.penalties import DRY_BREAKERS, dry_breakers, offset
    from engine.sampling.samplers import entropy, softmax

__all__ = [
    "DRY_BREAKERS",
    "HUGGING_FACE_ORDER",
    "LLAMA_ORDER",
    "Dart",
    "Kind",
    "Stage",
    "Step",
    "chain_of",
    "chi_square",
    "dart",
    "draws",
    "dry_breakers",
    "entropy",
    "next_mu",
    "offset",
    "run_chain",
    "softmax",
    "u_of",
    "xtc_draw",
]

_NAMES = {
    "chain": "HUGGING_FACE_ORDER LLAMA_ORDER Kind Stage Step chain_of run_chain",
    "draw": "Dart chi_square dart draws u_of xtc_draw",
    "mirostat": "next_mu",
    "penalties": "DRY_BREAKERS dry_breakers offset",
    "samplers": "entropy softmax",
}
_LATER = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(name)
    return getattr(import_module(f"engine.sampling.{_LATER[name]}"), name)
