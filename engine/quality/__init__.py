"""How good a local model is and what quantization costs it: perplexity, divergence, surprise, speed, evaluations.

Its public names, each imported at first use. Knows no interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import at_first_use

if TYPE_CHECKING:
    from engine.quality.cards import card, differences
    from engine.quality.charts import evaluations as evaluation_chart
    from engine.quality.charts import ratios as ratio_chart
    from engine.quality.charts import speeds as speed_chart
    from engine.quality.charts import trade_off
    from engine.quality.divergence import Divergence
    from engine.quality.evaluating import evaluate
    from engine.quality.evaluations import compare as compare_evaluations
    from engine.quality.measuring import (
        submit_divergence,
        submit_perplexity,
        submit_quantizations,
        submit_speed,
    )
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
    "compare_evaluations",
    "differences",
    "evaluate",
    "evaluation_chart",
    "items_of",
    "ratio_chart",
    "served_file",
    "shipped_file",
    "speed_chart",
    "submit_divergence",
    "submit_perplexity",
    "submit_quantizations",
    "submit_speed",
    "trade_off",
]

# A function that has the name of a module goes by a longer one: "longer:own".
_NAMES = {
    "cards": "card differences",
    "charts": "evaluation_chart:evaluations ratio_chart:ratios speed_chart:speeds trade_off",
    "divergence": "Divergence",
    "evaluating": "evaluate",
    "evaluations": "compare_evaluations:compare",
    "measuring": "submit_divergence submit_perplexity submit_quantizations submit_speed",
    "numbers": "bits_per_byte",
    "perplexity": "Perplexity",
    "questions": "Item items_of",
    "ratios": "Ratio compare",
    "results": "Results",
    "speed": "Plan",
    "surprise": "Surprise Surprises",
    "weights": "served_file shipped_file",
}
__getattr__ = at_first_use(__name__, _NAMES)
