"""In which order the runtime holds the tokens that are still in the running. Knows no probability and no chance.

A seed hits a place on a segment; which token lies there depends on this order. llama.cpp begins with the vocabulary's,
sorts where a sampler needs it, and keeps tokens of logit -inf until a sampler cuts them off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.sampling.samplers import Ids, Logits, ranking, typical_order

CUTTING = ("top_p", "min_p", "xtc", "mirostat")
SORTING = ("top_k", "top_p", "xtc", "mirostat")


@dataclass(frozen=True, eq=False)
class Candidates:
    """Ids in the runtime's order; `ranked` where it knows that the most probable come first."""

    order: Ids
    ranked: bool = False

    @classmethod
    def of(cls, logits: Logits) -> Candidates:
        """All ids, in the vocabulary's order."""
        return cls(np.arange(len(logits)))

    def after(self, kind: str, before: Logits, left: Logits, values: Mapping[str, Any]) -> Candidates:
        """The candidates after a sampler that acted, with the logits before and after it."""
        if kind == "typ_p":
            order = typical_order(before)
            return Candidates(order[left[order] > -np.inf])
        if kind in ("penalties", "dry"):
            return Candidates(self.order)
        sorts = kind in SORTING or (kind == "temperature" and values.get("dynatemp_range", 0) > 0)
        now = self._sorted(before, values.get("top_k")) if sorts and len(self.order) > 1 else self
        if kind == "top_k":
            return Candidates(now.order[: values["top_k"]], True)
        if kind in CUTTING:
            return Candidates(now.order[left[now.order] > -np.inf], now.ranked)
        return now

    def _sorted(self, logits: Logits, most: int | None) -> Candidates:
        if self.ranked:
            return self
        if most is not None and most <= np.count_nonzero(logits > -np.inf):
            return Candidates(ranking(logits, most), True)
        return Candidates(self.order[np.lexsort((self.order, -logits[self.order]))], True)
