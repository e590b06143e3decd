"""The samplers one after another, and what each of them did: one stage per step. Knows no model and draws no token."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadParameter
from engine.params import BY_NAME, SAMPLERS, Params
from engine.sampling import mirostat, penalties, samplers
from engine.sampling.candidates import Candidates
from engine.sampling.samplers import Ids, Logits, alive, entropy, softmax

Kind: TypeAlias = Literal[
    "raw", "grammar", "bias", "penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc",
    "temperature", "mirostat",
]  # fmt: skip

LLAMA_ORDER: tuple[str, ...] = SAMPLERS
# transformers' generate(): penalties, then temperature before everything that cuts; it has no DRY, top-n-sigma and XTC
HUGGING_FACE_ORDER: tuple[str, ...] = ("penalties", "temperature", "top_k", "top_p", "min_p", "typ_p")

SHOWN = 50  # eliminated ids that a stage keeps


@dataclass(frozen=True)
class Step:
    """One sampler with its settings; `values` by the names of engine.params, and what no parameter holds.

    Those are: `bias` (id to nats) of "bias", `allowed` (bool array) of "grammar", `breakers` of "dry", `mu` (bits) of
    "mirostat".
    """

    kind: Kind
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether it may change anything with these settings; one that is off leaves everything as it was."""
        return _ACTIVE[self.kind](self.values)


@dataclass(frozen=True, eq=False)
class Stage:
    """What is there after one step. Arrays are read-only and of shape (vocabulary,) where nothing else is said.

    `survivors` counts those with a logit above -inf; `mass_kept` is their share, from 0 to 1, of the probability before
    the step; `entropy_nats` is of the probabilities after it. `eliminated` are ids, the most probable of them first, at
    most 50, `eliminated_count` their number. `cut` is the line on the probabilities before the step under which (for
    XTC: from which on) tokens go, None where there is no such line. `order` are the ids in the order in which the
    runtime holds them, which is what a seed depends on.
    """

    step: Step
    logits: Logits
    probabilities: Logits
    survivors: int
    mass_kept: float
    entropy_nats: float
    p_max: float
    eliminated: Ids
    eliminated_count: int
    cut: float | None
    order: Ids

    @property
    def entropy_bits(self) -> float:
        """The entropy in bits."""
        return self.entropy_nats / math.log(2)


@dataclass(frozen=True)
class _Given:
    """What a sampler may look at besides the logits and its settings."""

    history: Sequence[int]
    draw: float
    candidates: Candidates


def chain_of(
    params: Params,
    order: Sequence[str] | None = None,
    *,
    bias: Mapping[int, float] | None = None,
    allowed: NDArray[np.bool_] | None = None,
    breakers: penalties.Breakers | None = None,
    mu: float | None = None,
) -> tuple[Step, ...]:
    """The steps that llama.cpp runs with these parameters: grammar, bias, then the samplers in that order.

    Those that are off are in it, inactive. `order` None: the parameter `samplers`, else llama.cpp's own. Mirostat takes
    the place of all but the temperature. `mu` in bits, 2τ where it is None. Raises BadParameter for an unknown sampler.
    """
    first = [Step("grammar", {"allowed": allowed})] if allowed is not None else []
    first += [Step("bias", {"bias": dict(bias)})] if bias else []
    if params["mirostat"]:
        tau = _value(params, "mirostat_tau")
        moving = {"mirostat": params["mirostat"], "mirostat_tau": tau, "mu": mirostat.start(tau) if mu is None else mu}
        fixed = Step("temperature", {"temperature": _value(params, "temperature")})
        return (*first, fixed, Step("mirostat", moving))
    names = params["samplers"] or LLAMA_ORDER if order is None else order
    return (*first, *(_step(name, params, breakers) for name in names))


def run_chain(
    logits: NDArray[np.floating[Any]], chain: Sequence[Step], history: Sequence[int] = (), draw: float = 0.0
) -> tuple[Stage, ...]:
    """The stages, one more than steps: the first is what the model said.

    `logits` of shape (vocabulary,), in nats: the model's own, or log-probabilities where no repeat penalty is active;
    `history` are the ids of prompt and answer so far, the newest last; `draw` in [0, 1) is XTC's. Raises BadParameter.
    """
    now = np.array(logits, dtype=np.float64)
    candidates = Candidates.of(now)
    stages = [_first(now, candidates)]
    for step in chain:
        if step.active:
            after = _APPLY[step.kind](now, step.values, _Given(history, draw, candidates))
            acted = step.kind != "xtc" or draw <= step.values["xtc_probability"]
            candidates = candidates.after(step.kind, now, after, step.values) if acted else candidates
            stages.append(_stage(step, stages[-1], after, candidates))
            now = after
        else:
            stages.append(_unchanged(step, stages[-1]))
    return tuple(stages)


def _step(name: str, params: Params, breakers: penalties.Breakers | None) -> Step:
    if name not in SAMPLERS:
        raise BadParameter(f"unknown sampler {name}", name="samplers", value=name, low=None, high=None)
    values = {parameter: _value(params, parameter) for parameter in _PARAMETERS[name]}
    return Step(name, {**values, "breakers": breakers or {}} if name == "dry" else values)  # type: ignore[arg-type]


def _value(params: Params, name: str) -> Any:
    return BY_NAME[name].default if params[name] is None else params[name]


def _first(logits: Logits, candidates: Candidates) -> Stage:
    probabilities = softmax(logits)
    _freeze(logits, probabilities)
    return Stage(
        Step("raw"), logits, probabilities, len(alive(logits)), 1.0, entropy(probabilities),
        float(probabilities.max()), np.empty(0, dtype=np.int64), 0, None, candidates.order,
    )  # fmt: skip


