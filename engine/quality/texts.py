"""A text as a person looks at it: what each token surprised the model, and the perplexity of the whole. A task for a
job child that joins the two; nothing is measured here.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np

from engine.errors import BadInput
from engine.quality import perplexity, surprise
from engine.quality.numbers import mean
from engine.quality.windows import WINDOW
from engine.tasks import Progress

TASK = "engine.quality.texts:measure"
SHOWN = 6000  # characters whose tokens are told one by one
DIGITS = 4  # of a surprise in nats

Work = Generator[Progress, None, dict[str, Any]]


def measure(path: str, text: str, window: int = WINDOW, threads: int = 1) -> Work:
    """The Perplexity as a dict, without its values where the text has less than two windows; with `own`, what the first
    SHOWN characters are to the model when each token is read after all that come before it, and `strip`, those tokens
    as [text, bytes, nats]. Progress in characters.

    Raises NativeMissing, LoadFailed, BadParameter, BadInput for a text without two tokens.
    """
    shown, total = text[:SHOWN], min(len(text), SHOWN) + len(text)
    told = yield from _part(surprise.measure(path, shown, threads=threads), 0, len(shown), total)
    try:
        found = yield from _part(perplexity.measure(path, text, window, None, threads), len(shown), len(text), total)
    except BadInput as error:
        if error.details.get("reason") != "text_too_short":
            raise
        found = {"window": window, "tokens": error.details["tokens"], "card": told["card"]}
    return {**found, "own": own(told), "strip": strip(told), "whole": len(shown) == len(text)}


def own(told: Mapping[str, Any]) -> dict[str, Any]:
    """Perplexity, its standard error, bits a byte and the number of tokens of what the strip shows."""
    nats = np.array([token["nats"] for token in told["tokens"] if token["nats"] is not None])
    if not len(nats):
        raise BadInput("the text has not two tokens", reason="text_too_short", tokens=len(told["tokens"]), needed=2)
    middle = mean(nats)
    value = math.exp(middle.value)
    error = value * middle.error if middle.error else None  # of a few tokens nothing can be said
    return {"perplexity": value, "standard_error": error, "bits_per_byte": told["bits_per_byte"], "tokens": len(nats)}


def strip(told: Mapping[str, Any]) -> list[list[Any]]:
    """The tokens as short as they can be kept."""
    return [
        [token["piece"], token["bytes"], None if token["nats"] is None else round(token["nats"], DIGITS)]
        for token in told["tokens"]
    ]


def _part(work: Work, done: int, size: int, total: int) -> Work:
    """The work's result; its progress as a part of the whole."""
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            result: dict[str, Any] = end.value
            return result
        yield Progress(done + (size * step.done / step.total if step.total else 0), total)
