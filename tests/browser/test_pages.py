"""The running application as a person meets it: Streamlit and Gradio in a real Chromium, the real model behind."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.browser.tabs import FACES, StreamlitTab, Tab
from tests.standins.app_server import AppServer, wait_for
from tests.standins.attached import busy, worker

pytestmark = [pytest.mark.browser, pytest.mark.model]

LONG = "Write a very long story about the sea, with many chapters."
ENDLESS = "1900"  # tokens: with temperature 0 the model fills them, so that no page is too slow to stop it
AGAIN = "Tell me how one bakes bread."
BEGUN = 130  # characters: more than a line of progress and the buttons beside it have
# Words of everything that could run or fetch something, as a model may write them
HOSTILE = (
    "<script>window.hit = 1</script><img src=http://example.invalid/a onerror=window.hit=1> "
    '<iframe src="http://example.invalid/b"></iframe> <style>@import url(http://example.invalid/c);</style> '
    "![picture](http://example.invalid/d) [click](javascript:window.hit=1) <http://example.invalid/e> "
    "[ref]: http://example.invalid/f\n\n![ref] <svg onload=window.hit=1> http://example.invalid/g "
    "$$\\href{http://example.invalid/h}{x}\\includegraphics{http://example.invalid/i}$$ "
    "<a href=http://example.invalid/j>j</a>\n\n```html\n<img src=http://example.invalid/k>\n```\n"
)
faces = pytest.mark.parametrize("tab", FACES, indirect=True)
both = pytest.mark.parametrize("tab", ["streamlit-fr", "gradio-fr"], indirect=True)


def kept(begun: str, text: str) -> bool:
    """Whether the last whole words of a beginning are in the text, however both were drawn."""
    return " ".join(re.findall(r"\w+", begun)[-6:-1]) in " ".join(re.findall(r"\w+", text))


def another_is_answered(tab: Tab, app: AppServer) -> None:
    """The next question has an answer, which is not waited for to its end; it may end before a slow page is stopped."""
    tab.say(AGAIN)
    tab.grown(AGAIN, BEGUN)
    assert wait_for(lambda: busy(app) == 0 or tab.stopped()), "the slot is still taken"
    assert wait_for(lambda: busy(app) == 0), "the slot is still taken"


@faces
def test_hi_is_answered_with_statistics(tab: Tab) -> None:
    tab.open(temperature="0")
    tab.say("hi")
    text = tab.answered()
    assert "hi" in text and tab.words.t("outcome.stop") in text
    assert tab.alerts() == []
    assert tab.page.get_by_role("img", name=tab.words.t("gauge.title")).count() == 1


@both
def test_an_answer_grows_while_it_comes_and_the_stop_button_ends_it(tab: Tab, app: AppServer) -> None:
    tab.open(temperature="0", max_tokens=ENDLESS)
    tab.say(LONG)
    first = tab.grown(LONG, BEGUN)
    assert kept(first, tab.grown(LONG, 2 * BEGUN))
    assert busy(app) == 1
    tab.stop()
    assert wait_for(lambda: busy(app) == 0), "the slot is still taken"
    text = tab.answered()
    assert tab.words.t("chat.stopped") in text and tab.words.t("outcome.user_stopped") in text
    assert kept(first, text)  # what was written stays
    another_is_answered(tab, app)


@both
def test_a_killed_worker_is_one_sentence_and_the_next_question_is_answered(tab: Tab, app: AppServer) -> None:
    tab.open(temperature="0", max_tokens=ENDLESS)
    tab.say(LONG)
    first = tab.grown(LONG, BEGUN)
    killed = worker(app)
    killed.kill()
    text = tab.answered()
    assert wait_for(lambda: tab.alerts())
    (alert,) = tab.alerts()
    assert tab.words.t("error.runtime_died.what") in alert and tab.words.t("error.runtime_died.todo") in alert
    assert tab.words.t("chat.interrupted") in text and kept(first, text)
    another_is_answered(tab, app)
    assert tab.page.evaluate("window.same") is True  # nobody had to reload
    assert wait_for(lambda: tab.alerts() == [])
    assert worker(app).pid != killed.pid


@both
def test_a_hostile_answer_runs_and_fetches_nothing(tab: Tab) -> None:
    tab.open(model="echo")
    tab.say(json.dumps({"answer": HOSTILE, "delay": 0.01}))  # slowly: half of a tag is drawn, too
    tab.answered()
    assert tab.page.evaluate("window.hit") is None
    inside = tab.page.locator(tab.conversation)
    assert inside.locator("[src*='example.invalid'], [href*='example.invalid'], [href^='javascript']").count() == 0
    assert inside.locator("script, iframe, object, embed, svg[onload]").count() == 0
    assert "window.hit" in tab.text()  # shown, not swallowed


@pytest.mark.parametrize("face", ["streamlit-fr", "gradio-fr"])
def test_on_a_phone_nothing_scrolls_sideways(face: str, chromium: Any, app: AppServer) -> None:
    tab = FACES[face](chromium, app.address, width=390, height=844).open(model="echo")
    assert tab.width() <= 390
    tab.say("x" * 300 + " and a line of ordinary words, long enough to be broken somewhere")
    tab.answered()
    assert tab.width() <= 390
    tab.close()
    assert tab.complaints == []


@pytest.mark.parametrize("tab", ["streamlit-fr"], indirect=True)
def test_the_language_changes_in_place(tab: Tab) -> None:
    page = tab.open(model="echo").page
    tab.say("le premier message")
    tab.answered()
    page.get_by_test_id("stSidebar").get_by_text("EN", exact=True).click()
    page.get_by_role("heading", name="Chat", exact=True).wait_for()
    page.get_by_placeholder("Write your message").wait_for()
    page.get_by_text("ended by itself").wait_for()
    assert tab.text().count("le premier message") == 2 and page.evaluate("window.same") is True
    assert "lang=en" in page.url


@pytest.mark.parametrize("tab", ["gradio-fr"], indirect=True)
def test_gradios_language_is_a_link(tab: Tab) -> None:
    page = tab.open(model="echo").page
    page.get_by_role("link", name="English").click()
    page.get_by_role("button", name="Send", exact=True).wait_for()
    assert "/gradio/en/" in page.url and "model=echo" in page.url
    assert page.evaluate("document.documentElement.lang") == "en"
    tab.ready()
    tab.complaints.clear()  # leaving a page cuts its streams, which Gradio writes to the console


@pytest.mark.parametrize("tab", ["streamlit-fr"], indirect=True)
def test_parameters_and_conversation_survive_another_page(tab: Tab) -> None:
    page = tab.open(model="echo").page
    tab.say("un mot")
    tab.answered()
    _fold_out(tab)
    length = page.get_by_role("spinbutton", name=tab.words.t("param.max_tokens.label"))
    length.fill("77")
    page.keyboard.press("Enter")
    page.wait_for_url("**max_tokens=77**")
    page.get_by_role("link", name="Modèles").click()
    page.get_by_text(tab.words.t("question.models")).wait_for()
    page.get_by_role("link", name="Discuter").click()
    tab.ready()
    assert tab.text().count("un mot") == 2
    assert "max_tokens=77" in page.url and "model=echo" in page.url
    if not length.is_visible():
        _fold_out(tab)
    length.wait_for()
    assert length.input_value() == "77"


def _fold_out(tab: Tab) -> None:
    tab.page.get_by_test_id("stSidebar").get_by_text(tab.words.t("sidebar.parameters"), exact=True).click()


@pytest.mark.parametrize("tab", ["streamlit-fr"], indirect=True)
def test_the_statistics_are_lm_studios_and_the_prompt_is_shown(tab: StreamlitTab) -> None:
    page = tab.open(temperature="0").page
    tab.say("hi")
    tab.answered()
    popover = page.get_by_test_id("stPopoverBody")
    page.get_by_role("button", name=tab.words.t("stats.title")).click()
    popover.get_by_text(tab.words.t("stats.help.stopReason")).wait_for()
    stats = json.loads(popover.get_by_test_id("stCode").inner_text())
    assert stats["stopReason"] == "eosFound" and stats["promptTokensCount"] == 31 and stats["source"] == "server"
    assert stats["tokensPerSecond"] > 0 and stats["timeToFirstTokenSec"] > 0
    page.keyboard.press("Escape")
    page.get_by_role("button", name=tab.words.t("chat.trace")).click()
    page.get_by_role("dialog").get_by_text("<|im_start|>user").wait_for()
    page.evaluate("document.activeElement.blur()")  # as after the part that had the focus was drawn anew
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
