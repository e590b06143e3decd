"""Two runs of the bench compared row by row: how many times as fast, with an interval. Reads llama-bench's files too.

Repetitions of one run follow each other, so the interval holds what varies within minutes, not what varies between
hours or machines. Measures nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import BadFile, BadInput
from engine.quality.speed import case_name

BYTES_MAX = 8 << 20
ROWS_MAX = 2000
LEVEL = 0.95
FREEDOM_MAX = 1000.0  # beyond, the distribution is the normal one to three digits
Tokens = Annotated[int, Field(ge=0, le=1 << 32)]


class Row(BaseModel):
    """What of a row of llama-bench a comparison needs: the case, and tokens per second of each repetition."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    n_prompt: Tokens
    n_gen: Tokens
    n_depth: Tokens = 0
    n_threads: Tokens = 1
    n_batch: Tokens = 2048
    n_ubatch: Tokens = 512
    type_k: str = Field("f16", max_length=20)
    type_v: str = Field("f16", max_length=20)
    model_filename: str = Field("", max_length=4096)
    samples_ts: tuple[Annotated[float, Field(ge=1e-9, le=1e12, allow_inf_nan=False)], ...] = Field(
        min_length=1, max_length=1000
    )

    @property
    def case(self) -> tuple[Any, ...]:
        """What must be the same for two rows to be compared; the model is what differs."""
        return (
            self.n_prompt, self.n_gen, self.n_depth, self.n_threads, self.n_batch, self.n_ubatch,
            self.type_k, self.type_v,
        )  # fmt: skip


@dataclass(frozen=True)
class Ratio:
    """One case in two runs: tokens per second of each, the second as a multiple of the first and its 95 % interval,
    which is None where one run has a single repetition. `clear`: 1 lies outside of it.
    """

    test: str
    n_threads: int
    n_batch: int
    n_ubatch: int
    type_k: str
    type_v: str
    before: float
    after: float
    ratio: float
    low: float | None
    high: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 1."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {**asdict(self), "clear": self.clear}


def compare(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> tuple[Ratio, ...]:
    """One Ratio for each case that both runs have, in the order of the second; of one measured twice the last counts.

    Raises BadFile for rows that are none, BadInput where no case is in both.
    """
    first = {row.case: row for row in rows_of("before", before)}
    second = {row.case: row for row in rows_of("after", after)}
    found = tuple(_ratio(first[case], row) for case, row in second.items() if case in first)
    if not found:
        raise BadInput("the two runs have no case in common", reason="nothing_in_common")
    return found


def ratio(before: Sequence[float], after: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Geometric mean of `after` over that of `before`, with both ends of its interval.

    Welch's t interval of the difference of the mean logarithms, so that the inverse comparison gives the inverse.
    """
    first, second = np.log(before), np.log(after)
    middle = float(second.mean() - first.mean())
    if min(len(before), len(after)) < 2:
        return math.exp(middle), None, None
    parts = [float(one.var(ddof=1)) / len(one) for one in (first, second)]
    spread = sum(parts)
    if spread == 0:
        return (math.exp(middle),) * 3
    freedom = spread**2 / sum(part**2 / (len(one) - 1) for part, one in zip(parts, (first, second), strict=True))
    half = student((1 + LEVEL) / 2, freedom) * math.sqrt(spread)
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def student(share: float, freedom: float) -> float:
    """The value below which that share (0.5 or more) of Student's t distribution lies; `freedom` ≥ 1, no whole number.

    With t = √ν tan θ the density is cos^(ν−1) θ, which quadrature integrates well; bisection finds the end.
    """
    freedom = min(freedom, FREEDOM_MAX)
    nodes, weights = np.polynomial.legendre.leggauss(200)

    def within(angle: float) -> float:
        return float((weights * np.cos((nodes + 1) / 2 * angle) ** (freedom - 1)).sum()) * angle / 2

    wanted, low, high = (share - 0.5) * 2 * within(math.pi / 2), 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < wanted else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def read_run(name: str, data: bytes) -> list[dict[str, Any]]:
    """The rows of a file: llama-bench's JSON or JSONL, or a kept result of ours. Raises BadFile (too_large, json,
    format, too_many).
    """
    if len(data) > BYTES_MAX:
        raise BadFile(f"{name}: more than {BYTES_MAX} bytes", path=name, reason="too_large")
    found = _parsed(name, data)
    if isinstance(found, dict):
        found = found.get("rows", [found])
    rows_of(name, found)
    return list(found)


def rows_of(name: str, found: Any) -> tuple[Row, ...]:
    """The rows, checked. Raises BadFile (format, too_many)."""
    if not isinstance(found, list | tuple) or not found:
        raise BadFile(f"{name} has no row of llama-bench", path=name, reason="format")
    if len(found) > ROWS_MAX:
        raise BadFile(f"{name}: more than {ROWS_MAX} rows", path=name, reason="too_many")
    try:
        return tuple(Row.model_validate(one) for one in found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        text = f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise BadFile(text, path=name, reason="format") from error


def _parsed(name: str, data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig").strip()
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{name} is not JSON", path=name, reason="json") from error


def _ratio(before: Row, after: Row) -> Ratio:
    middle, low, high = ratio(before.samples_ts, after.samples_ts)
    return Ratio(
        test=case_name(after.n_prompt, after.n_gen, after.n_depth),
        n_threads=after.n_threads, n_batch=after.n_batch, n_ubatch=after.n_ubatch,
        type_k=after.type_k, type_v=after.type_v,
        before=sum(before.samples_ts) / len(before.samples_ts),
        after=sum(after.samples_ts) / len(after.samples_ts),
        ratio=middle, low=low, high=high,
    )  # fmt: skip
