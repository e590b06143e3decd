"""The rhyme as in the course sheet, by hand in a real Chromium, with the real model: its strip fills meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from tests.browser.tabs import Tab
from tests.standins.app_server import AppServer

pytestmark = [pytest.mark.browser, pytest.mark.model]


class RhymeTab(Tab):
    """Streamlit's page of the rhyme."""

    conversation: ClassVar[str] = ".stMainBlockContainer"
    box: ClassVar[str] = "input"

    def ready(self) -> None:
        """Go there from the first page."""
        links = self.page.get_by_test_id("stSidebarNav")
        links.get_by_text(self.words.t("section.comptine"), exact=True).click()
        self.page.locator(".st-key-comptine-open-rhyme").wait_for()


@pytest.fixture
def rhyme_tab(chromium: Any, app: AppServer) -> Iterator[RhymeTab]:
    opened = RhymeTab(chromium, app.address)
    yield opened
    opened.close()
    assert opened.hosts <= {f"127.0.0.1:{app.port}"}
    assert opened.complaints == []


def test_the_sheets_first_experiment_fills_the_strip_live_and_can_be_stopped(rhyme_tab: RhymeTab) -> None:
    page, words = rhyme_tab.open().page, rhyme_tab.words
    page.get_by_role("button", name=words.t("comptine.reading.as_written")).click()
    page.locator(".verse.exact").nth(1).wait_for()
    verses = page.locator(".verses").first.locator(".verse")
    assert verses.count() == 30 and page.locator(".verse.not_reached").count() > 0
    assert verses.first.get_attribute("title") == words.t(
        "comptine.cell.same", n="1", state=words.t("comptine.state.exact"), said="Marin"
    )
    assert verses.first.evaluate("cell => getComputedStyle(cell).backgroundColor") == "rgb(0, 158, 115)"
    page.get_by_role("button", name=words.t("comptine.stop")).click()
    page.get_by_text(words.t("comptine.verdict.stopped")).first.wait_for()
    assert page.locator(".verse.exact").count() >= 2
    rhyme_tab.until(lambda text: words.n("comptine.count", 69) in text)  # the step above still tells what was run