def _unchanged(step: Step, before: Stage) -> Stage:
    return Stage(
        step, before.logits, before.probabilities, before.survivors, 1.0, before.entropy_nats, before.p_max,
        np.empty(0, dtype=np.int64), 0, None, before.order,
    )  # fmt: skip


def _stage(step: Step, before: Stage, after: Logits, candidates: Candidates) -> Stage:
    probabilities = softmax(after)
    left = after > -np.inf
    gone = before.survivors - int(left.sum())
    ranked = samplers.ranking(np.where(left, -np.inf, before.logits), SHOWN) if gone else np.empty(0, dtype=np.int64)
    kept = float(before.probabilities[left].sum()) if gone else 1.0
    _freeze(after, probabilities)
    return Stage(
        step, after, probabilities, int(left.sum()), kept, entropy(probabilities), float(probabilities.max()),
        ranked, gone, _cut(step, before, left), candidates.order,
    )  # fmt: skip


def _cut(step: Step, before: Stage, left: NDArray[np.bool_]) -> float | None:
    """The line, on the probabilities before: the exact one where the sampler has one, else its least survivor."""
    if step.kind == "min_p":
        return float(step.values["min_p"] * before.p_max)
    if step.kind == "xtc":
        return float(step.values["xtc_threshold"])
    if step.kind in ("top_k", "top_p", "top_n_sigma", "mirostat") and left.any():
        return float(before.probabilities[left].min())
    return None


def _freeze(*arrays: Logits) -> None:
    for array in arrays:
        array.flags.writeable = False


def _mirostat(logits: Logits, values: Mapping[str, Any], _given: _Given) -> Logits:
    cut = mirostat.apply_mirostat_v1 if values["mirostat"] == 1 else mirostat.apply_mirostat_v2
    return cut(logits, values["mu"])


def _penalties(logits: Logits, values: Mapping[str, Any], given: _Given) -> Logits:
    last = values["repeat_last_n"]
    return penalties.apply_penalties(
        logits, given.history[-last:] if last > 0 else (),
        values["repeat_penalty"], values["frequency_penalty"], values["presence_penalty"],
    )  # fmt: skip


def _dry(logits: Logits, values: Mapping[str, Any], given: _Given) -> Logits:
    return penalties.apply_dry(
        logits, given.history, values["dry_multiplier"], values["dry_base"], values["dry_allowed_length"],
        values["dry_penalty_last_n"], values.get("breakers"),
    )  # fmt: skip


def _temperature(logits: Logits, values: Mapping[str, Any], given: _Given) -> Logits:
    return samplers.apply_dynamic_temperature(
        logits, values["temperature"], values.get("dynatemp_range", 0.0), values.get("dynatemp_exponent", 1.0),
        len(given.candidates.order),
    )  # fmt: skip


_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "penalties": ("repeat_penalty", "repeat_last_n", "presence_penalty", "frequency_penalty"),
    "dry": ("dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n"),
    "top_n_sigma": ("top_n_sigma",),
    "top_k": ("top_k",),
    "typ_p": ("typical_p",),
    "top_p": ("top_p",),
    "min_p": ("min_p",),
    "xtc": ("xtc_probability", "xtc_threshold"),
    "temperature": ("temperature", "dynatemp_range", "dynatemp_exponent"),
}

_APPLY: Mapping[Kind, Callable[[Logits, Mapping[str, Any], _Given], Logits]] = {
    "grammar": lambda logits, values, _: samplers.apply_mask(logits, values["allowed"]),
    "bias": lambda logits, values, _: penalties.apply_bias(logits, values["bias"]),
    "penalties": _penalties,
    "dry": _dry,
    "top_n_sigma": lambda logits, values, _: samplers.apply_top_n_sigma(logits, values["top_n_sigma"]),
    "top_k": lambda logits, values, _: samplers.apply_top_k(logits, values["top_k"]),
    "typ_p": lambda logits, values, _: samplers.apply_typical(logits, values["typical_p"]),
    "top_p": lambda logits, values, _: samplers.apply_top_p(logits, values["top_p"]),
    "min_p": lambda logits, values, _: samplers.apply_min_p(logits, values["min_p"]),
    "xtc": lambda logits, values, given: samplers.apply_xtc(
        logits, values["xtc_probability"], values["xtc_threshold"], given.draw
    ),
    "temperature": _temperature,
    "mirostat": _mirostat,
}

_ACTIVE: Mapping[Kind, Callable[[Mapping[str, Any]], bool]] = {
    "raw": lambda values: False,
    "grammar": lambda values: True,
    "bias": lambda values: bool(values["bias"]),
    "penalties": lambda values: (
        values["repeat_last_n"] > 0
        and (values["repeat_penalty"], values["presence_penalty"], values["frequency_penalty"]) != (1, 0, 0)
    ),
    "dry": lambda values: (
        values["dry_multiplier"] != 0 and values["dry_base"] >= 1 and values["dry_penalty_last_n"] > 0
    ),
    "top_n_sigma": lambda values: values["top_n_sigma"] > 0,
    "top_k": lambda values: values["top_k"] > 0,
    "typ_p": lambda values: values["typical_p"] < 1,
    "top_p": lambda values: values["top_p"] < 1,
    "min_p": lambda values: values["min_p"] > 0,
    "xtc": lambda values: values["xtc_probability"] > 0 and values["xtc_threshold"] <= 0.5,
    "temperature": lambda values: values["temperature"] != 1 or values.get("dynatemp_range", 0) > 0,
    "mirostat": lambda values: True,
}
