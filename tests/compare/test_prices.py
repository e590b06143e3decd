"""Prices and costs: hand-computed amounts, the lists they come from, the teacher's table, electricity."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog import ECHO, Endpoint, ModelCard
from engine.compare.money import LOCAL, Cost, Electricity, Price, classroom, cost_of, total_of
from engine.compare.prices import LISTED_AS_OF, Prices, is_local, price_at, price_of, unbilled
from engine.errors import BadInput, ServerFailed
from engine.providers import provider, providers, typed_in
from engine.store import Store
from engine.types import Stats, Usage
from engine.values import Values


@pytest.fixture
def prices(tmp_path: Path) -> Iterator[Prices]:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    yield Prices(Values(store))
    store.close()


def remote(row: str, model: str) -> ModelCard:
    known = provider(row)
    base_url = known.base_url.replace("{AZURE_OPENAI_RESOURCE}", "lab").replace("{GOOGLE_CLOUD_PROJECT}", "lab")
    endpoint = Endpoint(known, base_url.replace("{DASHSCOPE_WORKSPACE}", "lab"), model)
    return ModelCard(f"{row}/{model}", model, "openai_compat", endpoint=endpoint)


# prompt, of which cached, answer, of which thinking apart; each amount worked out by hand from the list price beside it
HAND = [
    ("openai", "gpt-4o-mini", 1000, 0, 500, "0.00045"),  # 1000×0.15 + 500×0.60
    ("openai", "gpt-4o-mini", 1000, 400, 500, "0.00042"),  # 600×0.15 + 400×0.075 + 500×0.60
    ("openai", "gpt-5", 2000, 1024, 300, "0.004348"),  # 976×1.25 + 1024×0.125 + 300×10
    ("azure", "gpt-4o-mini", 1000, 400, 500, "0.00042"),  # as OpenAI's
    ("anthropic", "claude-haiku-4-5", 10_000, 8000, 1000, "0.0078"),  # 2000×1 + 8000×0.1 + 1000×5
    ("anthropic", "claude-sonnet-4-5", 300_000, 0, 1000, "1.8225"),  # above 200,000: 300000×6 + 1000×22.5
    ("mistral", "mistral-small-latest", 1000, 600, 1000, "0.000669"),  # 400×0.15 + 600×0.015 + 1000×0.6
    ("google", "gemini-2.5-flash", 4000, 1000, 200, "0.00143"),  # 3000×0.3 + 1000×0.03 + 200×2.5
    ("google", "gemini-2.5-pro", 200_001, 0, 10, "0.5001525"),  # one above the cliff: 200001×2.5 + 10×15
    ("xai", "grok-4", 1000, 200, 100, "0.00405"),  # 800×3 + 200×0.75 + 100×15
    (
        "groq",
        "llama-3.3-70b-versatile",
        1000,
        500,
        1000,
        "0.00138",
    ),  # no price of its own for the cache: 1000×0.59 + 1000×0.79
    ("groq", "openai/gpt-oss-20b", 1000, 500, 1000, "0.00035625"),  # 500×0.075 + 500×0.0375 + 1000×0.3
    ("perplexity", "sonar", 1000, 0, 500, "0.0135"),  # 1000×1 + 500×1, and 0.012 for the request
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 500, 0, 500, "0.00088"),  # 1000×0.88
    ("alibaba", "qwen-plus", 1000, 500, 1000, "0.00148"),  # 500×0.4 + 500×0.16 + 1000×1.2
]


@pytest.mark.parametrize(("row", "model", "prompt", "cached", "answer", "expected"), HAND)
def test_a_call_costs_what_a_person_computes(
    row: str, model: str, prompt: int, cached: int, answer: int, expected: str
) -> None:
    cost = cost_of(price_of(remote(row, model)), Usage(prompt, answer, cached))
    assert cost.total == Decimal(expected)
    assert cost.thousand == Decimal(expected) * 1000
    assert cost.currency == "USD" and cost.source and cost.as_of
    assert cost.kind == ("own table" if row == "alibaba" else "listed")


def test_replicate_is_billed_by_the_token_or_by_the_second(prices: Prices) -> None:
    by_token = price_at("replicate", "meta/meta-llama-3-8b-instruct")
    assert cost_of(by_token, Usage(1000, 1000)).total == Decimal("0.0003")
    assert price_at("replicate", "somebody/something") is None
    card = ModelCard(
        "replicate/somebody/something",
        "s",
        "openai_compat",
        endpoint=Endpoint(typed_in("https://x.y"), "https://x.y", "s"),
    )
    assert prices.price(card) is None
    prices.keep({card.id: {"hardware": "gpu-t4"}})
    assert prices.cost(card, Usage(), Stats(), seconds=12.5).total == Decimal("0.0028125")
    assert prices.cost(card, Usage(10, 10), Stats()).kind == "unknown"
    assert prices.cost(card, Usage(), Stats(), seconds=9.0, unbilled=True).total == 0
    assert prices.cost(card, Usage(), Stats(), seconds=9.0, unbilled=None).kind == "unknown"


def test_a_failed_run_is_free_only_where_it_is_known_to_be() -> None:
    failed = ServerFailed("no", status=None, reason="prediction_failed")
    official = ServerFailed("no", status=None, reason="prediction_failed", official=True)
    listed, other = remote("replicate", "meta/meta-llama-3-8b-instruct"), remote("replicate", "me/mine")
    assert unbilled(listed, failed) is True and unbilled(other, failed) is None and unbilled(other, official) is True
    assert unbilled(other, None) is False and unbilled(other, ServerFailed("no", status=500)) is False


def test_a_price_by_picture_says_nothing_of_a_text() -> None:
    price = Price(per_image=Decimal("0.003"))
    assert cost_of(price, Usage(10, 10)).kind == "unknown" and cost_of(price, Usage(10, 10)).total is None
    assert classroom(price, 30, 40, 500, 300) is None
    assert cost_of(price, Usage(), images=4).total == Decimal("0.012") and cost_of(price, Usage(), images=0).total == 0
    both = Price(Decimal(1), Decimal(1), per_image=Decimal("0.003"))
    assert cost_of(both, Usage(500_000, 500_000)).total == 1


def test_thinking_that_the_server_counts_apart_is_billed() -> None:
    price = price_at("xai", "grok-4", "x-ai")
    assert cost_of(price, Usage(0, 10, 0, 90)).total == Decimal("0.0015")
    assert cost_of(price_at("openai", "gpt-5", "openai"), Usage(0, 100, 0, 90)).total == Decimal("0.001")


def test_unknown_is_never_zero() -> None:
    assert price_of(remote("openai", "a-model-of-next-year")) is None
    assert cost_of(None, Usage(10, 10)) == Cost()
    assert cost_of(price_at("openai", "gpt-5", "openai"), Usage(10, None)).total is None
    assert price_of(remote("glama", "anything")) is None
    assert (
        price_at("perplexity", "sonar-deep-research", "perplexity") is None
    )  # citations are billed, and nobody counts them
    assert price_at("google", "gemma-3", "google") is None
    free = price_at("openrouter", "mistralai/mistral-small-3.2-24b-instruct:free", "openrouter")
    assert free is None or free.input_per_million == 0


def test_the_address_alone_tells_a_typed_providers_prices() -> None:
    row = typed_in("https://api.deepseek.com/v1")
    card = ModelCard(
        "endpoint/deepseek-chat", "d", "openai_compat", endpoint=Endpoint(row, row.base_url, "deepseek-chat")
    )
    assert price_of(card) is not None
    other = typed_in("https://example.org/v1")
    assert (
        price_of(ModelCard("endpoint/x", "x", "openai_compat", endpoint=Endpoint(other, other.base_url, "gpt-5")))
        is None
    )


def test_every_row_that_names_a_list_is_in_it() -> None:
    from genai_prices.data_snapshot import get_snapshot

    listed = {one.id for one in get_snapshot().providers}
    assert {row.price for row in providers().values()} - {None, "local", "replicate"} <= listed


def test_the_date_of_the_list_belongs_to_the_version_that_is_installed() -> None:
    assert (version("genai-prices"), LISTED_AS_OF) == ("0.2.3", "2026-11"), "a newer list: say its month"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [("openai", "gpt-5"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro"), ("x-ai", "grok-4")]
    ),
    st.integers(0, 400_000),
    st.integers(0, 20_000),
    st.floats(0, 1),
)
def test_amounts_are_those_of_the_package_itself(
    which: tuple[str, str], prompt: int, answer: int, share: float
) -> None:
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    cached = int(prompt * share)
    provider_id, model = which
    price = price_at("", model, provider_id)
    assert price is not None
    counted = Counted(input_tokens=prompt, output_tokens=answer, cache_read_tokens=cached)
    theirs = calc_price(counted, model, provider_id=provider_id).total_price
    assert price.amount(prompt, answer, cached) == theirs
    most = price.at_most(prompt, answer)
    assert most is not None and most >= theirs


def test_a_bound_holds_for_every_smaller_call() -> None:
    price = price_at("google", "gemini-2.5-pro", "google")
    assert price is not None
    most = price.at_most(250_000, 100)
    for prompt in range(0, 250_001, 12_500):
        amount = price.amount(prompt, 100)
        assert amount is not None and most is not None and amount <= most


def test_models_in_the_room_cost_what_the_teacher_assumes(prices: Prices) -> None:
    stats = Stats(wall_time=36.0)
    assert is_local(ECHO) and prices.cost(ECHO, Usage(1, 1), stats) == LOCAL
    prices.assume(Electricity(Decimal(100), Decimal("0.25")))
    cost = prices.cost(ECHO, Usage(1, 1), stats)
    assert (
        cost.total == Decimal("0.00025") and cost.currency == "EUR" and cost.kind == "electricity"
    )  # 100 W × 36 s = 1 Wh
    assert cost.source == "100 W, 0.25 EUR/kWh"
    lm_studio = remote("lmstudio", "any")
    assert prices.cost(lm_studio, Usage(1, 1), stats) == cost
    prices.assume(None)
    assert prices.electricity() is None


def test_the_teachers_table_wins_and_is_checked(prices: Prices) -> None:
    card = remote("openai", "gpt-5")
    prices.keep(
        {"openai/gpt-5": {"input": "2", "output": "20,5", "currency": "eur", "date": "2026-11-22", "cached": ""}}
    )
    price = prices.price(card)
    assert price == Price(Decimal(2), Decimal("20.5"), currency="EUR", as_of="2026-11-22", kind="own table")
    bad: list[dict[str, str]] = [
        {"input": "2"},
        {"input": "-1", "output": "1"},
        {"input": "nan", "output": "1"},
        {},
        {"hardware": "abacus"},
        {"second": "1e99"},
        {"colour": "red"},
        {"request": "1", "currency": "euros"},
    ]
    for row in bad:
        with pytest.raises(BadInput):
            prices.keep({"openai/gpt-5": row})
    assert prices.price(card) == price
    prices.keep({})
    listed = prices.price(card)
    assert listed is not None and listed.kind == "listed"


def test_a_class_and_a_sum() -> None:
    price = Price(Decimal("0.15"), Decimal("0.6"))
    assert classroom(price, 30, 40, 500, 300) == Decimal("0.306")  # 1200 × (500×0.15 + 300×0.6) / 1,000,000
    assert classroom(Price(per_second=Decimal(1)), 30, 40, 500, 300) is None
    a, b = Cost(Decimal(1)), Cost(Decimal(2))
    assert total_of([a, b, LOCAL]) == 3
    assert total_of([a, Cost()]) is None
    assert total_of([a, Cost(Decimal(1), "EUR")]) is None
    assert Cost(Decimal("0.000001200")).to_dict()["total"] == "0.0000012"
