"""Logits changed by what was already written, and by one's own bias. Knows no model and no text: token ids only.

Formulas and limits are llama.cpp's (src/llama-sampler.cpp). The repeat penalty depends on the sign of a logit, so it
needs the model's own logits, not log-probabilities: see `offset`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from engine.errors import BadParameter
from engine.sampling.samplers import Logits

Breakers: TypeAlias = Mapping[int, tuple[tuple[int, ...], ...]]  # first token -> what may follow it

DRY_BREAKERS = ("\n", ":", '"', "*")  # llama.cpp's
LONGEST_BREAKER = 40  # bytes
LONGEST_TAIL = 20  # tokens
FLOAT_MAX_LOG = 88.7228391  # ln of the largest float32


def apply_bias(logits: Logits, bias: Mapping[int, float]) -> Logits:
    """l + bias for these ids; a bias of -inf eliminates. Raises BadParameter for an unknown id, NaN and +inf."""
    if not bias:
        return logits
    changed = logits.copy()
    for token, value in bias.items():
        if not 0 <= token < len(logits) or not value < math.inf:
            raise BadParameter(
                f"bias {value} of token {token}", name="logit_bias", value=f"{token}: {value}", low=None, high=None
            )
        changed[token] += value
    return changed


def apply_penalties(
    logits: Logits, recent: Sequence[int], repeat: float = 1.0, frequency: float = 0.0, presence: float = 0.0
) -> Logits:
    """l·repeat if l ≤ 0 else l/repeat, then - count·frequency - presence, for every token in `recent`.

    `recent` is the window that counts, the last n tokens of prompt and answer. Repeat: Keskar et al. 2019
    (arXiv 1909.05858), with the division turned round for negative logits; the two others are OpenAI's. Raises
    BadParameter for a repeat of 0 or less.
    """
    if not repeat > 0:
        raise BadParameter(
            f"repeat_penalty takes a number above 0, not {repeat}",
            name="repeat_penalty", value=str(repeat), low=0, high=None,
        )  # fmt: skip
    if not len(recent) or (repeat == 1 and frequency == 0 and presence == 0):
        return logits
    tokens, counts = np.unique(np.asarray(recent, dtype=np.int64), return_counts=True)
    seen = logits[tokens]
    changed = logits.copy()
    changed[tokens] = np.where(seen <= 0, seen * repeat, seen / repeat) - (counts * frequency + presence)
    return changed


def apply_dry(
    logits: Logits,
    history: Sequence[int],
    multiplier: float,
    base: float = 1.75,
    allowed_length: int = 2,
    last_n: int = 64,
    breakers: Breakers | None = None,
) -> Logits:
    """l - multiplier · base^(length - allowed_length) for each token that would continue a repetition of that length.

    Only the `last_n` newest tokens are searched; a repetition never reaches over a breaker, and breakers of one token
    are not penalized. DRY ("don't repeat yourself"), p-e-w 2024.
    """
    recent = [int(token) for token in history[-last_n:]][::-1] if last_n > 0 else []  # the newest first
    if multiplier == 0 or base < 1 or len(recent) <= allowed_length:
        return logits
    breakers = breakers or {}
    limit = _since_breaker(recent, breakers)
    if limit < allowed_length:
        return logits
    most = int(FLOAT_MAX_LOG / math.log(base)) if base > 1.000001 else 0
    changed = logits.copy()
    for token, length in _continued(recent, limit, allowed_length).items():
        if () not in breakers.get(token, ()):
            exponent = length - allowed_length
            changed[token] -= multiplier * base ** (min(exponent, most) if most else exponent)
    return changed


def dry_breakers(
    pieces: Sequence[bytes], tokenize: Callable[[bytes], Sequence[int]], words: Sequence[str] = DRY_BREAKERS
) -> Breakers:
    """The token sequences in which these words may appear, by first token.

    `pieces` are the bytes of every token of the vocabulary, special ones included; `tokenize` gives the ids of bytes
    without special tokens added. Needed once per vocabulary.
    """
    found: dict[int, list[tuple[int, ...]]] = {}
    for word in words:
        sought = word.encode()[:LONGEST_BREAKER]
        for token, piece in enumerate(pieces):
            for tail in _tails(piece, sought, tokenize) if sought else ():
                # as there: a token that holds two words has two empty tails, which changes nothing
                found.setdefault(token, []).append(tail)
    return {token: tuple(dict.fromkeys(tails)) for token, tails in found.items()}


def offset(logprobs: Logits, after: Logits, recent: Sequence[int], repeat: float) -> float:
    """What to add to log-probabilities to get the model's own logits, in nats.

    A server tells probabilities only, in which the constant is lost. `after` are the probabilities, of shape
    (vocabulary,), under a repeat penalty of `repeat` > 1 alone with `recent` as its window: from l' = l/r or l·r, and
    what l' - l is, l follows up to its sign; the right signs are those with which all tokens tell the same constant.
    """
    seen = np.asarray([token for token in sorted(set(recent)) if after[token] > 0])
    others = logprobs.copy()
    others[list(recent)] = -np.inf
    free = int(others.argmax())
    change = np.log(after[seen] / after[free]) - (logprobs[seen] - logprobs[free])
    told = np.stack([change / (1 / repeat - 1), change / (repeat - 1)]) - logprobs[seen]  # l > 0, l ≤ 0
    spread = [np.median(np.abs(told - one).min(axis=0)) for one in told.ravel()]
    best = told.ravel()[int(np.argmin(spread))]
    nearest = np.abs(told - best).argmin(axis=0)
    return float(np.median(told[nearest, np.arange(len(seen))]))


def _tails(piece: bytes, word: bytes, tokenize: Callable[[bytes], Sequence[int]]) -> list[tuple[int, ...]]:
    if word in piece:
        return [()]
    if word[:1] not in piece:
        return []
    starts = [at for at in range(len(piece)) if word.startswith(piece[at:])]
    return [tuple(tokenize(word[len(piece) - at :]))[:LONGEST_TAIL] for at in starts]


def _since_breaker(recent: Sequence[int], breakers: Breakers) -> int:
    """How many of the newest tokens come after the last breaker; all where there is none."""
    for age, token in enumerate(recent):
        fitting = [
            len(tail)
            for tail in breakers.get(token, ())
            if len(tail) <= age and all(tail[i] == recent[age - i - 1] for i in range(len(tail)))
        ]
        if fitting:
            return age - max(fitting)
    return len(recent)


def _continued(recent: Sequence[int], limit: int, shortest: int) -> dict[int, int]:
    """Tokens that followed an earlier copy of the newest ones, with the longest such copy (at most `limit`)."""
    lengths = _suffix_matches(recent, limit)
    found: dict[int, int] = {}
    for age in range(1, len(recent)):
        if lengths[age] >= shortest:
            found[recent[age - 1]] = max(lengths[age], found.get(recent[age - 1], 0))
    return found


def _suffix_matches(recent: Sequence[int], limit: int) -> list[int]:
    """At each age, how many tokens up to there equal the newest ones, at most `limit`: llama.cpp's Z-algorithm."""
    size = len(recent)
    lengths = [0] * size
    left = right = 0
    for age in range(1, size):
        if age > right:
            end = age
        elif lengths[age - left] < right - age + 1:
            lengths[age] = min(lengths[age - left], limit)
            continue
        else:
            end = right + 1
        while end < size and recent[end] == recent[end - age]:
            end += 1
        lengths[age] = min(end - age, limit)
        if end > age:
            left, right = age, end - 1
    return lengths
