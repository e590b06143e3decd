"""Ratings from votes: known strengths are found again, their intervals hold what they promise."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from engine.compare.ratings import MEAN, SCALE, Battle, Winner, elo, rate, strengths

TRUTH = {"ant": 820.0, "bee": 900.0, "cat": 980.0, "dog": 1050.0, "elk": 1110.0, "fox": 1140.0}


def voted(votes: int, seed: int, ties: float = 0.0) -> list[Battle]:
    """Votes of people who prefer as TRUTH says, sides at random."""
    draw, names, found = np.random.default_rng(seed), list(TRUTH), []
    for _ in range(votes):
        left, right = (names[i] for i in draw.choice(len(names), 2, replace=False))
        if draw.random() < ties:
            found.append(Battle(left, right, draw.choice(["tie", "both_bad"])))
            continue
        chance = 1 / (1 + 10 ** ((TRUTH[right] - TRUTH[left]) / 400))
        winner: Winner = "left" if draw.random() < chance else "right"
        found.append(Battle(left, right, winner))
    return found


def test_two_thousand_votes_tell_the_order() -> None:
    ratings = rate(voted(2000, seed=1))
    assert [one.model for one in ratings.standings] == list(reversed(TRUTH))
    assert ratings.votes == 2000 and not ratings.separated
    mean = sum(TRUTH.values()) / len(TRUTH)
    for one in ratings.standings:
        assert one.low is not None and one.high is not None and one.low < one.rating < one.high
        assert one.rating == pytest.approx(TRUTH[one.model] - mean + MEAN, abs=45)
        assert one.won + one.lost == one.votes
    by_elo = sorted(ratings.standings, key=lambda one: -one.elo)
    assert [one.model for one in by_elo[-2:]] == ["bee", "ant"]


def test_intervals_hold_the_truth_in_93_of_100() -> None:
    mean, held, all_of_them = sum(TRUTH.values()) / len(TRUTH), 0, 0
    for seed in range(200):
        for one in rate(voted(400, seed=1000 + seed), rounds=200, seed=seed).standings:
            assert one.low is not None and one.high is not None
            held += one.low <= TRUTH[one.model] - mean + MEAN <= one.high
            all_of_them += 1
    assert all_of_them == 200 * len(TRUTH)
    assert held / all_of_them >= 0.93, held / all_of_them


def test_two_models_by_hand() -> None:
    battles = [Battle("a", "b", "left")] * 3 + [Battle("b", "a", "left")]
    ratings = rate(battles)
    first, second = ratings.standings
    assert first.rating - second.rating == pytest.approx(math.log(3) * SCALE)  # odds of 3 to 1
    assert (first.model, first.won, first.lost, first.tied) == ("a", 3, 1, 0)
    assert first.rating + second.rating == pytest.approx(2 * MEAN)


def test_a_tie_is_half_a_win_for_either() -> None:
    with_ties = rate([Battle("a", "b", "left")] * 2 + [Battle("a", "b", "tie"), Battle("b", "a", "both_bad")])
    without = rate([Battle("a", "b", "left")] * 3 + [Battle("a", "b", "right")])
    assert with_ties.standings[0].rating == pytest.approx(without.standings[0].rating)
    assert with_ties.standings[0].tied == 2


def test_who_never_lost_stays_finite_and_it_is_said() -> None:
    ratings = rate([Battle("a", "b", "left")] * 15 + [Battle("b", "c", "left"), Battle("b", "c", "right")] * 5)
    assert ratings.separated and ratings.standings[0].model == "a"
    assert all(
        math.isfinite(value)
        for one in ratings.standings
        for value in (one.rating, one.low or math.nan, one.high or math.nan)
    )
    apart = rate([Battle("a", "b", "left"), Battle("b", "a", "left"), Battle("c", "d", "tie")])
    assert apart.separated and all(math.isfinite(one.rating) for one in apart.standings)
    assert {one.low for one in apart.standings} == {None}  # three votes have no interval


def test_nothing_to_rate() -> None:
    assert rate([]).standings == ()
    assert rate([Battle("a", "a", "left")]).votes == 0
    assert elo([]) == {}


def test_the_same_votes_give_the_same_numbers() -> None:
    battles = voted(60, seed=3, ties=0.2)
    assert rate(battles) == rate(battles)
    assert {one.model: one.rating for one in rate(battles[::-1]).standings} == pytest.approx(
        {one.model: one.rating for one in rate(battles).standings}
    )


def test_it_is_the_maximum() -> None:
    draw = np.random.default_rng(5)
    wins = draw.integers(1, 9, size=(4, 5, 5)).astype(float) * (1 - np.eye(5))
    points, separated = strengths(wins)
    assert not separated.any()

    def likelihood(at: np.ndarray) -> float:
        theta = (at - MEAN) / SCALE
        return float((wins * -np.log1p(np.exp(theta[:, None, :] - theta[:, :, None]))).sum())

    best = likelihood(points)
    for _ in range(50):
        assert likelihood(points + draw.normal(size=points.shape)) <= best
    assert all(a <= b for a, b in pairwise(sorted(points[0])))
