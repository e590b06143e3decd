"""Reports as files: nothing in them can act, nothing in them is a key, and the numbers are there."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from engine import Engine, Params, Settings
from engine.compare import Comparison, ComparisonReport, Side, csv_of, html_of, json_of, markdown_of
from engine.compare.export import COLUMNS, figures

HOSTILE = [
    "=cmd|' /C calc'!A1",
    '<script>alert(1)</script><img src=x onerror="alert(2)">',
    "```\n# out of the fence\n````",
    "  +1+1|2\n| a | b |",
]


def side(text: str, **more: Any) -> dict[str, Any]:
    stats = {"timeToFirstTokenSec": 0.25, "tokensPerSecond": 40.0, "wallTimeSec": 1.5, "totalTimeSec": 1.25,
             "source": "server"}  # fmt: skip
    usage = {"prompt_tokens": 10, "completion_tokens": 50, "cached_tokens": None}
    cost = {"total": "0.00125", "thousand": "1.25", "currency": "USD", "kind": "listed", "source": "list", "as_of": "x"}
    answer = {"text": text, "outcome": "stop", "stats": stats, "usage": usage, "cost": cost, "error": None, **more}
    return {"model": text, "name": text, "system": text, "params": {"temperature": 0.5}, "recorded": False,
            **answer, "turns": [{"question": text, **answer}]}  # fmt: skip


def report(*sides: dict[str, Any], question: str = "why?") -> ComparisonReport:
    return ComparisonReport(sides, (question,), "2026-11-22T06:00:00Z", {"cpu": "<b>Xeon</b>", "cores": 2})


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_the_csv_is_a_formula(text: str) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of(report(side(text))), newline="")))
    assert [tuple(row) for row in rows] == [COLUMNS]
    assert not [cell for cell in rows[0].values() if cell.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t")]
    assert rows[0]["text"].removeprefix("'") == text
    assert (rows[0]["first_token_s"], rows[0]["cost"], rows[0]["price_source"]) == ("0.25", "0.00125", "list")


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HOSTILE)
def test_the_page_has_no_script_and_asks_nobody(text: str) -> None:
    failed = side(text, error={"code": "stream_cut", "message": text})
    page = html_of(report(side(text), failed, question=text))
    tags = Tags(page).found
    assert not {"script", "img", "b", "link", "iframe"} & {tag for tag, _ in tags}
    assert not [name for _, attrs in tags for name in attrs if name in ("src", "href") or name.startswith("on")]
    assert "stream_cut" in page and "0.00125 USD" in page and "width:100.0%" in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_no_answer_leaves_its_fence(text: str) -> None:
    lines = markdown_of(report(side(text), side("ok"))).splitlines()
    fence, outside = None, []
    for line in lines:
        if fence is None and (opened := re.match("(`{3,})text$", line)):
            fence = opened[1]
        elif line == fence:
            fence = None
        elif fence is None:
            outside.append(line)
    assert fence is None
    assert not [line for line in outside if "# out" in line and not line.startswith(("#", "|"))]
    table = [line for line in outside if line.startswith("|")]
    assert len(table) == 4 and len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert not [line for line in outside if "<script" in line.replace("\\<", "")]


def test_unknown_is_said_and_never_a_zero() -> None:
    nothing = side("late", stats=None, usage=None, cost=None, outcome=None)
    local = side("here", cost={"total": None, "thousand": None, "kind": "local", "currency": "USD"})
    text = markdown_of(report(nothing, local), {"unknown": "inconnu", "decimal": ",", "local": "rien"})
    assert text.count("inconnu") >= 7 and "0,250" in text and "| rien | rien |" in text
    assert figures(nothing)["speed"] is None
    assert csv_of(report(nothing)).splitlines()[1].count(",,") > 3


def test_recorded_sides_are_labelled_everywhere() -> None:
    told = report({**side("x"), "recorded": True})
    assert "recorded earlier" in html_of(told) and "recorded earlier" in markdown_of(told)
    assert next(csv.DictReader(io.StringIO(csv_of(told))))["recorded"] == "yes"


def test_a_real_comparison_goes_out_in_all_four() -> None:
    engine = Engine(Settings())
    comparison = Comparison(engine, [Side("echo"), Side("echo", Params(max_tokens=1), "Be brief.")])
    for question in ("un deux", "trois quatre"):
        comparison.ask(question)
        assert comparison.wait(240)
    told = comparison.report()
    engine.close()
    assert json.loads(json_of(told)) == told.to_dict()
    assert len(list(csv.reader(io.StringIO(csv_of(told))))) == 5
    assert markdown_of(told).count("### echo") == 4 and html_of(told).count("<h3>echo</h3>") == 4
