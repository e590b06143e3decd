"""What a call of a batch may cost at most, and what it did cost. Knows no file and no thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.backends.replicate import Replicate
from engine.backends.replicate_inputs import limit_of
from engine.compare.budget import ZERO
from engine.compare.money import Cost, Electricity, Price, cost_of, local_cost
from engine.compare.prices import Prices, is_local, unbilled
from engine.errors import BadInput, EngineError, PaymentRequired, RateLimited, Unauthorized, Unreachable
from engine.types import Message, Result

if TYPE_CHECKING:
    from engine.backends.base import Request
    from engine.model import Model

# A token is a byte at least. Templates put words around a message, and some a system prompt of their own before all
AROUND_MESSAGE, AROUND_ALL = 64, 512
UNBILLED = (RateLimited, Unauthorized, PaymentRequired, Unreachable, BadInput)  # refused before anything was written


@dataclass(frozen=True)
class Terms:
    """What one model costs: `price` None where nobody sends a bill, or nobody knows (only without a budget). In the
    room it may take electricity, which no budget counts.
    """

    model: Model
    price: Price | None
    electricity: Electricity | None = None

    def most(self, request: Request) -> Decimal:
        """The most that this request can cost."""
        if self.price is None:
            return ZERO
        most = self.price.at_most(tokens_at_most(request.messages), int(request.params["max_tokens"]))
        return ZERO if most is None else most  # without a budget: `terms_of` refuses what has no bound

    def cost(self, result: Result) -> Cost:
        """What the answer cost, as it is told: by its tokens, and by its seconds where the host told them."""
        if self.price is None and is_local(self.model.card):
            return local_cost(self.electricity, result.stats)
        free = _not_begun(result) or unbilled(self.model.card, result.error)
        return cost_of(self.price, result.usage, seconds=result.stats.billed_time, unbilled=free)

    def charged(self, result: Result, most: Decimal) -> Decimal:
        """What must be counted as spent: the cost where it is known, nothing for what was refused, else the most."""
        if self.price is None:
            return ZERO
        if result.error is not None:
            return ZERO if _not_begun(result) else most
        told = self.cost(result).total
        return most if told is None or result.outcome == "user_stopped" else told


def terms_of(model: Model, prices: Prices, *, budget: bool, currency: str) -> Terms:
    """The terms of a model. With a budget raises BadInput (`reason` no_price, other_currency, no_bound) for one of
    which nobody can say beforehand what it costs.
    """
    card = model.card
    price = prices.price(card)
    if price is None:
        if budget and not is_local(card):
            raise _refused(model, "no_price")
        return Terms(model, None, prices.electricity() if is_local(card) else None)
    if not budget:
        return Terms(model, price)
    if price.currency != currency:
        raise _refused(model, "other_currency", currency=price.currency)
    if not price.by_tokens or price.per_second is not None or price.per_image is not None or price.reasoning_apart:
        raise _refused(model, "no_bound")
    if card.endpoint is not None and "max_tokens" not in card.endpoint.provider.params:
        raise _refused(model, "no_bound")
    return Terms(model, price)


def check_limit(terms: Terms, request: Request) -> None:
    """Raises BadInput (`reason` no_limit, no_bound) where the answer may be of any length, and so of any price; what
    asking the host raises.
    """
    if terms.price is None:
        return
    if int(request.params["max_tokens"]) < 1:
        raise _refused(terms.model, "no_limit")
    backend = terms.model.backend
    # a model of Replicate's takes what its own schema names; where it has none, nobody knows what it makes of a bound
    if isinstance(backend, Replicate) and (not backend.describe().inputs or limit_of(backend.body(request)) is None):
        raise _refused(terms.model, "no_bound")


def tokens_at_most(messages: Iterable[Message]) -> int:
    """The most tokens that any tokenizer makes of these messages."""
    return AROUND_ALL + sum(AROUND_MESSAGE + len(message.content.encode(errors="replace")) for message in messages)


def failed_result(model: Model, error: EngineError) -> Result:
    """The result of a call that was not even begun."""
    from engine.types import Stats, Usage

    return Result("", "failed", Usage(), Stats(), model.card.id, error=error)


def _not_begun(result: Result) -> bool:
    return isinstance(result.error, UNBILLED) and not (result.text or result.reasoning)


def _refused(model: Model, reason: str, **more: object) -> BadInput:
    return BadInput(f"{model.card.id}: {reason}", reason=f"batch_{reason}", model=model.card.id, **more)
