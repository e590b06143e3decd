"""What a call costs as values: prices, costs, electricity; exact decimals, no floats. Knows no list of prices and no
store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from engine.types import Stats, Usage

# listed: a published list; own table: what the teacher or prices.toml says; electricity: an assumption of the teacher;
# local: runs here and nobody sends a bill; unknown: nobody told, never 0
CostKind = Literal["listed", "own table", "electricity", "local", "unknown"]
MILLION = Decimal(1_000_000)
JOULES_PER_KWH = Decimal(3_600_000)


@dataclass(frozen=True)
class Tier:
    """Prices of a million tokens for a request of more than `above` prompt tokens; all its tokens pay them."""

    above: int
    input: Decimal
    output: Decimal
    cached: Decimal


@dataclass(frozen=True)
class Price:
    """What a model's owner asks, in `currency`: for a million tokens of prompt, answer and cached prompt, for a
    request, for a second of its hardware, for a picture. None: not billed this way; cached None: as the rest of the
    prompt.

    `reasoning_apart` says that the server counts thinking beside the answer and bills it as such. `window` in tokens.
    """

    input_per_million: Decimal | None = None
    output_per_million: Decimal | None = None
    cached_per_million: Decimal | None = None
    per_request: Decimal | None = None
    per_second: Decimal | None = None
    per_image: Decimal | None = None
    currency: str = "USD"
    source: str = ""
    as_of: str = ""
    kind: CostKind = "listed"
    tiers: tuple[Tier, ...] = ()
    reasoning_apart: bool = False
    window: int | None = None

    @property
    def by_tokens(self) -> bool:
        """Whether tokens are billed."""
        return self.input_per_million is not None and self.output_per_million is not None

    def amount(
        self, prompt: int, completion: int, cached: int = 0, *, seconds: float | None = None, images: int | None = None
    ) -> Decimal | None:
        """What a call of so many tokens, seconds and pictures costs; None where this does not tell enough.

        `cached` is a part of `prompt`; `images` None: no word of pictures, and where those alone are billed nothing is
        known.
        """
        total = self.per_request or Decimal(0)
        if self.by_tokens:
            read, written, kept = self._rates(prompt)
            cached = min(max(cached, 0), prompt)
            total += (read * (prompt - cached) + kept * cached + written * completion) / MILLION
        if self.per_second is not None:
            if seconds is None:
                return None
            total += self.per_second * Decimal(str(seconds))
        if self.per_image is not None and images is not None:
            total += self.per_image * images
        return total if self._bills(images) else None

    def at_most(self, prompt: int, completion: int, *, seconds: float | None = None) -> Decimal | None:
        """The most that a call can cost whose prompt and answer have at most so many tokens; None where unknown."""
        plain = self.amount(prompt, completion, seconds=seconds)
        if plain is None or not self.by_tokens:
            return plain
        rates = [
            self._rates(0),
            *((tier.input, tier.output, tier.cached) for tier in self.tiers if prompt > tier.above),
        ]
        read, written = max(max(rate[0], rate[2]) for rate in rates), max(rate[1] for rate in rates)
        rest = plain - self._tokens(prompt, completion)
        return rest + (read * prompt + written * completion) / MILLION

    def _bills(self, images: int | None) -> bool:
        by_picture = self.per_image is not None and images is not None
        return self.by_tokens or by_picture or any(one is not None for one in (self.per_request, self.per_second))

    def _tokens(self, prompt: int, completion: int) -> Decimal:
        read, written, _ = self._rates(prompt)
        return (read * prompt + written * completion) / MILLION

    def _rates(self, prompt: int) -> tuple[Decimal, Decimal, Decimal]:
        """Prices of a million tokens read, written, read from the cache, for a prompt of this length."""
        for tier in reversed(self.tiers):
            if prompt > tier.above:
                return tier.input, tier.output, tier.cached
        read, written = self.input_per_million or Decimal(0), self.output_per_million or Decimal(0)
        return read, written, read if self.cached_per_million is None else self.cached_per_million

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; amounts as text, exactly."""
        return {
            "input_per_million": text_of(self.input_per_million),
            "output_per_million": text_of(self.output_per_million),
            "cached_per_million": text_of(self.cached_per_million),
            "per_request": text_of(self.per_request),
            "per_second": text_of(self.per_second),
            "per_image": text_of(self.per_image),
            "currency": self.currency,
            "source": self.source,
            "as_of": self.as_of,
            "kind": self.kind,
            "window": self.window,
        }


