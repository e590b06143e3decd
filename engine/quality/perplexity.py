"""The perplexity of a text under a local model, exactly as llama-perplexity defines it. A task for a job child.

PPL = exp(mean −ln p) over the second halves of windows of 512 tokens, each read from nothing; its first token is the
model's BOS where that has one. ± is PPL · standard error of the mean, with tokens taken for independent. Perplexities
compare models with one tokenizer only; `bits_per_byte` compares any. On the text of the GPL-3 all running values are
llama-perplexity's own to four decimals (README, "Measured"; `python3 run.py bench perplexity --native PATH`).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.quality.cards import card
from engine.quality.numbers import Values, bits_per_byte, mean, surprises
from engine.quality.reader import Reader
from engine.quality.windows import WINDOW, Window, apart, groups, strided
from engine.tasks import Progress

TASK = "engine.quality.perplexity:measure"


@dataclass(frozen=True)
class Perplexity:
    """What a text was to a model: `perplexity` ± `standard_error`, `nats_per_token` its logarithm, and `bits_per_byte`.

    `tokens` of the text, of which `counted` were predicted, that make `bytes`; `window` and `stride` (None: windows
    apart) in tokens; `so_far` the perplexity after each window; `seconds` without loading; `card` what it was measured
    with.
    """

    perplexity: float
    standard_error: float
    nats_per_token: float
    bits_per_byte: float
    tokens: int
    counted: int
    bytes: int
    window: int
    stride: int | None
    so_far: tuple[float, ...]
    seconds: float
    card: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Perplexity:
        """What `to_dict` gave, such as a job's result."""
        return cls(**{**data, "so_far": tuple(data["so_far"])})


def measure(
    path: str, text: str, window: int = WINDOW, stride: int | None = None, threads: int = 1
) -> Generator[Progress, None, dict[str, Any]]:
    """The Perplexity as a dict; progress in tokens read.

    Raises NativeMissing, LoadFailed, BadParameter, BadInput where the text has less than two windows.
    """
    with Reader(path, window, threads) as reader:
        tokens = reader.tokens(text)
        windows = apart(len(tokens), window) if stride is None else strided(len(tokens), window, stride)
        total, read, nats, started = len(windows) * window, 0, list[Values](), time.perf_counter()
        yield Progress(0, total)
        for group in groups(windows, reader.at_once):
            nats += predicted(reader, tokens, group, bos=stride is None)
            read += len(group) * window
            yield Progress(read, total)
        seconds = time.perf_counter() - started
        size = sum(len(reader.piece(token)) for window_ in windows for token in tokens[window_.counted : window_.end])
    how = card(Path(path), threads, window=window, stride=stride, text_sha256=text_sha256(text))
    return replace(summary(nats, len(tokens), size, window, stride, seconds), card=how).to_dict()


def predicted(reader: Reader, tokens: Sequence[int], group: Sequence[Window], *, bos: bool) -> list[Values]:
    """-ln p of the counted tokens of each window of the group.

    `bos`: the model's first token stands in place of the first of each window. llama-perplexity means to do the same in
    strided mode, yet puts it there when the window has been read already, so that it never counts.
    """
    found: list[list[Values]] = [[] for _ in group]
    for number, position, rows in reader.read(begun(reader, tokens, group, bos=bos), group[0].first_row):
        at = group[number].start + position + 1
        found[number].append(surprises(rows, tokens[at : at + len(rows)], reader.threads))
    return [np.concatenate(parts) for parts in found]


def begun(reader: Reader, tokens: Sequence[int], group: Sequence[Window], *, bos: bool) -> list[list[int]]:
    """The tokens of each window as they are read."""
    first = [reader.bos] if bos and reader.bos is not None else []
    return [first + list(tokens[window.start + len(first) : window.end]) for window in group]


def summary(
    nats: Sequence[Values], tokens: int, size: int, window: int, stride: int | None, seconds: float
) -> Perplexity:
    """The Perplexity of these surprises, one array a window; `size` bytes were predicted."""
    every = np.concatenate(nats)
    told = mean(every)
    value = math.exp(told.value)
    sums, counts = np.cumsum([part.sum() for part in nats]), np.cumsum([len(part) for part in nats])
    return Perplexity(
        perplexity=value,
        standard_error=value * told.error,
        nats_per_token=told.value,
        bits_per_byte=bits_per_byte(float(every.sum()), size),
        tokens=tokens,
        counted=len(every),
        bytes=size,
        window=window,
        stride=stride,
        so_far=tuple(float(one) for one in np.exp(sums / counts)),
        seconds=seconds,
    )


def text_sha256(text: str) -> str:
    """Which text it was, for the card."""
    return hashlib.sha256(text.encode()).hexdigest()
