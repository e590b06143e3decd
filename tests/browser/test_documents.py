"""A French PDF by hand in a real Chromium: dropped, read, asked; a click on the citation shows its page highlighted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

import pytest

from engine.engine import Engine
from engine.person import LOCAL
from engine.rag.indexing import fill
from engine.settings import Settings
from tests.browser.tabs import StreamlitTab
from tests.documents.files import pdf
from tests.patience import JOB_S
from tests.standins.app_server import AppServer, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

PAGES = ("Le marché de Valbrune ouvre le mardi et le samedi matin.", "La piscine est fermée pour travaux en février.")
QUESTION = "Quand la piscine est-elle fermée ?"


class DocumentsTab(StreamlitTab):
    """Streamlit's page of documents."""

    conversation: ClassVar[str] = ".stMainBlockContainer"
    box: ClassVar[str] = ".st-key-documents-box-question input"
    drop: ClassVar[str] = "[class*=st-key-documents-drop] input[type=file]"  # the chat, which goes, has one too

    def ready(self) -> None:
        """Go there from the first page, once that is drawn to its end."""
        self.page.get_by_test_id("stChatInputTextArea").wait_for()
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        links = self.page.get_by_test_id("stSidebarNav")
        links.get_by_text(self.words.t("section.documents"), exact=True).click()
        self.page.locator(self.drop).wait_for(state="attached")


@pytest.fixture
def documents_tab(chromium: Any, app: AppServer) -> Iterator[DocumentsTab]:
    opened = DocumentsTab(chromium, app.address)
    yield opened
    opened.close()
    assert opened.hosts <= {f"127.0.0.1:{app.port}"}
    assert opened.complaints == []


def read_beside(app: AppServer) -> None:
    """Read what was dropped here too: the job gives way to everybody, and a full machine would not come to it."""
    with closing(Engine(Settings(home=app.home, model="echo", threads=1))) as engine:
        store = engine.collections
        assert wait_for(lambda: any(one.files for one in store.list(LOCAL.id)), JOB_S)
        (collection,) = store.list(LOCAL.id)
        for _ in fill(engine, collection):
            pass


def test_a_citation_opens_the_highlighted_page_of_the_pdf(documents_tab: DocumentsTab, app: AppServer) -> None:
    """The echo repeats its prompt: it cites [1] whatever a small model would have said."""
    page, words = documents_tab.open(model="echo").page, documents_tab.words
    dropped = {"name": "valbrune.pdf", "mimeType": "application/pdf", "buffer": pdf(*PAGES)}
    page.locator(documents_tab.drop).set_input_files([dropped])
    read_beside(app)
    page.locator(f"{documents_tab.box}:enabled").wait_for()
    documents_tab.say(QUESTION)
    page.get_by_role("button", name=words.t("documents_ask.trace")).wait_for()
    documents_tab.until(lambda text: f"{QUESTION}\n" in text and "[1]." in text)
    first = page.locator(".open-passage").first
    assert first.inner_text() == "[1] valbrune.pdf, p. 2"
    page.locator('a[href="#passage-1"]').first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(words.t("documents_open.marked", page=2)).wait_for()
    picture = dialog.get_by_role("img")
    assert wait_for(lambda: picture.evaluate("picture => picture.naturalWidth") > 500)
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    first.click()  # the passage itself opens the same
    dialog.get_by_text(words.t("documents_open.marked", page=2)).wait_for()
