"""What a model costs: the list of genai-prices, prices.toml for what it lacks, and the teacher's own table before both.
Offline; starts nothing that would ask a network.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from engine.compare.money import Cost as Cost
from engine.compare.money import Electricity as Electricity
from engine.compare.money import Price as Price
from engine.compare.money import Tier, local_cost, text_of
from engine.compare.money import classroom as classroom
from engine.compare.money import cost_of as cost_of
from engine.errors import BadInput, EngineError
from engine.person import LOCAL_OWNER
from engine.types import Stats, Usage
from engine.values import Values

if TYPE_CHECKING:
    from genai_prices import types

    from engine.catalog import ModelCard

OWN, ELECTRICITY = "compare.prices", "compare.electricity"
OWN_MAX = 200
LISTED_AS_OF = "2026-11"  # the month of genai-prices 0.2.3: its data bear no date of their own
LOCAL_PRICE = "local"  # providers.toml: nobody sends a bill
_NUMBERS = ("input", "output", "cached", "request", "second", "image")
_FIELDS = {
    "input": "input_per_million",
    "output": "output_per_million",
    "cached": "cached_per_million",
    "request": "per_request",
    "second": "per_second",
    "image": "per_image",
}
_UNCOUNTED = frozenset({"output_reasoning_mtok", "output_citation_mtok"})  # billed by counts that no answer tells
_REASONING_APART = frozenset(
    {"x-ai"}
)  # completion_tokens without the thinking, which is billed: genai-prices' extractor
_HIGHEST = Decimal(1_000_000)


class Prices:
    """The prices of one installation, with what its teacher wrote. Raises StoreFailed."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def price(self, card: ModelCard) -> Price | None:
        """The price of the model; None where it is unknown or there is none (`is_local`)."""
        return price_of(card, self.own())

    def cost(
        self,
        card: ModelCard,
        usage: Usage,
        stats: Stats,
        *,
        seconds: float | None = None,
        unbilled: bool | None = False,
    ) -> Cost:
        """What the answer cost; `seconds` of the host's hardware where it told them; `unbilled` as `cost_of` says."""
        price = self.price(card)
        if price is None and is_local(card):
            return local_cost(self.electricity(), stats)
        return cost_of(price, usage, seconds=seconds, unbilled=unbilled)

    def own(self) -> dict[str, dict[str, str]]:
        """The teacher's table by model id, as it was written: input, output, cached (for a million tokens), request,
        second, image, hardware, currency, date.
        """
        return dict(self._values.get(LOCAL_OWNER, OWN, {}))

    def keep(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """This table from now on. Raises BadInput."""
        if len(rows) > OWN_MAX:
            raise BadInput(f"at most {OWN_MAX} prices of your own", what="prices", limit=OWN_MAX)
        cleaned = {_model_id(model): _cleaned(model, row) for model, row in rows.items()}
        self._values.set(LOCAL_OWNER, OWN, cleaned or None)
        return cleaned

    def electricity(self) -> Electricity | None:
        """The teacher's assumption for models in the room; None while there is none."""
        kept = self._values.get(LOCAL_OWNER, ELECTRICITY)
        return kept and Electricity(Decimal(kept["watts"]), Decimal(kept["tariff"]), kept["currency"])

    def assume(self, electricity: Electricity | None) -> None:
        """This assumption from now on; None takes it back. Raises BadInput."""
        if electricity is None:
            return self._values.drop(LOCAL_OWNER, ELECTRICITY)
        watts, tariff = _number("watts", electricity.watts), _number("tariff", electricity.tariff_per_kwh)
        currency = _currency(electricity.currency)
        self._values.set(LOCAL_OWNER, ELECTRICITY, {"watts": watts, "tariff": tariff, "currency": currency})


def is_local(card: ModelCard) -> bool:
    """Whether the model runs in the room, so that nobody sends a bill."""
    return card.endpoint is None or card.endpoint.provider.price == LOCAL_PRICE


def unbilled(card: ModelCard, error: EngineError | None) -> bool | None:
    """Whether nobody sends a bill for a run that ended so: a prediction of a public model of Replicate's that failed.
    Those of private ones are billed; None where nobody knows which it is.

    Source: https://replicate.com/docs/topics/billing
    """
    if error is None or error.details.get("reason") != "prediction_failed":
        return False
    place = card.endpoint
    listed = place is not None and place.model.partition(":")[0] in _shipped().get(place.provider.id, {})
    return True if listed or error.details.get("official") is True else None


def price_of(card: ModelCard, own: Mapping[str, Mapping[str, str]] | None = None) -> Price | None:
    """The price of a model: of the teacher's table, else of prices.toml, else listed; None where nobody tells."""
    row = (own or {}).get(card.id) or (own or {}).get(card.model)
    if row is not None:
        return written(row)
    if card.endpoint is None:
        return None
    provider = card.endpoint.provider
    return price_at(provider.id, card.endpoint.model, provider.price, card.endpoint.base_url)


def price_at(provider: str, model: str, listed_as: str | None = None, base_url: str | None = None) -> Price | None:
    """The price of a model there: `provider` as providers.toml calls it, `listed_as` as genai-prices does; without that
    the address tells. None where nobody knows.
    """
    own = _shipped().get(provider, {}).get(model.partition(":")[0])
    if own is not None:
        return own
    if listed_as == LOCAL_PRICE or not (listed_as or base_url):
        return None
    from genai_prices.data_snapshot import get_snapshot

    try:
        found, info = get_snapshot().find_provider_model(model, None, listed_as, None if listed_as else base_url)
    except LookupError:
        return None
    return _listed(found, info, model)


def hardware() -> dict[str, Decimal]:
    """The price of a second of Replicate's machines by their names, in US dollars."""
    return dict(_toml()["replicate"]["hardware"])


def price_table() -> list[dict[str, Any]]:
    """The groups of models that the table shows: provider, models, licence, open, window."""
    return list(_toml()["table"])


@cache
def _toml() -> dict[str, Any]:
    text = files("engine.compare").joinpath("prices.toml").read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


@cache
def _shipped() -> dict[str, dict[str, Price]]:
    return {
        provider: {model: _of_toml(table, row) for model, row in table.get("models", {}).items()}
        for provider, table in _toml().items()
        if provider != "table"
    }


def _of_toml(table: Mapping[str, Any], row: Mapping[str, Any]) -> Price:
    source, as_of = row.get("source", table["source"]), row.get("as_of", table["as_of"])
    return replace(_amounts(row), source=source, as_of=as_of, window=row.get("window"))


def _amounts(row: Mapping[str, Any]) -> Price:
    amounts: dict[str, Any] = {_FIELDS[name]: Decimal(row[name]) for name in _NUMBERS if name in row}
    return replace(Price(kind="own table"), **amounts)


def _listed(provider: types.Provider, info: types.ModelInfo, model: str) -> Price | None:
    found = info.get_prices(datetime.now(UTC)).__dict__
    rates = {key: value for key, value in found.items() if value is not None}
    if not {"input_mtok", "output_mtok"} <= rates.keys() or _UNCOUNTED & rates.keys():
        if rates or not model.endswith(":free"):
            return None
        rates = {"input_mtok": Decimal(0), "output_mtok": Decimal(0)}
    per_thousand = rates.get("requests_kcount")
    address = (provider.pricing_urls or [""])[0]
    return Price(
        input_per_million=_base(rates["input_mtok"]),
        output_per_million=_base(rates["output_mtok"]),
        cached_per_million=_base(rates.get("cache_read_mtok", rates["input_mtok"])),
        per_request=per_thousand / 1000 if isinstance(per_thousand, Decimal) else None,
        source=f"genai-prices {version('genai-prices')}, {address}".removesuffix(", "),
        as_of=LISTED_AS_OF,
        tiers=tuple(_tiers(rates)),
        reasoning_apart=provider.id in _REASONING_APART,
        window=info.context_window,
    )


def _base(rate: Any) -> Decimal:
    return rate if isinstance(rate, Decimal) else Decimal(rate.base)


def _tiers(rates: Mapping[str, Any]) -> list[Tier]:
    names = ("input_mtok", "output_mtok", "cache_read_mtok")
    read, written = rates["input_mtok"], rates["output_mtok"]
    told = (read, written, rates.get("cache_read_mtok", read))
    starts = {
        step.start
        for name in names
        if not isinstance(rates.get(name, Decimal(0)), Decimal)
        for step in rates[name].tiers
    }
    return [Tier(start, *(_above(rate, start) for rate in told)) for start in sorted(starts)]


def _above(rate: Any, start: int) -> Decimal:
    """What more than `start` tokens pay."""
    if isinstance(rate, Decimal):
        return rate
    return Decimal(next((step.price for step in reversed(rate.tiers) if step.start <= start), rate.base))


def written(row: Mapping[str, str]) -> Price:
    """The price that a row of the teacher's table says."""
    price = replace(_amounts(row), currency=row.get("currency", "USD"), as_of=row.get("date", ""))
    if "hardware" not in row:
        return price
    return replace(price, per_second=hardware()[row["hardware"]], source=f"replicate.com/pricing, {row['hardware']}")


def _model_id(model: str) -> str:
    name = model.strip()
    if not name or len(name) > 200:
        raise BadInput("a price is of a model, named by its id", what="model")
    return name


def _cleaned(model: str, row: Mapping[str, Any]) -> dict[str, str]:
    told = {str(name): str(value).strip() for name, value in row.items() if str(value).strip() not in ("", "None")}
    unknown = told.keys() - {*_NUMBERS, "hardware", "currency", "date"}
    if unknown:
        raise BadInput(f"{model}: no field {', '.join(sorted(unknown))}", what="prices", fields=sorted(unknown))
    for name in _NUMBERS:
        if name in told:
            told[name] = _number(name, told[name])
    if "hardware" in told and told["hardware"] not in hardware():
        raise BadInput(f"{model}: no hardware {told['hardware']!r}", what="hardware", known=sorted(hardware()))
    if ("input" in told) != ("output" in told) or ("cached" in told and "input" not in told):
        raise BadInput(f"{model}: input and output are given together", what="prices", model=model)
    if not told.keys() & {*_NUMBERS, "hardware"}:
        raise BadInput(f"{model}: no price in it", what="prices", model=model)
    if "currency" in told:
        told["currency"] = _currency(told["currency"])
    return {name: value[:40] for name, value in told.items()}


def _number(name: str, value: Any) -> str:
    try:
        amount = Decimal(str(value).replace(",", "."))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= _HIGHEST:
        raise BadInput(f"{name}: {value!r} is not an amount of 0…{_HIGHEST}", what=name, value=str(value)[:40])
    return text_of(amount) or "0"


def _currency(value: str) -> str:
    code = value.strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise BadInput(f"a currency has three letters, such as EUR, not {value[:20]!r}", what="currency")
    return code
