"""What Streamlit leaves to us around its pages: the document's language, the left column on a phone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.tabs import FACES, StreamlitTab
from tests.standins.app_server import AppServer, wait_for

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("face", "lang"), [("streamlit-fr", "fr"), ("streamlit-en", "en")])
def test_the_document_says_its_language(face: str, lang: str, chromium: Any, app: AppServer) -> None:
    tab = FACES[face](chromium, app.address).open(model="echo")
    assert wait_for(lambda: tab.page.evaluate("document.documentElement.lang") == lang)
    tab.close()
    assert tab.complaints == []


def test_on_a_phone_a_chosen_section_is_not_covered(chromium: Any, app: AppServer) -> None:
    tab = StreamlitTab(chromium, app.address, width=390, height=844).open(model="echo")
    page = tab.page
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name=tab.words.t("section.models")).click()
    page.get_by_text(tab.words.t("question.models")).wait_for()
    page.get_by_test_id("stExpandSidebarButton").wait_for()  # which is there only while the column is closed
    tab.close()
    assert tab.complaints == []
