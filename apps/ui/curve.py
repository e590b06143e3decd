"""The speed along an answer, from when its pieces came. Knows no widget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

STEP_S = 0.25
SPAN_S = 1.0


def curve(pace: Sequence[tuple[float, int]], tokens: int | None = None) -> tuple[tuple[float, float], ...]:
    """Points (seconds since the first piece, tokens per second over the last second), every quarter of a second.

    `pace` are (seconds, pieces so far); where the server counted `tokens`, pieces are taken for that many in all.
    """
    if len(pace) < 2:
        return ()
    times = [at - pace[0][0] for at, _ in pace]
    worth = (tokens or len(pace)) / len(pace)
    steps = int(times[-1] / STEP_S)
    return tuple((at, _rate(times, at) * worth) for at in (STEP_S * (step + 1) for step in range(steps)))


def _rate(times: Sequence[float], at: float) -> float:
    """Pieces per second in the second before `at`; the first piece begins the clock and does not count."""
    span = min(SPAN_S, at)
    return (bisect_right(times, at) - max(1, bisect_right(times, at - span))) / span
