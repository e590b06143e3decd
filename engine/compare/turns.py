"""Whose turn it is in the arena: the pair with the fewest rows so far, and a rest for a model that brought no answer,
so that a broken one takes no more turns than the others. Kept in memory; knows no store and no text.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

REST_S = 300.0
KEPT_MAX = 1000  # troubles
EVERYBODY = ""

Pair = frozenset[str]


@dataclass(frozen=True)
class Trouble:
    """A model that brought no answer the last time: `reason` is the code of its error, or "no_text"; `since` is in
    seconds since 1970.
    """

    model: str
    reason: str
    since: float


class Turns:
    """Draws of one process; thread safe."""

    def __init__(self, clock: Callable[[], float], chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._failed: Counter[Pair] = Counter()
        self._troubles: dict[tuple[str, str], Trouble] = {}  # by owner and model
        self._resting: dict[tuple[str, str], float] = {}  # until when

    def draw(self, owner: str, models: Sequence[str], counts: Mapping[Pair, int]) -> tuple[str, str]:
        """Left and right of a new pair of these models, two at least, by the rows that each pair has. One that rests is
        drawn where there are no two others; after its rest it is tried once, and rests again until it has answered.
        """
        with self._lock:
            awake = [model for model in models if not self._rests(owner, model)]
            pairs = list(combinations(awake if len(awake) > 1 else models, 2))
            taken = {pair: counts.get(frozenset(pair), 0) + self._failed[frozenset(pair)] for pair in pairs}
            fewest = min(taken.values())
            pair = self._chance.choice([pair for pair in pairs if taken[pair] == fewest])
            for model in pair:
                self._try(owner, model)
        return pair if self._chance.random() < 0.5 else (pair[1], pair[0])

    def ended(self, owner: str, pair: Sequence[str], reasons: Mapping[str, tuple[str, bool]]) -> None:
        """Remember how a pair ended: of each model that brought no answer the reason, and whether it is one for
        everybody, not for this person alone.
        """
        with self._lock:
            if any(everybody for _, everybody in reasons.values()):
                self._failed[frozenset(pair)] += 1
            for model in set(pair) - reasons.keys():
                for whose in (owner, EVERYBODY):
                    self._troubles.pop((whose, model), None)
                    self._resting.pop((whose, model), None)
            for model, (reason, everybody) in reasons.items():
                self._note(EVERYBODY if everybody else owner, Trouble(model, reason, self._clock()))

    def troubles(self) -> tuple[Trouble, ...]:
        """The models that brought nobody an answer the last time, the newest first."""
        with self._lock:
            found = [trouble for (whose, _), trouble in self._troubles.items() if whose == EVERYBODY]
        return tuple(sorted(found, key=lambda one: -one.since))

    def clear(self) -> None:
        """Forget it all: who vies is another, or there are no rows any more."""
        with self._lock:
            self._failed.clear()
            self._troubles.clear()
            self._resting.clear()

    def _rests(self, owner: str, model: str) -> bool:
        now = self._clock()
        return any(self._resting.get((whose, model), 0.0) > now for whose in (owner, EVERYBODY))

    def _try(self, owner: str, model: str) -> None:
        for key in ((owner, model), (EVERYBODY, model)):
            if key in self._resting:
                self._resting[key] = self._clock() + REST_S

    def _note(self, whose: str, trouble: Trouble) -> None:
        key = (whose, trouble.model)
        self._troubles.pop(key, None)
        self._troubles[key], self._resting[key] = trouble, trouble.since + REST_S
        while len(self._troubles) > KEPT_MAX:
            oldest = next(iter(self._troubles))
            del self._troubles[oldest], self._resting[oldest]
