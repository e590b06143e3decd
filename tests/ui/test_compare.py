"""Side by side in words: columns in an address, the same four numbers for all on one scale, no HTML of others."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from apps.ui import compare, compare_figures
from apps.ui.compare import Setting
from apps.ui.i18n import words
from engine.catalog import ECHO
from engine.compare.money import LOCAL, Cost
from engine.compare.side import Side, SideView
from engine.params import Params
from engine.types import Result, Stats, Usage

EN, FR = words("en"), words("fr")
TWO = (Setting("echo", {"temperature": 0.5, "seed": 3}), Setting("mistral/a b;c|d", {"top_k": 7}, "my own words"))


def view(first: float, speed: float | None, total: float, cost: Cost | None, **more: Any) -> SideView:
    stats = Stats(tokens_per_second=speed, time_to_first_token=first, wall_time=total, source="server")
    result = Result("text", "stop", Usage(12, 34, more.pop("cached", 0)), stats, "echo")
    return SideView(Side("echo"), status="done", result=result, cost=cost, ttft=first)


def test_an_address_says_models_and_numbers_and_no_text() -> None:
    said = compare.to_address(TWO)
    assert "words" not in said and "own" not in said
    assert compare.from_address(said) == (TWO[0], Setting("mistral/a b;c|d", {"top_k": 7}))
    assert "stop" not in compare.to_address((Setting("echo", {"stop": ("mine",)}),))


@pytest.mark.parametrize(
    "text",
    ["", "echo", "|".join(["echo"] * 7), "echo|echo;temperature=hot", "echo|echo;nonsense=1", "echo|echo;seed",
     "echo|" + "x" * 201, "echo|a%00b", "echo|echo;stop=text"],
)  # fmt: skip
def test_an_address_that_says_no_columns(text: str) -> None:
    if text.endswith("stop=text"):
        assert compare.from_address(text)[1].own == {}
        return
    with pytest.raises(ValueError):
        compare.from_address(text)


def test_what_a_column_asks() -> None:
    moved = Params({"temperature": 0.1, "max_tokens": 9})
    asked = compare.side(Setting("echo", {"temperature": 1.0}, "  "), moved)
    assert asked == Side("echo", Params({"temperature": 1.0, "max_tokens": 9}), None)
    assert asked.params.given == {"temperature", "max_tokens"}  # the rest is left to each model's configuration
    assert compare.side(TWO[1], moved).system == "my own words"
    assert compare.told(TWO[0], EN) == "Temperature 0.5 · Seed 3"
    assert compare.told(TWO[1], FR).endswith("avec consigne")


def test_columns_are_added_and_removed_within_bounds() -> None:
    many = TWO
    for _ in range(9):
        many = compare.added(many)
    assert len(many) == 6 and many[-1] == TWO[1]
    for _ in range(9):
        many = compare.removed(many, 0)
    assert many == (TWO[1], TWO[1])
    assert compare.changed(TWO, 1, model="echo")[1].system == "my own words"


def test_the_columns_to_begin_with() -> None:
    other = SimpleNamespace(id="a", problem=None, name="A")
    broken = SimpleNamespace(id="b", problem="cut", name="B")
    cards: Any = (ECHO, broken, other)
    assert [one.model for one in compare.start("echo", cards)] == ["echo", "a"]
    assert [one.model for one in compare.start("a", cards)] == ["a", "echo"]
    assert [one.model for one in compare.start("echo", (ECHO,))] == ["echo", "echo"]
    recorded = [f"recorded/{number}" for number in range(5)]
    assert [one.model for one in compare.start("echo", cards, recorded)] == recorded[:3]
    assert compare.choices(cards, (Setting("mistral/x"),), {"recorded/0": "R"}) == {
        "echo": "Echo", "a": "A", "mistral/x": "mistral/x", "recorded/0": "R",
    }  # fmt: skip


@pytest.mark.parametrize("name", compare.EXAMPLES)
def test_examples_make_columns_and_a_question(name: str) -> None:
    settings, question = compare.example(name, FR, "echo", ["recorded/0", "recorded/1"])
    assert len(settings) == 2 and question and "’" not in question
    assert compare.examples(()) == compare.EXAMPLES[:2]
    assert compare.examples(["a", "b"]) == compare.EXAMPLES


def test_the_same_four_numbers_on_one_scale() -> None:
    listed = Cost(Decimal("0.00042"), "USD", "genai-prices 0.2.3", "2026-11", "listed")
    views = (view(0.5, 10, 4, listed), view(2, 40, 8, Cost(Decimal("0.00084"), "USD", "ours", "", "own table")))
    one, other = compare_figures.figures(views, EN)
    assert tuple(row.key for row in one) == tuple(row.key for row in other) == compare_figures.FIGURES
    assert [row.share for row in one] == [0.25, 0.25, 0.5, 0.5] and [row.share for row in other] == [1, 1, 1, 1]
    assert one[1].note == EN.t("compare.measured.server")
    assert one[3].value == "0.00042\u00a0USD" and one[3].note == "price: genai-prices 0.2.3, 2026-11"
    assert other[3].note == "price: ours, no date"
    assert "a thousand calls: 0.42\u00a0USD" in compare_figures.counted(views[0], EN)
    assert compare_figures.counted(view(1, 1, 1, None, cached=5), EN).startswith(
        "12 tokens read (5 of them already in memory), 34 written"
    )


def test_what_is_unknown_has_no_bar_and_is_never_nought() -> None:
    euros = Cost(Decimal(1), "EUR", "50 W", "", "electricity")
    views = (view(1, None, 1, Cost()), view(1, None, 1, LOCAL), SideView(Side("echo"), status="running"))
    unknown, local, running = compare_figures.figures(views, EN)
    assert (unknown[3].value, unknown[3].share) == ("unknown", None)
    assert (local[3].value, local[3].share) == ("nothing to pay", None)
    assert [row.value for row in running] == ["–", "–\u00a0tok/s", "–", "–"]
    apart = compare_figures.figures((view(1, 1, 1, euros), view(1, 1, 1, Cost(Decimal(2), "USD"))), EN)
    assert [side[3].share for side in apart] == [None, None] and apart[0][3].note == "assumed electricity: 50 W"
    assert compare_figures.figures((), EN) == ()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0.00042", "0,00042"), ("0", "0,00"), ("12.5", "12,50"), ("0.000000123456", "0,00000012"),
     ("1234.5", "1\u202f234,50")],
)  # fmt: skip
def test_money(amount: str, shown: str) -> None:
    assert compare_figures.money(Decimal(amount), "USD", FR) == f"{shown}\u00a0USD"


def test_html_holds_nothing_but_text() -> None:
    pieces: Any = [SimpleNamespace(kind=kind, text="<b>&") for kind in ("same", "removed", "added")]
    drawn = compare_figures.diff_html(pieces)
    assert "<b>" not in drawn and drawn.count("&lt;b&gt;&amp;") == 3 and "<del " in drawn and "<ins " in drawn
    bad = Cost(Decimal(1), "<i>", "<i>", "<i>", "listed")
    assert "<i>" not in compare_figures.figures_html(compare_figures.figures((view(1, 1, 1, bad),), EN)[0])
