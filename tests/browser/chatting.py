"""What a person does with a conversation, with the same verbs in both interfaces: act on messages, look behind them.
Knows no test.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from tests.browser.tabs import PATIENCE_MS, GradioTab, StreamlitTab, Tab
from tests.standins.app_server import wait_for

Said = list[tuple[str, str]]
LOOK_EVERY_MS = 250  # looking costs the processor that the model needs
STILL_MS = 600
CLIPBOARD = ["clipboard-read", "clipboard-write"]


class Chatting(Tab):
    """A tab that acts on its conversation."""

    messages: ClassVar[str]  # JavaScript: role and text of each message on screen

    def said(self) -> Said:
        """Role and text of each message on screen."""
        return [(role, text.strip()) for role, text in self.page.evaluate(self.messages)]

    def then(self, what: Callable[[Said], bool]) -> Said:
        """The messages once `what` is true of them and the page is at rest: Gradio draws the last words after the
        buttons of the same update, so they are read twice.
        """
        until = time.monotonic() + PATIENCE_MS / 1000
        while not what(said := self.said()) or not self.rests() or not self._still(said):
            assert time.monotonic() < until, f"{said}\n--- page:\n{self.page.inner_text('body')}"
            self.page.wait_for_timeout(LOOK_EVERY_MS)
        return said

    def _still(self, said: Said) -> bool:
        self.page.wait_for_timeout(STILL_MS)
        return self.said() == said

    def answer(self, text: str, messages: int) -> str:
        """Say this; the answer, which makes so many messages."""
        self.say(text)
        return self.then(lambda said: len(said) == messages and said[-1][0] == "assistant" and bool(said[-1][1]))[-1][1]

    def rests(self) -> bool:
        """Whether nothing is being written or drawn, and one can type."""
        raise NotImplementedError

    def act(self, name: str) -> None:
        """Click an action of the message in hand."""
        raise NotImplementedError

    def act_at(self, place: int, name: str) -> None:
        """An action of an earlier message."""
        raise NotImplementedError

    def take(self, place: int) -> None:
        """Have a message in hand, where its switcher is not in sight without that."""

    def versions(self) -> list[str]:
        """The "2/3" that are in sight."""
        raise NotImplementedError

    def turn(self, sign: str) -> None:
        """Click ‹ or › of the only switcher in sight."""
        self.page.get_by_role("button", name=sign, exact=True).locator("visible=true").first.click()

    def line(self) -> str:
        """The line of statistics of the last answer."""
        raise NotImplementedError

    def statistics(self) -> dict[str, Any]:
        """The JSON behind the statistics of the last answer."""
        raise NotImplementedError

    def system(self, text: str) -> None:
        """Write the system prompt."""
        raise NotImplementedError

    def role(self, role: str) -> None:
        """Choose the role of the next message."""
        raise NotImplementedError

    def prompt(self) -> str:
        """The exact prompt of the last answer, looked up and closed again."""
        raise NotImplementedError

    def curl(self) -> str:
        """The curl of the last answer, as its copy button puts it on the clipboard."""
        raise NotImplementedError

    def scripts(self, folder: Path) -> dict[str, str]:
        """The two scripts of the sheet, downloaded: name and text."""
        raise NotImplementedError

    def alert(self) -> str:
        """The only error on the page, once it is there."""
        assert wait_for(lambda: len(self.alerts()) == 1), self.page.inner_text("body")
        return self.alerts()[0]

    def typed(self) -> str:
        """What stands in the input."""
        return str(self.page.input_value(self.box))

    def clipboard(self) -> str:
        """What was copied."""
        self.context.grant_permissions(CLIPBOARD)
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def downloaded(self, click: Callable[[], None], folder: Path) -> tuple[str, str]:
        """Name and text of the file that a click gives."""
        with self.page.expect_download() as told:
            click()
        path = folder / told.value.suggested_filename
        told.value.save_as(path)
        return path.name, path.read_text(encoding="utf-8")


class StreamlitChat(Chatting, StreamlitTab):
    """Streamlit."""

    messages = """[...document.querySelectorAll("[data-testid=stChatMessageContent]")].map((one) => [
        one.getAttribute("aria-label").split(" ").at(-1),
        one.querySelector("[data-testid=stText], [data-testid=stMarkdownContainer]")?.innerText ?? ""])"""

    def rests(self) -> bool:
        stopped = "[data-testid=stApp][data-test-script-state=notRunning]"
        stop = self.page.get_by_role("button", name=self.words.t("chat.stop"), exact=True)
        return self.page.locator(stopped).count() == 1 and stop.count() == 0

    def act(self, name: str) -> None:
        self._settled()
        self.page.locator(f"[class*='st-key-chat-{name}-'] button").locator("visible=true").last.click()

    def act_at(self, place: int, name: str) -> None:
        self.take(place)
        message = self.page.get_by_test_id("stChatMessage").nth(place)
        message.get_by_role("button", name=self.words.t(f"chat_act.{name}"), exact=True).click()

    def take(self, place: int) -> None:
        message = self.page.get_by_test_id("stChatMessage").nth(place)
        message.locator("[class*='-take-'] button").click()
        message.get_by_role("button", name=self.words.t("chat_act.edit"), exact=True).wait_for()
        self._settled()

    def _settled(self) -> None:
        """Wait until the page is drawn: a click on what is being drawn anew may be lost."""
        assert wait_for(self.rests, PATIENCE_MS / 1000), self.page.inner_text("body")

    def turn(self, sign: str) -> None:
        name = self.words.t("chat_act.previous" if sign == "‹" else "chat_act.next")
        self.page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()

    def versions(self) -> list[str]:
        return re.findall(r"^\d+/\d+$", self.text(), re.MULTILINE)

    def line(self) -> str:
        captions = self.page.get_by_test_id("stChatMessage").last.get_by_test_id("stCaptionContainer")
        return str(captions.filter(has_text=" · ").last.inner_text())

    def statistics(self) -> dict[str, Any]:
        self.page.get_by_role("button", name=self.words.t("stats.title")).click()
        shown = self.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text()
        self.page.keyboard.press("Escape")
        return dict(json.loads(shown))

    def system(self, text: str) -> None:
        self.page.get_by_test_id("stExpander").get_by_text(self.words.t("chat_head.line"), exact=True).click()
        box = self.page.get_by_role("textbox", name=self.words.t("glossary.system.name"))
        box.fill(text)
        box.press("Control+Enter")

    def role(self, role: str) -> None:
        self._settled()
        option = self.page.get_by_role("option", name=self.words.t(f"chat_role.{role}"))
        assert wait_for(lambda: option.is_visible() or self._unfold_roles()), self.page.inner_text("body")
        option.click()

    def _unfold_roles(self) -> None:
        """Open the list, and leave it a moment: one click may fall on a box that is being drawn anew."""
        self.page.locator("[class*='st-key-chat-role'] [data-testid=stSelectbox] [role=combobox]").or_(
            self.page.locator("[class*='st-key-chat-role'] [data-baseweb=select]")
        ).first.click()
        self.page.wait_for_timeout(2000)

    def prompt(self) -> str:
        self._drawer("trace")
        shown = self._dialog.get_by_test_id("stHtml").locator("pre").inner_text()
        self._close()
        return str(shown)

    def curl(self) -> str:
        self._drawer("code")
        code = self._dialog.get_by_test_id("stCode").locator("visible=true").first
        code.hover()
        self.context.grant_permissions(CLIPBOARD)
        code.get_by_role("button").first.click()
        self._close()
        return self.clipboard()

    def scripts(self, folder: Path) -> dict[str, str]:
        self._drawer("code")
        buttons = self._dialog.get_by_test_id("stDownloadButton").get_by_role("button").locator("visible=true")
        buttons.first.wait_for()
        found = dict(self.downloaded(one.click, folder) for one in buttons.all())
        self._close()
        return found

    @property
    def _dialog(self) -> Any:
        return self.page.get_by_role("dialog")

    def _drawer(self, name: str) -> None:
        self.page.get_by_role("button", name=self.words.t(f"chat.{name}")).click()
        self._dialog.wait_for()

    def _close(self) -> None:
        self.page.keyboard.press("Escape")
        self._dialog.wait_for(state="detached")


class GradioChat(Chatting, GradioTab):
    """Gradio, whose actions stand in one line for the message in hand."""

    messages = """[...document.querySelectorAll("#history [data-testid=user], #history [data-testid=bot]")]
        .filter((one) => !one.querySelector(".thought-group")).map((one) => [
        one.dataset.testid === "user" ? "user" : "assistant", one.innerText])"""

    def rests(self) -> bool:
        return not self.page.locator("#stop").is_visible() and self.page.locator("#send").is_visible()

    def act(self, name: str) -> None:
        self._acts(name).click()

    def act_at(self, place: int, name: str) -> None:
        self.take(place)
        self._acts(name).click()

    def take(self, place: int) -> None:
        rows = self.page.locator(
            "#history [data-testid]:is([data-testid=user], [data-testid=bot]):not(:has(.thought-group))"
        )
        rows.nth(place).click()
        self._acts("last").wait_for()

    def versions(self) -> list[str]:
        return re.findall(r"\b\d+/\d+\b", self.page.locator("#acts-left").inner_text())

    def turn(self, sign: str) -> None:
        self._acts("choose").filter(has_text=sign).click()

    def line(self) -> str:
        return str(self.page.locator("#history .thought-group .title").last.inner_text())

    def statistics(self) -> dict[str, Any]:
        title = self.page.locator("#history .thought-group .title").last
        title.click()
        shown = self.page.locator("#history .thought-group pre code").last.inner_text()
        title.click()
        return dict(json.loads(shown))

    def system(self, text: str) -> None:
        self.page.get_by_role("button", name=self.words.t("chat_head.line")).click()
        box = self.page.get_by_label(self.words.t("glossary.system.name")).first
        box.fill(text)
        box.blur()
        self.page.get_by_role("button", name=text).wait_for()  # the folded line

    def role(self, role: str) -> None:
        self.page.locator("#role input").click()
        self.page.get_by_role("option", name=self.words.t(f"chat_role.{role}")).click()

    def prompt(self) -> str:
        self.act("trace")
        return str(self.page.locator("#exact-prompt pre").inner_text())

    def curl(self) -> str:
        self.act("code")
        self.page.locator("#code").get_by_text("JSON", exact=False).first.wait_for()
        self.context.grant_permissions(CLIPBOARD)
        self.page.locator("#code").get_by_role("button", name="Copy").click()
        return self.clipboard()

    def scripts(self, folder: Path) -> dict[str, str]:
        self.act("code")
        buttons = self.page.locator("#scripts button[data-act=script]")
        buttons.first.wait_for()
        return dict(self.downloaded(one.click, folder) for one in buttons.all())

    def _acts(self, name: str) -> Any:
        return self.page.locator(f"#acts-left button[data-act={name}]")


CHATS: dict[str, type[Chatting]] = {"streamlit": StreamlitChat, "gradio": GradioChat}
