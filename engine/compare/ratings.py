"""Which model people prefer, from votes on pairs: Bradley-Terry strengths by maximum likelihood with bootstrap
intervals, and Elo beside them. Numbers only; knows no store and no text.

Bradley & Terry 1952, Biometrika 39; on Elo's scale as FastChat does: 400 points are odds of ten to one, the mean is
1000. A tie is half a win for either side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Winner = Literal["left", "right", "tie", "both_bad"]
WINNERS: tuple[Winner, ...] = ("left", "right", "tie", "both_bad")

SCALE = 400 / np.log(10)
MEAN = 1000.0
ROUNDS = 300
ELO_K = 4.0  # FastChat's: slow, since its order of the votes should matter little
FEW = 10  # votes of a model
PRIOR = 0.5  # of a virtual tie between all pairs, where the votes alone have no finite answer
_STEPS = 40
_NEAR = 1e-9

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Battle:
    """One vote on two models; "both_bad" counts as a tie."""

    left: str
    right: str
    winner: Winner


@dataclass(frozen=True)
class Standing:
    """A model's place: `rating` with its 95 % interval `low`…`high`, and `elo`, in points; counts of its votes. With
    fewer than 10 of these, drawing them again says nothing, and there is no interval.
    """

    model: str
    rating: float
    low: float | None
    high: float | None
    elo: float
    votes: int
    won: int
    lost: int
    tied: int

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Ratings:
    """The standings, the strongest first. `separated`: some model won or lost all its votes against the others, so that
    the votes alone say "infinitely better", and a weak prior keeps it finite.
    """

    standings: tuple[Standing, ...] = ()
    votes: int = 0
    separated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        rows = [one.to_dict() for one in self.standings]
        return {"standings": rows, "votes": self.votes, "separated": self.separated}


def rate(battles: Iterable[Battle], *, rounds: int = ROUNDS, seed: int = 0) -> Ratings:
    """The ratings of every model that was voted on, with intervals of that many bootstrap rounds; the same each time.

    A model against itself says nothing and is left out.
    """
    known = [battle for battle in battles if battle.left != battle.right]
    if not known:
        return Ratings()
    names = sorted({name for battle in known for name in (battle.left, battle.right)})
    cells = _cells(known, names)
    wins = _wins(cells[None], len(names))
    points, separated = strengths(wins)
    again = _resampled(cells, rounds, seed, len(names))
    low, high = np.percentile(strengths(again)[0], [2.5, 97.5], axis=0)
    elos = elo(known)
    rows = []
    for i, name in enumerate(names):
        counts = _counts(cells, i, len(names))
        enough = counts[0] >= FEW
        bounds = float(low[i]) if enough else None, float(high[i]) if enough else None
        rows.append(Standing(name, float(points[0, i]), bounds[0], bounds[1], elos[name], *counts))
    return Ratings(tuple(sorted(rows, key=lambda row: -row.rating)), len(known), bool(separated[0]))


def elo(battles: Iterable[Battle]) -> dict[str, float]:
    """Elo of each model after the votes in their order, begun at 1000, in points."""
    found: dict[str, float] = {}
    for battle in battles:
        left, right = found.setdefault(battle.left, MEAN), found.setdefault(battle.right, MEAN)
        expected = 1 / (1 + 10 ** ((right - left) / 400))
        gained = ELO_K * ({"left": 1.0, "right": 0.0}.get(battle.winner, 0.5) - expected)
        found[battle.left] += gained
        found[battle.right] -= gained
    return found


def strengths(wins: Floats) -> tuple[Floats, Flags]:
    """Bradley-Terry points (samples × models, of mean 1000) for win counts (samples × models × models; [i, j]: i over
    j, half a tie), and which samples needed the prior. All samples at once, by Newton's method.
    """
    samples, models, _ = wins.shape
    separated = ~_connected(wins)
    wins = wins + (PRIOR / models) * separated[:, None, None] * (1 - np.eye(models))
    games, theta = wins + wins.transpose(0, 2, 1), np.zeros((samples, models))
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(theta[:, None, :] - theta[:, :, None]))
        slope = wins.sum(2) - (games * chance).sum(2)
        weight = games * chance * (1 - chance)
        curve = weight.sum(2)[:, :, None] * np.eye(models) - weight
        # The likelihood does not change when all move together: this holds their mean where it is
        step = np.linalg.solve(curve + 1 / models, slope[:, :, None])[:, :, 0]
        step *= np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(1, keepdims=True), _NEAR))
        theta += step
        if np.abs(step).max() < _NEAR:
            break
    theta -= theta.mean(1, keepdims=True)
    return theta * SCALE + MEAN, separated


def _connected(wins: Floats) -> Flags:
    """Whether each model has, over others, both beaten and lost to every other one: only then is there a finite
    maximum (Ford 1957).
    """
    models = wins.shape[1]
    reach = ((wins > 0) | np.eye(models, dtype=bool)).astype(np.float64)
    for _ in range(max(1, int(np.ceil(np.log2(models))))):
        reach = (reach @ reach > 0).astype(np.float64)
    return np.asarray((reach > 0).all((1, 2)))


def _cells(battles: Sequence[Battle], names: Sequence[str]) -> Floats:
    """Counts of wins (first half, models × models) and of ties (second half, the smaller index first), flat."""
    index, models = {name: i for i, name in enumerate(names)}, len(names)
    found = np.zeros((2, models, models))
    for battle in battles:
        left, right = index[battle.left], index[battle.right]
        if battle.winner in ("left", "right"):
            winner, loser = (left, right) if battle.winner == "left" else (right, left)
            found[0, winner, loser] += 1
        else:
            found[1, min(left, right), max(left, right)] += 1
    return found.reshape(-1)


def _wins(cells: Floats, models: int) -> Floats:
    both = cells.reshape(-1, 2, models, models)
    ties: Floats = both[:, 1] + both[:, 1].transpose(0, 2, 1)
    return np.asarray(both[:, 0] + ties / 2)


def _resampled(cells: Floats, rounds: int, seed: int, models: int) -> Floats:
    """As many votes drawn again from those that there are, with replacement, in each round."""
    total = int(cells.sum())
    drawn = np.random.default_rng(seed).multinomial(total, cells / total, size=rounds)
    return _wins(drawn.astype(np.float64), models)


def _counts(cells: Floats, index: int, models: int) -> tuple[int, int, int, int]:
    """Votes, won, lost, tied of one model."""
    wins, ties = cells.reshape(2, models, models)
    won, lost = int(wins[index].sum()), int(wins[:, index].sum())
    tied = int(ties[index].sum() + ties[:, index].sum())
    return won + lost + tied, won, lost, tied
