"""One browser tab per interface, with the same verbs: open, say, read, stop. Knows no test."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import TimeoutError as Late

from apps.ui.i18n import Language, Words, words
from engine.types import OUTCOMES
from tests.standins.app_server import wait_for

PATIENCE_MS = 240_000  # test machines are slow, and shared
LOOK_MS = 5000  # for what may be gone by itself


class Tab:
    """A tab of its own person; `hosts` holds every host that it asked, `complaints` every error of its console."""

    path: ClassVar[str] = "/"
    lang: ClassVar[Language] = "fr"
    conversation: ClassVar[str]
    box: ClassVar[str]

    def __init__(self, browser: Any, address: str, width: int = 1280, height: int = 720) -> None:
        self.address = address
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        locale = {"fr": "fr-FR", "en": "en-US"}[self.lang]
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda socket: self._asked(socket.url))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme not in {"data", "blob"}:
            self.hosts.add(urlsplit(url).netloc)

    @property
    def words(self) -> Words:
        """The texts that the page must show."""
        return words(self.lang)

    def open(self, **query: str) -> Tab:
        """Open the chat, as far as its input and its model's state."""
        self.page.goto(self.address + self.path + (f"?{urlencode(query)}" if query else ""))
        self.ready()
        self.page.evaluate("window.same = true")  # gone after a reload
        return self

    def ready(self) -> None:
        """Wait until one can type."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Type a question and send it."""
        self.page.fill(self.box, text)
        self.page.press(self.box, "Enter")

    def stop(self) -> None:
        """Click the stop button."""
        self.page.get_by_role("button", name=self.words.t("chat.stop"), exact=True).click()

    def stopped(self) -> bool:
        """Whether the stop button was there, and took a click."""
        button = self.page.get_by_role("button", name=self.words.t("chat.stop"), exact=True)
        try:
            button.click(timeout=LOOK_MS)
        except Late:
            return False
        return True

    def text(self) -> str:
        """The conversation as it is read."""
        return str("\n".join(self.page.locator(self.conversation).all_inner_texts()))

    def grown(self, question: str, count: int) -> str:
        """The first `count` characters of the answer to that question, once they are there."""
        text = self.until(lambda text: len(text.partition(question)[2].strip()) > count)
        return text.partition(question)[2].strip()[:count]

    def until(self, what: Callable[[str], bool]) -> str:
        """The conversation once `what` is true of it."""
        seen = [""]

        def look() -> bool:
            seen[0] = self.text()
            return what(seen[0])

        assert wait_for(look, PATIENCE_MS / 1000), f"{seen[0]}\n--- page:\n{self.page.inner_text('body')}"
        return seen[0]

    def answered(self, times: int = 1) -> str:
        """The conversation once that many answers have their line of statistics, and the next question can be typed."""
        ends = "|".join(re.escape(self.words.t(f"outcome.{name}")) for name in OUTCOMES)
        text = self.until(lambda text: len(re.findall(rf" · (?:{ends})$", text, re.MULTILINE)) >= times)
        self.page.locator(f"{self.box}:enabled").wait_for()
        return text

    def answer_to(self, question: str) -> str:
        """What follows the last `question`, once that has its line of statistics."""
        ends = "|".join(re.escape(self.words.t(f"outcome.{name}")) for name in OUTCOMES)
        line = re.compile(
            rf"^{re.escape(question)}$(?P<answer>(?:(?!^{re.escape(question)}$).)*? · (?:{ends})$)", re.M | re.S
        )
        found = line.findall(self.until(lambda text: line.search(text) is not None))
        return str(found[-1])

    def alerts(self) -> list[str]:
        """The errors on the page."""
        shown = [str(text) for text in self.page.get_by_role("alert").all_inner_texts()]
        return [text for text in shown if self.words.t("error.ui.code", code="").strip() in text]

    def width(self) -> int:
        """How wide the page is."""
        return int(self.page.evaluate("document.scrollingElement.scrollWidth"))

    def close(self) -> None:
        """Leave."""
        self.page.close()
        self.context.close()


class StreamlitTab(Tab):
    """Streamlit, whose language is the browser's."""

    conversation = "[data-testid=stChatMessageContent]"
    box = "[data-testid=stChatInput] textarea"

    def ready(self) -> None:
        self.page.locator(f"{self.box}:enabled").wait_for()
        self.page.get_by_text(self.words.t("question.chat")).wait_for()
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


class StreamlitEnglish(StreamlitTab):
    lang = "en"


class GradioTab(Tab):
    """Gradio in French."""

    path = "/gradio/fr/"
    conversation = "#history"
    box = "#question textarea"

    def ready(self) -> None:
        self.page.wait_for_selector(self.box)
        self.page.locator("#model-state div div").first.wait_for()


class GradioEnglish(GradioTab):
    path = "/gradio/en/"
    lang = "en"


FACES: dict[str, type[Tab]] = {
    "streamlit-fr": StreamlitTab,
    "streamlit-en": StreamlitEnglish,
    "gradio-fr": GradioTab,
    "gradio-en": GradioEnglish,
}
