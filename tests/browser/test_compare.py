"""Side by side in a real Chromium: four columns answer at once, each stops and is asked again by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from engine import Engine, Settings
from tests.browser.tabs import Tab
from tests.standins.app_server import AppServer
from tests.standins.lmstudio_server import LMStudioStandIn, lmstudio_standin

pytestmark = [pytest.mark.browser, pytest.mark.model]
ENDLESS = json.dumps({"answer": "one " + "and more " * 2000, "delay": 0.1})  # it cannot end before it is stopped
COLUMNS = "echo|lab/plain|echo|smollm2-135m-instruct;max_tokens=8"
SPOKEN = "Hello from the stand-in."


@pytest.fixture(scope="module")
def studio(app: AppServer) -> Iterator[LMStudioStandIn]:
    """An LM Studio that the running application knows as `lab`."""
    with lmstudio_standin() as server:
        beside = Engine(Settings(home=app.home))
        beside.endpoints.add({"id": "lab", "like": "lmstudio", "base_url": server.base_url})
        beside.close()
        yield server


class CompareTab(Tab):
    """Streamlit's page that compares."""

    conversation: ClassVar[str] = ".st-key-compare-columns"
    box: ClassVar[str] = "[data-testid=stChatInput] textarea"

    def ready(self) -> None:
        """Go there from the first page."""
        self.page.get_by_test_id("stSidebarNav").get_by_text(self.words.t("section.compare"), exact=True).click()
        self.page.get_by_text(self.words.t("compare.empty")).wait_for()
        self.still()

    def still(self) -> None:
        """Wait until nothing is being drawn."""
        self.page.locator(f"{self.box}:enabled").wait_for()
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")

    def button(self, key: str, letter: str = "") -> Any:
        """A button of the page by its words."""
        return self.page.get_by_role("button", name=self.words.t(f"compare.{key}", letter=letter), exact=True)

    def column(self, number: int) -> Any:
        """One column."""
        return self.page.locator(f"{self.conversation} [data-testid=stColumn]").nth(number)

    def texts(self) -> list[str]:
        """What each column says."""
        return [str(self.column(number).inner_text()) for number in range(self.columns.count())]

    @property
    def columns(self) -> Any:
        """All columns."""
        return self.page.locator(f"{self.conversation} [data-testid=stColumn]")


@pytest.fixture
def compare_tab(chromium: Any, app: AppServer, studio: LMStudioStandIn) -> Iterator[CompareTab]:
    opened = CompareTab(chromium, app.address)
    yield opened
    opened.close()
    assert opened.hosts <= {f"127.0.0.1:{app.port}"}
    # Opened at a page of its own, Streamlit's script first looks for its server below that page
    assert [line for line in opened.complaints if "404" not in line] == []


def test_four_columns_answer_at_once_and_stop_by_themselves(compare_tab: CompareTab) -> None:
    tab, words = compare_tab.open(), compare_tab.words
    tab.page.goto(f"{tab.page.url.partition('?')[0]}?sides={COLUMNS}")
    tab.still()
    assert tab.columns.count() == 4
    third = tab.page.get_by_role("combobox", name=words.t("compare.model", letter="C"))
    third.fill("replicate/meta/plain")
    third.press("Enter")
    tab.page.wait_for_url("**plain*plain**")
    tab.still()
    tab.say(ENDLESS)
    for letter in "BCD":  # each has ended, two on other machines, while the first still writes
        tab.button("regenerate", letter).wait_for()
    assert tab.button("stop", "A").is_visible()
    assert [SPOKEN in text for text in tab.texts()] == [False, True, True, False]
    tab.until(lambda text: "one and more" in text)
    tab.button("stop", "A").click()
    tab.button("regenerate", "A").wait_for()
    tab.still()
    shown = tab.texts()
    assert words.t("outcome.user_stopped") in shown[0] and "one and more" in shown[0]
    assert all(words.t(f"compare.figure.{name}") in text for text in shown for name in ("first", "total", "cost"))
    assert words.t("compare.unknown") in shown[2] and words.t("compare.no_bill") in shown[3]
    tab.button("regenerate", "C").click()
    tab.button("stop", "C").wait_for()
    assert tab.button("regenerate", "C").count() == 0
    tab.button("regenerate", "C").wait_for()
    assert SPOKEN in tab.texts()[2]