@dataclass(frozen=True)
class Electricity:
    """The teacher's assumption for models that run in the room: `watts` that the machine takes while it answers, price
    of a kilowatt hour.
    """

    watts: Decimal
    tariff_per_kwh: Decimal
    currency: str = "EUR"

    def amount(self, seconds: float) -> Decimal:
        """What so many seconds of the machine cost."""
        return self.watts * Decimal(str(seconds)) / JOULES_PER_KWH * self.tariff_per_kwh


@dataclass(frozen=True)
class Cost:
    """What one call cost, in `currency`; `total` None: unknown, or nobody sends a bill (`kind` tells which)."""

    total: Decimal | None = None
    currency: str = "USD"
    source: str = ""
    as_of: str = ""
    kind: CostKind = "unknown"

    @property
    def thousand(self) -> Decimal | None:
        """What a thousand calls like it cost."""
        return None if self.total is None else self.total * 1000

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; amounts as text, exactly, None where unknown."""
        return {
            "total": text_of(self.total),
            "thousand": text_of(self.thousand),
            "currency": self.currency,
            "source": self.source,
            "as_of": self.as_of,
            "kind": self.kind,
        }


UNKNOWN = Cost()
LOCAL = Cost(kind="local")


def cost_of(
    price: Price | None,
    usage: Usage,
    *,
    seconds: float | None = None,
    images: int | None = None,
    unbilled: bool | None = False,
) -> Cost:
    """The cost of a call at this price: `usage` as the server counted it, `seconds` of its hardware where those are
    billed. Unknown where the price is, or a count that it needs.

    No word about cached tokens means none. `unbilled`: a failed run of a host that does not bill those; None where
    nobody knows whether it does.
    """
    if price is None:
        return UNKNOWN
    told = Cost(None, price.currency, price.source, price.as_of, price.kind)
    if unbilled is None:
        return replace(told, kind="unknown")
    if unbilled:
        return replace(told, total=Decimal(0))
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if price.by_tokens and (prompt is None or completion is None):
        return replace(told, kind="unknown")
    apart = (usage.reasoning_tokens or 0) if price.reasoning_apart else 0
    counts = prompt or 0, (completion or 0) + apart, usage.cached_tokens or 0
    total = price.amount(*counts, seconds=seconds, images=images)
    return replace(told, total=total, kind=price.kind if total is not None else "unknown")


def local_cost(electricity: Electricity | None, stats: Stats) -> Cost:
    """The cost of an answer that was made in the room: its electricity where the teacher said what that is.

    The machine counts for as long as the answer took, a wait included.
    """
    if electricity is None or stats.wall_time is None:
        return LOCAL
    assumed = f"{text_of(electricity.watts)} W, {text_of(electricity.tariff_per_kwh)} {electricity.currency}/kWh"
    return Cost(electricity.amount(stats.wall_time), electricity.currency, assumed, "", "electricity")


def classroom(price: Price, students: int, questions: int, tokens_in: int, tokens_out: int) -> Decimal | None:
    """What a class costs in which everybody asks so many questions of so many tokens; None where these are not what is
    billed.
    """
    each = price.amount(tokens_in, tokens_out)
    return None if each is None else each * students * questions


def total_of(costs: Iterable[Cost]) -> Decimal | None:
    """Their sum; None where one is unknown or the currencies differ. What nobody bills adds nothing."""
    billed = [cost for cost in costs if cost.kind != "local"]
    if any(cost.total is None for cost in billed) or len({cost.currency for cost in billed}) > 1:
        return None
    return sum((cost.total for cost in billed if cost.total is not None), Decimal(0))


def text_of(amount: Decimal | None) -> str | None:
    """The exact amount without an exponent and without empty decimals."""
    if amount is None:
        return None
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text
