"""How good a local model is and what quantization costs it: perplexity, divergence, surprise, speed, evaluations.

Its public names, each imported at first use. Knows no interface.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.quality.cards import card, differences
    from engine.quality.divergence import Divergence
    from engine.quality.evaluating import evaluate
    from engine.quality.numbers import bits_per_byte
    from engine.quality.perplexity import Perplexity
    from engine.quality.questions import Item, items_of
    from engine.quality.ratios import Ratio, compare
    from engine.quality.results import Results
    from engine.quality.speed import Plan
    from engine.quality.surprise import Surprise, Surprises
    from engine.quality.weights import served_file, shipped_file

__all__ = [
    "Divergence",
    "Item",
    "Perplexity",
    "Plan",
    "Ratio",
    "Results",
    "Surprise",
    "Surprises",
    "bits_per_byte",
    "card",
    "compare",
    "differences",
    "evaluate",
    "items_of",
    "served_file",
    "shipped_file",
]

_NAMES = {
    "cards": "card differences",
    "divergence": "Divergence",
    "evaluating": "evaluate",
    "numbers": "bits_per_byte",
    "perplexity": "Perplexity",
    "questions": "Item items_of",
    "ratios": "Ratio compare",
    "results": "Results",
    "speed": "Plan",
    "surprise": "Surprise Surprises",
    "weights": "served_file shipped_file",
}
_LATER = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(name)
    return getattr(import_module(f"engine.quality.{_LATER[name]}"), name)
