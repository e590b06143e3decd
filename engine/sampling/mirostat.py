"""Mirostat: a cut that moves so that the surprise of what is written stays near τ. Pure steps; knows no model.

Basu et al. 2020 (arXiv 2007.14966); the formulas are llama.cpp's. `mu` is the most surprise allowed now, in bits; it
begins at 2τ, and llama.cpp runs these in place of the usual chain, after the temperature.
"""

from __future__ import annotations

import math

import numpy as np

from engine.sampling.samplers import Logits, apply_top_k, kept, ranking, softmax

ESTIMATED = 100  # the most probable ones, of which version 1 estimates the distribution's exponent


def start(tau: float) -> float:
    """The first mu, in bits."""
    return 2 * tau


def apply_mirostat_v1(logits: Logits, mu: float) -> Logits:
    """The k most probable ones, k = ((ŝ-1)·2^mu / (1 - V^(1-ŝ)))^(1/ŝ), with Zipf's exponent ŝ of the first 100."""
    return apply_top_k(logits, _size(logits, mu))


def apply_mirostat_v2(logits: Logits, mu: float) -> Logits:
    """Those whose surprise -log2 p is at most mu; the most probable one where there is none."""
    order = ranking(logits)
    with np.errstate(divide="ignore"):
        surprise = -np.log2(softmax(logits)[order])
    return kept(logits, order[: max(1, int((surprise <= mu).sum()))])


def next_mu(mu: float, probability: float, tau: float, eta: float) -> float:
    """mu - η(-log2 p - τ) in bits, p being the probability, after the cut, of the token that was drawn."""
    return mu - eta * (-math.log2(probability) - tau)


def _size(logits: Logits, mu: float) -> int:
    ranked = softmax(logits)[ranking(logits)]
    first = ranked[ranked > 0][:ESTIMATED]
    if len(first) < 2:
        return 1
    places = np.arange(1, len(first))
    steps = np.log((places + 1) / places)
    exponent = float((steps * np.log(first[:-1] / first[1:])).sum() / (steps**2).sum())
    over = exponent - 1
    if exponent <= 0 or over == 0:  # flat, or the formula's own pole
        return len(ranked)
    base = over * 2**mu / (1 - len(logits) ** -over)
    return max(1, int(min(float(len(ranked)), base ** (1 / exponent))))
