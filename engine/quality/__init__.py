"""How good a local model is and what quantization costs it: perplexity, divergence, surprise, speed, evaluations.

Its public names, each imported at first use. Knows no interface.
"""

from __future__ import annotations
