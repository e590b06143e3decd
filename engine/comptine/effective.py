"""How long a prompt may grow before the model loses it: effective context, and survival of the first drift.

Knows no model and no rhyme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.errors import BadInput
from engine.statistics import Interval, wilson

RELATIVE = 0.85  # of the base at short lengths (NoLiMa, ICML 2025)
ABSOLUTE = 0.856  # Llama-2-7B-chat at 4K (RULER, arXiv 2404.06654)
SHORT_TOKENS = 1000  # NoLiMa's base lengths are 250, 500 and 1000 tokens
SHORT_LENGTHS = 3

Definition = Literal["relative", "absolute"]


@dataclass(frozen=True)
class Length:
    """What was measured at one length: prompt tokens, and the mean over prompts with its interval."""

    tokens: int
    score: Interval


@dataclass(frozen=True)
class Effective:
    """The longest prompt, in tokens, up to which no length fell below `threshold`.

    `tokens` goes by the means, `conservative` by the lower ends of their intervals; None is "< shortest": not even the
    shortest length reached it. `reached_end` says that no measured length fell below, so the true value may be longer.
    """

    definition: Definition
    threshold: float
    base: float | None
    shortest: int
    tokens: int | None
    conservative: int | None
    reached_end: bool

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON; None is "< shortest"."""
        return asdict(self)


def effective_context(lengths: Iterable[Length], definition: Definition) -> Effective:
    """The effective context by one definition. Raises BadInput without any length.

    relative: at least 85 % of the base, the mean of the up to three shortest lengths of at most 1000 tokens (NoLiMa).
    absolute: at least 0.856 (RULER). The reading is monotone: the first length below ends it, whatever follows.
    """
    ordered = sorted(lengths, key=lambda length: length.tokens)
    if not ordered:
        raise BadInput("no length was measured", n=0)
    base = _base(ordered) if definition == "relative" else None
    threshold = ABSOLUTE if base is None else RELATIVE * base
    good = _up_to(ordered, [length.score.value for length in ordered], threshold)
    sure = _up_to(ordered, [length.score.low for length in ordered], threshold)
    return Effective(definition, threshold, base, ordered[0].tokens, good, sure, good == ordered[-1].tokens)


def _base(ordered: Sequence[Length]) -> float:
    short = [length for length in ordered[:SHORT_LENGTHS] if length.tokens <= SHORT_TOKENS] or list(ordered[:1])
    return sum(length.score.value for length in short) / len(short)


def _up_to(ordered: Sequence[Length], scores: Sequence[float], threshold: float) -> int | None:
    """Tokens of the last length before the first that falls below; a base of zero was never a beginning."""
    found = None
    for length, score in zip(ordered, scores, strict=True):
        if score < threshold or threshold <= 0:
            break
        found = length.tokens
    return found


@dataclass(frozen=True)
class Survival:
    """The share of prompts whose answer was still right up to and including the verse at `place` of the range."""

    place: int
    share: Interval


def survival(drifts: Sequence[int | None], count: int) -> tuple[Survival, ...]:
    """One point for each place 0 to `count` of the range; a drift is the place (1 = first requested verse) of the first
    wrong one, None where there was none. Raises BadInput without prompts.
    """
    firsts = [count + 1 if drift is None else drift for drift in drifts]
    return tuple(
        Survival(place, wilson(sum(first > place for first in firsts), len(firsts))) for place in range(count + 1)
    )
