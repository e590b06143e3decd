"""The speed along an answer."""

from __future__ import annotations

import pytest

from apps.ui.curve import curve


def test_a_steady_answer_has_one_speed() -> None:
    pace = [(3.0 + place / 10, place + 1) for place in range(41)]  # ten pieces a second for four seconds
    points = curve(pace)
    assert points[0][0] == 0.25 and points[-1][0] == 4.0
    assert [rate for at, rate in points if at >= 1] == pytest.approx([10.0] * 13, abs=1.01)


def test_the_servers_count_is_believed() -> None:
    pace = [(place / 8, place + 1) for place in range(17)]
    assert curve(pace, 34)[-1] == (2.0, 16.0)


def test_a_pause_is_seen() -> None:
    pace = [(0.0, 1), (0.1, 2), (3.0, 3)]
    assert [rate for at, rate in curve(pace) if 1.5 <= at < 3] == [0.0] * 6


@pytest.mark.parametrize("pace", [(), ((1.0, 1),), ((1.0, 1), (1.1, 2))])
def test_too_little_has_no_curve(pace: tuple[tuple[float, int], ...]) -> None:
    assert curve(pace) == ()
