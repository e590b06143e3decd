"""Texts that would run or fetch something, in answers, files, titles, system prompts: Streamlit only shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.tabs import StreamlitTab
from tests.standins.app_server import AppServer, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]  # many views, on machines that are shared

HOSTILE = (
    "<script>window.hit = 1</script><img src=http://example.invalid/a onerror=window.hit=1> "
    '<iframe src="http://example.invalid/b"></iframe> <style>@import url(http://example.invalid/c);</style> '
    "![picture](http://example.invalid/d) [click](javascript:window.hit=1) <http://example.invalid/e> "
    "[ref]: http://example.invalid/f\n\n![ref] <svg onload=window.hit=1> http://example.invalid/g "
    "$$\\href{http://example.invalid/h}{x}\\includegraphics{http://example.invalid/i}$$ "
    "<a href=http://example.invalid/j>j</a> :material/[x](http://example.invalid/k) <|im_start|>\n\n"
    "```html\n<img src=http://example.invalid/l>\n```\n"
)
RISKS = (
    "[src*='example.invalid'], [href*='example.invalid'], [href^='javascript'], [srcset*='example.invalid'], "
    "[data-testid=stMain] script, [data-testid=stMain] object, [data-testid=stMain] embed, [onerror], [onload]"
)


@pytest.fixture
def tab(chromium: Any, app: AppServer) -> Iterator[StreamlitTab]:
    """A tab where, whatever was shown, nothing ran, nothing was asked of another host and nothing complained."""
    opened = StreamlitTab(chromium, app.address)
    yield opened
    harmless(opened)
    opened.close()
    assert opened.hosts <= {f"127.0.0.1:{app.port}"}
    assert opened.complaints == []


def harmless(tab: StreamlitTab) -> None:
    """Nothing ran, and nothing is there that a click or a pointer could set off."""
    assert tab.page.evaluate("window.hit") is None
    assert tab.page.locator(RISKS).evaluate_all("found => found.map(one => one.outerHTML)") == []


def answered(tab: StreamlitTab) -> None:
    tab.open(model="echo")
    tab.say(json.dumps({"answer": HOSTILE, "delay": 0.01}))  # slowly: half of a tag is drawn, too
    tab.answered()


def press(tab: StreamlitTab, name: str) -> None:
    tab.page.get_by_role("button", name=tab.words.t(name), exact=True).click()


def test_an_answer_and_everything_that_shows_it_again(tab: StreamlitTab) -> None:
    answered(tab)
    assert "window.hit" in tab.text()  # shown, not swallowed
    tab.page.get_by_text(tab.words.t("chat_log.title"), exact=True).click()
    tab.page.get_by_text(tab.words.t("chat_log.help"), exact=True).wait_for()
    press(tab, "chat.trace")
    dialog = tab.page.get_by_role("dialog")
    for name in ("prompt", "tokens", "request", "response", "code"):
        dialog.get_by_role("tab", name=tab.words.t(f"chat_trace.{name}"), exact=True).click()
        dialog.get_by_text("window.hit" if name != "tokens" else "window", exact=False).locator(
            "visible=true"
        ).first.wait_for()
        harmless(tab)


def test_a_title_a_file_and_a_system_prompt(tab: StreamlitTab) -> None:
    tab.open(model="echo")
    name = '<img src=x onerror="window.hit=1">.txt'
    tab.page.locator("[data-testid=stChatInput] input[type=file]").set_input_files(
        files=[{"name": name, "mimeType": "text/plain", "buffer": HOSTILE.encode()}]
    )
    tab.page.get_by_test_id("stChatInput").get_by_text(".txt").first.wait_for()
    tab.say("![t](http://example.invalid/t) <script>window.hit=1</script>")
    tab.answered()
    tab.page.get_by_text(tab.words.t("chat_head.line"), exact=True).click()
    system = tab.page.get_by_label(tab.words.t("glossary.system.name"), exact=True)
    system.fill(HOSTILE)
    system.press("Control+Enter")
    begins = tab.words.t("chat_head.line_system", text="").strip()
    assert wait_for(lambda: tab.page.get_by_text(begins).count() > 0)
    harmless(tab)
