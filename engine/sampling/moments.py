"""The next token under given settings: what each sampler did, and which token the seed hits. Knows no interface.

A forward pass is asked for once: other settings on the same text are arithmetic, since the lens remembers its logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput, BadParameter, PromptTooLong
from engine.output import KINDS, Output
from engine.params import Params
from engine.sampling.chain import Stage, chain_of, run_chain
from engine.sampling.draw import Dart, dart, u_of, xtc_draw
from engine.sampling.exploration import Exploration
from engine.sampling.mirostat import next_mu
from engine.sampling.penalties import Breakers

if TYPE_CHECKING:
    from engine.sampling.microscope import Lens
    from engine.sampling.words import Vocabulary

ALTERNATIVES = 8  # the likeliest tokens that an explored one remembers
READ = 256  # tokens of a long text between two reports


@dataclass(frozen=True)
class Recipe:
    """How a token is chosen: parameters (their seed a number), the samplers' order (None: as the parameters say), the
    form that the answer must have.
    """

    params: Params = field(default_factory=lambda: Params(seed=0))
    order: tuple[str, ...] | None = None
    form: Output = field(default_factory=Output)

    @property
    def seed(self) -> int:
        """The seed. Raises BadParameter where there is none."""
        if self.params["seed"] is None:
            raise BadParameter("a seed is needed", name="seed", value=None, low=0, high=None)
        return int(self.params["seed"])

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, ready for JSON."""
        told: dict[str, Any] = {"params": self.params.changed()}
        told |= {"order": list(self.order)} if self.order is not None else {}
        return told | ({"form": vars(self.form)} if self.form.kind != "text" else {})

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_dict` gave. Raises BadInput, BadParameter."""
        params, order, form = told.get("params", {}), told.get("order"), told.get("form", {})
        fine = isinstance(params, Mapping) and isinstance(form, Mapping) and isinstance(order, list | tuple | None)
        if not fine or not all(isinstance(name, str) for name in order or ()):
            raise BadInput("these are no settings of a token", reason="settings")
        kind, source = form.get("kind", "text"), form.get("source", "")
        if kind not in KINDS or not isinstance(source, str):
            raise BadInput("this is no form of an answer", reason="form")
        return cls(Params(params), None if order is None else tuple(order), Output(kind, source))


@dataclass(frozen=True, eq=False)
class Moment:
    """The token of index `step` of an answer: `stages` from the model's own probabilities to those that a dart is
    thrown at, `dart` where the recipe's seed hits (None where nothing is left). `mu` is mirostat's, in bits, before it.
    """

    step: int
    stages: tuple[Stage, ...]
    dart: Dart | None
    mu: float | None = None

    @property
    def allowed_mass(self) -> float | None:
        """The share of the model's probability that the grammar allows: how much it fights the model; None without."""
        return next((stage.mass_kept for stage in self.stages if stage.step.kind == "grammar"), None)

    def probability(self, token: int) -> float:
        """With which the last stage chooses this token."""
        return float(self.stages[-1].probabilities[token])

    def raw(self, token: int) -> float:
        """With which the model itself does."""
        return float(self.stages[0].probabilities[token])

    def mu_after(self, token: int) -> float | None:
        """Mirostat's mu once this token is written; as before where it could not have been drawn."""
        values, share = self.stages[-1].step.values, self.probability(token)
        if self.mu is None or share <= 0:
            return self.mu
        return next_mu(self.mu, share, values["mirostat_tau"], values["mirostat_eta"])


def moment(
    lens: Lens, visitor: str, before: Sequence[int], written: Sequence[int], recipe: Recipe, mu: float | None = None
) -> Moment:
    """What comes after the prompt `before` and the answer's tokens `written`.

    Raises PromptTooLong, BadInput where `written` breaks the form, BadGrammar, and what the lens raises.
    """
    history = (*before, *written)
    logits = lens.logits(visitor, history)
    allowed = lens.allowed(recipe.form, written) if recipe.form.kind != "text" else None
    breakers = lens.breakers if recipe.params["dry_multiplier"] else None
    return _judged(logits, recipe, history, len(written), allowed, mu, breakers)


def reading(lens: Lens, visitor: str, ids: Sequence[int]) -> Iterator[int]:
    """Read a text so that its first moment costs one decode; how many tokens are read by now, after each part.

    Raises PromptTooLong before anything is read, and what the lens raises.
    """
    if len(ids) >= lens.window:
        raise PromptTooLong(len(ids), lens.window)
    for end in (*range(READ, len(ids), READ), len(ids)):
        lens.look(visitor, ids[:end])
        yield end


def run(
    lens: Lens, visitor: str, before: Sequence[int], recipe: Recipe, steps: int, written: Sequence[int] = (),
    mu: float | None = None,
) -> Iterator[Moment]:  # fmt: skip
    """At most so many moments, each with the token that the one before has hit.

    Ends after a token that ends a text, where nothing is left to choose from, and where the window is full.
    """
    written = tuple(written)
    for number in range(steps):
        if number and len(before) + len(written) >= lens.window:
            return
        now = moment(lens, visitor, before, written, recipe, mu)
        yield now
        if now.dart is None or now.dart.token in lens.vocabulary.ends:
            return
        written, mu = (*written, now.dart.token), now.mu_after(now.dart.token)


def judged(logits: NDArray[np.floating[Any]], recipe: Recipe, history: Sequence[int] = (), step: int = 0) -> Moment:
    """The moment of logits from elsewhere, such as `engine.sampling.top_n`; without the recipe's form."""
    return _judged(logits, recipe, history, step)


def _judged(
    logits: NDArray[np.floating[Any]], recipe: Recipe, history: Sequence[int], step: int,
    allowed: NDArray[np.bool_] | None = None, mu: float | None = None, breakers: Breakers | None = None,
) -> Moment:  # fmt: skip
    chain = chain_of(recipe.params, recipe.order, allowed=allowed, mu=mu, breakers=breakers)
    if chain and chain[-1].kind == "mirostat":
        values = {**chain[-1].values, "mirostat_eta": recipe.params["mirostat_eta"]}
        chain, mu = (*chain[:-1], replace(chain[-1], values=values)), float(values["mu"])
    stages = run_chain(logits, chain, history, xtc_draw(recipe.seed, step))
    hit = dart(stages[-1], u_of(recipe.seed, step)) if stages[-1].survivors else None
    return Moment(step, stages, hit, mu)


def grown(
    exploration: Exploration, now: Moment, vocabulary: Vocabulary, recipe: Recipe, token: int | None = None
) -> Exploration:
    """The exploration one token further: the one that the dart hit, or `token`, which somebody chose by hand.

    Raises BadInput where nothing is left to choose from.
    """
    hit = None if now.dart is None else now.dart.token
    chosen = hit if token is None else token
    if chosen is None:
        raise BadInput("these settings leave no token", reason="nothing_left")
    raw = now.stages[0].probabilities
    best = np.argpartition(-raw, min(ALTERNATIVES, len(raw) - 1))[:ALTERNATIVES]
    others = tuple((vocabulary.shown(int(one)), float(raw[one])) for one in best[np.argsort(-raw[best])])
    return exploration.add(
        chosen, vocabulary.shown(chosen), now.probability(chosen), now.raw(chosen), recipe.to_dict(),
        "dart" if token is None else "hand", now.mu_after(chosen), others,
    )  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Two ways to choose the same token: half the sum of |p - q| (0 the same, 1 nothing in common), and how many tokens
    only one of them, or both, leave.
    """

    distance: float
    only_one: int
    only_other: int
    both: int


def compare(one: Stage, other: Stage) -> Comparison:
    """The two stages side by side; they are of the same vocabulary."""
    p, q = one.probabilities, other.probabilities
    mine, yours = np.isfinite(one.logits), np.isfinite(other.logits)
    distance = float(np.abs(p - q).sum() / 2)
    return Comparison(distance, int((mine & ~yours).sum()), int((yours & ~mine).sum()), int((mine & yours).sum()))


@dataclass(frozen=True)
class Sample:
    """One of the answers of a cell of the grid: its seed and its tokens."""

    temperature: float
    top_p: float
    seed: int
    ids: tuple[int, ...]


def grid(
    lens: Lens, visitor: str, before: Sequence[int], recipe: Recipe, temperatures: Sequence[float],
    top_ps: Sequence[float], samples: int, tokens: int,
) -> Iterator[Sample]:  # fmt: skip
    """`samples` answers of at most so many tokens for each pair, one after another; sample i has the recipe's seed + i.

    The other settings are the recipe's. Stop iterating to stop the work.
    """
    for (temperature, top_p), number in product(product(temperatures, top_ps), range(samples)):
        seed = recipe.seed + number
        changed = replace(recipe, params=recipe.params.replace(temperature=temperature, top_p=top_p, seed=seed))
        hits = [now.dart.token for now in run(lens, visitor, before, changed, tokens) if now.dart is not None]
        yield Sample(temperature, top_p, seed, tuple(hits))
