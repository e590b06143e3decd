"""The verbs `prices` and `arena`, and the table of prices."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.compare import price_table
from engine.compare.price_table import Class
from engine.providers import providers

COURSE = {"alibaba", "anthropic", "azure", "google", "groq", "mistral", "openai", "xai", "replicate", "perplexity",
          "vertex", "glama"}  # fmt: skip


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def run(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_the_table_has_every_provider_of_the_course() -> None:
    rows = price_table.table()
    assert {row.provider for row in rows} >= COURSE
    assert {row.id for row in rows if row.price is None} == {"glama/gpt-4o-mini"}
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert row.provider in {*providers(), "replicate"} and row.licence
        assert row.open_weights == (row.licence != "closed")
        if row.price is not None:
            assert row.price.source and row.price.as_of and row.price.by_tokens


def test_prices_are_told_with_what_a_class_costs(told: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["id"]: row for row in told("prices")["prices"]}
    assert rows["openai/gpt-4o-mini"]["class"] == "0.306"  # 30 × 40 × (500×0.15 + 300×0.6) / 1,000,000
    assert rows["glama/gpt-4o-mini"]["price"] is None and rows["glama/gpt-4o-mini"]["class"] is None
    (one,) = told("prices", "--model", "groq/openai/gpt-oss-120b", "--students", "1", "--questions", "1")["prices"]
    assert one["price"]["kind"] == "listed" and one["licence"] is None
    assert told("prices", "--model", "echo")["prices"][0]["price"] is None
    assert main(["prices"]) == 0
    text = capsys.readouterr().out
    assert "open, Apache-2.0" in text and "0.306 USD" in text and "genai-prices 0.2.3" in text
    for wrong in ("--students -1", "show x", "set", "remove x", "set a/b input", "electricity x y", "electricity 1"):
        assert main(["prices", *wrong.split()]) == 2, wrong


def test_the_own_table_and_the_electricity_are_kept(told: Callable[..., Any]) -> None:
    kept = told("prices", "set", "openai/gpt-5", "input=1", "output=2", "currency=eur", "date=2026-11-22")
    assert kept == {"own": {"openai/gpt-5": {"input": "1", "output": "2", "currency": "EUR", "date": "2026-11-22"}}}
    told("prices", "set", "replicate/me/mine", "hardware=gpu-t4")
    rows = {row["id"]: row for row in told("prices")["prices"]}
    assert rows["openai/gpt-5"]["own"] and rows["openai/gpt-5"]["price"]["currency"] == "EUR"
    assert rows["replicate/me/mine"]["price"]["per_second"] == "0.000225"
    assert rows["replicate/me/mine"]["class"] is None
    told("prices", "remove", "openai/gpt-5")
    assert told("prices", "electricity", "65", "0,25") == {
        "electricity": {"watts": "65", "tariff_per_kwh": "0.25", "currency": "EUR"}
    }
    assert told("prices", "electricity", "off") == {"electricity": None}


def test_a_class_of_nobody_costs_nothing() -> None:
    price = price_table.row("openai/gpt-4o-mini").price
    assert Class(0).cost(price) == "0" and Class().cost(None) is None


def test_votes_go_in_and_out(told: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told("arena")["standings"] == []
    file = tmp_path / "votes.jsonl"
    rows = [{"tstamp": n, "model_a": "ant", "model_b": "bee", "winner": ("model_a", "tie", "model_b")[n % 3],
             "conversation_a": [{"role": "user", "content": "secret?"}, {"role": "assistant", "content": "x"}]}
            for n in range(9)]  # fmt: skip
    file.write_text("\n".join(map(json.dumps, rows)))
    assert told("arena", "import", str(file)) == {"read": 9, "new": 9}
    assert told("arena", "import", str(file)) == {"read": 9, "new": 0}
    board = told("arena", "board")
    assert board["votes"] == 9 and {one["model"] for one in board["standings"]} == {"ant", "bee"}
    assert main(["arena"]) == 0 and "9 votes count, 0 do not" in capsys.readouterr().out
    assert main(["arena", "export"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9 and "secret" not in lines[0] and json.loads(lines[0])["type"] == "leftvote"
    assert main(["arena", "export", "--texts"]) == 0 and "secret?" in capsys.readouterr().out
    assert told("arena", "models", "echo", "smollm2-135m-instruct")["models"] == ["echo", "smollm2-135m-instruct"]
    assert told("arena", "clear") == {"deleted": 9}
    for wrong in (
        ["arena", "import"],
        ["arena", "import", "/no/such"],
        ["arena", "board", "x"],
        ["arena", "models", "x"],
    ):
        assert main(wrong) == 2, wrong
