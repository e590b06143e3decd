"""The table of prices: models of the providers that the course lists, and those of the teacher's own table. Knows no
page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.compare.money import Price, classroom, text_of
from engine.compare.prices import price_at, price_table, written
from engine.providers import providers


@dataclass(frozen=True)
class ModelPrice:
    """A row: `model` as the provider calls it, `price` None where nobody tells it, `window` in tokens, `licence` of the
    weights ("closed": not given away). None is unknown. `own` says that the teacher wrote it.
    """

    provider: str
    model: str
    price: Price | None
    window: int | None = None
    licence: str | None = None
    open_weights: bool | None = None
    homepage: str | None = None
    own: bool = False

    @property
    def id(self) -> str:
        """The model's id in the catalogue."""
        return f"{self.provider}/{self.model}" if self.provider else self.model

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "id": self.id,
            "provider": self.provider,
            "model": self.model,
            "price": self.price and self.price.to_dict(),
            "window": self.window,
            "licence": self.licence,
            "open_weights": self.open_weights,
            "homepage": self.homepage,
            "own": self.own,
        }


@dataclass(frozen=True)
class Class:
    """A class that the prices are worked out for: everybody asks so many questions of so many tokens."""

    students: int = 30
    questions: int = 40
    tokens_in: int = 500
    tokens_out: int = 300

    def cost(self, price: Price | None) -> str | None:
        """What the class costs at this price, exactly; None where it is unknown."""
        if price is None:
            return None
        return text_of(classroom(price, self.students, self.questions, self.tokens_in, self.tokens_out))


def table(own: Mapping[str, Mapping[str, str]] | None = None) -> tuple[ModelPrice, ...]:
    """The rows: the teacher's first, then the course's, each as the teacher's table has it where it does."""
    wrote = dict(own or {})
    listed = [_over(row, wrote) for row in _listed()]
    rest = [_own(model, row) for model, row in wrote.items() if model not in {row.id for row in listed}]
    return (*rest, *listed)


def row(model_id: str, own: Mapping[str, Mapping[str, str]] | None = None) -> ModelPrice:
    """The row of any model, "provider/model": of the table where it is there, else what the lists say of it."""
    known = {one.id: one for one in table(own)}
    if model_id in known:
        return known[model_id]
    provider, _, model = model_id.partition("/")
    return _row(provider, model or provider)


def _listed() -> Iterator[ModelPrice]:
    for group in price_table():
        for model in group["models"]:
            found = _row(group["provider"], model)
            licence, open_ = group.get("licence"), group.get("open", False)
            yield replace(found, licence=licence, open_weights=open_, window=found.window or group.get("window"))


def _row(provider: str, model: str) -> ModelPrice:
    known = providers().get(provider)
    price = price_at(provider, model, known.price if known else None)
    return ModelPrice(
        provider, model, price, price.window if price else None, homepage=known.homepage if known else None
    )


def _over(row: ModelPrice, own: Mapping[str, Mapping[str, str]]) -> ModelPrice:
    return replace(row, price=written(own[row.id]), own=True) if row.id in own else row


def _own(model_id: str, row: Mapping[str, str]) -> ModelPrice:
    provider, slash, model = model_id.partition("/")
    return ModelPrice(provider if slash else "", model if slash else model_id, written(row), own=True)
