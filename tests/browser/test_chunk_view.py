"""Chunks and passages in a real Chromium, without a framework: what shows, keyboard, hostile words, light and dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from apps.ui import chunks, passages
from apps.ui.i18n import words
from tests.browser.tabs import PATIENCE_MS
from tests.standins import passages as standin

pytestmark = pytest.mark.browser

FR = words("fr")
PAGE = """<!doctype html><meta charset="utf-8"><title>plain</title><body><div id="a"></div><div id="b"></div>"""
MOUNT = """
const mount = (id, style, draw) => {
  const shadow = document.getElementById(id).attachShadow({ mode: "open" });
  const look = document.createElement("style");
  look.textContent = style;
  const root = document.createElement("div");
  root.className = "strips";
  shadow.append(look, root);
  draw(root);
  window[id] = { root, draw };
};
"""


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.set_content(PAGE)
    data = {
        "chunks": chunks.chunk_data(standin.TEXT, standin.chunks(), FR),
        "other": chunks.chunk_data(standin.TEXT, standin.chunks()[:1], FR),
        "passages": passages.passage_data(standin.sources(), FR),
    }
    opened.evaluate(f"window.data = {json.dumps(data)}")
    for at, (kit, name) in enumerate(((chunks, "chunkView"), (passages, "passageView"))):
        draw = f"(root) => {name}(root, data.{kit.__name__.rpartition('.')[2]}, (told) => (window.told = told))"
        script = f"{kit.script()}{MOUNT}mount('{'ab'[at]}', {json.dumps(kit.style())}, {draw}); window.{name} = {name};"
        opened.evaluate(f"() => {{ {script} }}")
    yield opened
    assert opened.title() == "plain" and opened.locator(".strips img, .strips script, .strips a").count() == 0
    context.close()
    assert complaints == []


def test_chunks_and_overlaps_are_told_apart(page: Any) -> None:
    looks = page.locator(".document .piece").evaluate_all("all => all.map((one) => one.className)")
    assert looks == ["piece colour-0", "piece outside", "piece colour-1", "piece overlap under-1", "piece colour-2"]
    assert page.locator(".chunk-number").all_inner_texts() == ["1", "2", "3"]
    grounds = page.locator(".document .piece").evaluate_all("all => all.map((one) => getComputedStyle(one).background)")
    assert len(set(grounds)) == len(grounds)
    assert "<img src=x" in page.locator(".document").inner_text()


def test_arrows_go_from_chunk_to_chunk(page: Any) -> None:
    page.locator(".document .piece").first.focus()
    page.keyboard.press("ArrowRight")
    assert "morceau 2" in page.locator(".detail").inner_text()
    page.keyboard.press("ArrowRight")
    assert "2, 3" in page.locator(".detail").inner_text()


def test_other_chunks_recolour_the_same_text(page: Any) -> None:
    page.evaluate("chunkView(a.root, data.other)")
    assert page.locator(".chunk-number").all_inner_texts() == ["1"]
    assert page.locator(".document .piece").count() == 2
    page.evaluate("chunkView(a.root, data.chunks)")
    assert page.locator(".document .piece").count() == 5


def test_a_passage_tells_its_scores_and_opens(page: Any) -> None:
    card = page.locator(".passage").nth(1)
    assert "[2] été.pdf, p. 2" in card.inner_text() and "⚠" in card.inner_text()
    assert card.locator(".scores tr").count() == 2
    card.locator("button").click()
    assert page.evaluate("window.told") == {"opened": 1}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
