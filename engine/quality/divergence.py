"""How far a model is from its base on a text, by `llama-perplexity --kl-divergence`. A task for a job child.

Both read the same windows side by side, so that no file of the base's probabilities is written; llama-perplexity keeps
those in 16 bits, which moves the median in the sixth decimal. Only models with one tokenizer can be compared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput
from engine.quality.cards import card
from engine.quality.numbers import Compared, Values, compared, covariance, mean
from engine.quality.perplexity import begun, text_sha256
from engine.quality.reader import Reader
from engine.quality.windows import WINDOW, Window, apart, groups
from engine.tasks import Progress

TASK = "engine.quality.divergence:measure"
KLD_PERCENTILES = (99.9, 99.0, 95.0, 90.0, 50.0, 10.0, 5.0, 1.0, 0.1)
DP_PERCENTILES = (99.9, 99.0, 95.0, 90.0, 75.0, 50.0, 25.0, 10.0, 5.0, 1.0, 0.1)


@dataclass(frozen=True)
class Divergence:
    """What the other model is to its base; every `…_error` is a standard error.

    `mean_kld`, `median_kld` and `kld` (its percentiles, `max` and `min`) in nats. `same_top` is the share of positions
    where both have the same likeliest token. Δp is the probability of the text's own token by the other less that by
    the base, as shares of 1: `mean_dp`, `median_dp`, `rms_dp` (its root mean square) and `dp`. `perplexity` is the
    other's, `ratio` that divided by `base_perplexity`, `log_ratio` its logarithm, `difference` what it is more;
    `correlation` is that of the two mean surprises. `counted` positions of a text of `tokens`, in `windows` of `window`
    tokens; `seconds` without loading; `card` and `base_card` what it was measured with.
    """

    mean_kld: float
    mean_kld_error: float
    median_kld: float
    kld: Mapping[str, float]
    same_top: float
    same_top_error: float
    mean_dp: float
    mean_dp_error: float
    median_dp: float
    rms_dp: float
    rms_dp_error: float
    dp: Mapping[str, float]
    perplexity: float
    perplexity_error: float
    base_perplexity: float
    base_perplexity_error: float
    ratio: float
    ratio_error: float
    log_ratio: float
    log_ratio_error: float
    difference: float
    difference_error: float
    correlation: float | None
    tokens: int
    counted: int
    windows: int
    window: int
    seconds: float
    card: Mapping[str, Any] = field(default_factory=dict)
    base_card: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Divergence:
        """What `to_dict` gave, such as a job's result."""
        return cls(**data)


def measure(
    base: str, other: str, text: str, window: int = WINDOW, threads: int = 1
) -> Generator[Progress, None, dict[str, Any]]:
    """The Divergence of `other` from `base`, two paths, as a dict; progress in tokens read by both.

    Raises NativeMissing, LoadFailed, BadParameter, BadInput where the text has less than two windows or the two models
    cut it into different tokens.
    """
    with Reader(base, window, threads) as first, Reader(other, window, threads) as second:
        tokens = _same_tokens(first, second, text)
        windows = apart(len(tokens), window)
        found, read, started = list[Compared](), 0, time.perf_counter()
        yield Progress(0, len(windows) * window)
        for group in groups(windows, first.at_once):
            found += _side_by_side(first, second, tokens, group)
            read += len(group) * window
            yield Progress(read, len(windows) * window)
        seconds = time.perf_counter() - started
    how = {"window": window, "text_sha256": text_sha256(text)}
    return replace(
        summary(joined(found), len(tokens), len(windows), window, seconds),
        card=card(Path(other), threads, **how),
        base_card=card(Path(base), threads, **how),
    ).to_dict()


def _same_tokens(first: Reader, second: Reader, text: str) -> list[int]:
    tokens = first.tokens(text)
    if first.vocabulary != second.vocabulary or first.bos != second.bos or second.tokens(text) != tokens:
        raise BadInput("the two models have different tokenizers: their tokens cannot be compared", reason="tokenizers")
    return tokens


def _side_by_side(first: Reader, second: Reader, tokens: Sequence[int], group: Sequence[Window]) -> Iterator[Compared]:
    """One for each window, or part of one where windows are read in slices."""
    read, row = begun(first, tokens, group, bos=True), group[0].first_row
    for (number, position, rows), (_, _, others) in zip(first.read(read, row), second.read(read, row), strict=True):
        at = group[number].start + position + 1
        yield compared(rows, others, tokens[at : at + len(rows)], first.threads)


def joined(parts: Sequence[Compared]) -> Compared:
    """All of them as one."""
    return Compared(
        np.concatenate([part.kld for part in parts]),
        np.concatenate([part.base for part in parts]),
        np.concatenate([part.other for part in parts]),
        np.concatenate([part.same_top for part in parts]),
    )


def summary(found: Compared, tokens: int, windows: int, window: int, seconds: float) -> Divergence:
    """The Divergence of these positions."""
    kld, moved = mean(found.kld), np.exp(-found.other) - np.exp(-found.base)
    dp, square, same = mean(moved), mean(moved**2), float(found.same_top.mean())
    rms = math.sqrt(square.value)
    return Divergence(
        mean_kld=kld.value,
        mean_kld_error=kld.error,
        median_kld=float(np.median(found.kld)),
        kld=_percentiles(found.kld, KLD_PERCENTILES),
        same_top=same,
        same_top_error=math.sqrt(same * (1 - same) / (len(moved) - 1)),
        mean_dp=dp.value,
        mean_dp_error=dp.error,
        median_dp=float(np.median(moved)),
        rms_dp=rms,
        rms_dp_error=0.5 / rms * square.error if rms else 0.0,
        dp=_percentiles(moved, DP_PERCENTILES),
        **_ratios(found),
        tokens=tokens,
        counted=len(moved),
        windows=windows,
        window=window,
        seconds=seconds,
    )


def _ratios(found: Compared) -> dict[str, Any]:
    """The two perplexities and how they differ; both come from the same tokens, so that their errors partly cancel."""
    base, other, shared = mean(found.base), mean(found.other), covariance(found.base, found.other)
    first, second = math.exp(base.value), math.exp(other.value)
    log_error = math.sqrt(max(0.0, other.error**2 + base.error**2 - 2 * shared))
    spread = (second * other.error) ** 2 + (first * base.error) ** 2 - 2 * first * second * shared
    both = base.error * other.error
    return {
        "perplexity": second, "perplexity_error": second * other.error,
        "base_perplexity": first, "base_perplexity_error": first * base.error,
        "ratio": second / first, "ratio_error": second / first * log_error,
        "log_ratio": other.value - base.value, "log_ratio_error": log_error,
        "difference": second - first, "difference_error": math.sqrt(max(0.0, spread)),
        "correlation": shared / both if both else None,
    }  # fmt: skip


def _percentiles(values: Values, wanted: Sequence[float]) -> dict[str, float]:
    """`max`, the percentiles wanted (between two values by a straight line) and `min`."""
    found = np.percentile(values, wanted)
    middle = {f"{name:g}": float(value) for name, value in zip(wanted, found, strict=True)}
    return {"max": float(values.max()), **middle, "min": float(values.min())}
