"""A model file dropped on the page of models in a real Chromium goes through our own route, into the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.browser.tabs import StreamlitTab
from tests.models.gguf_files import gguf
from tests.standins.app_server import AppServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

NAME = "dropped by hand.gguf"


class ModelsTab(StreamlitTab):
    """Streamlit's page of models."""

    conversation: ClassVar[str] = ".stMainBlockContainer"

    def ready(self) -> None:
        """Go there from the first page, once that is drawn to its end."""
        self.page.get_by_test_id("stChatInputTextArea").wait_for()
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        links = self.page.get_by_test_id("stSidebarNav")
        links.get_by_text(self.words.t("section.models"), exact=True).click()
        self.page.get_by_text(self.words.t("question.models")).wait_for()


@pytest.fixture
def models_tab(chromium: Any, app: AppServer) -> Iterator[ModelsTab]:
    opened = ModelsTab(chromium, app.address)
    yield opened
    opened.close()
    (app.home / "models" / NAME).unlink(missing_ok=True)
    assert opened.hosts <= {f"127.0.0.1:{app.port}"}
    assert opened.complaints == []


def test_a_dropped_file_goes_straight_to_disk_and_is_in_the_table(
    models_tab: ModelsTab, app: AppServer, tmp_path: Path
) -> None:
    brought = tmp_path / NAME
    brought.write_bytes(gguf())
    page, t = models_tab.open().page, models_tab.words.t
    page.get_by_role("tab", name=t("models_tab.add"), exact=True).click()
    page.get_by_role("radio", name=t("models_add.import"), exact=True).click()
    page.get_by_text(t("models_import.drop"), exact=True).wait_for()
    page.locator(".drop input[type=file]").set_input_files(brought)
    page.get_by_test_id("stAlert").get_by_text(t("models_import.done", name=NAME)).wait_for()
    assert (app.home / "models" / NAME).read_bytes() == gguf()
    page.get_by_role("button", name=t("models_picture.registry_goes")).click()
    page.get_by_role("cell", name=t("models_from.own")).first.wait_for()
