"""The mirror in a real Chromium: type, watch it come, stop, change language, on every size of screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.person import LOCAL
from tests.gradio.conftest import Site

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.hit = 1</script><img src=http://example.invalid/a onerror=window.hit=1> "
    "[click](javascript:window.hit=1) ![picture](http://example.invalid/b) <iframe src=http://example.invalid/c>"
)
BOX = "#question textarea"
WORDS = {"fr": ("Envoyer", "Arrêter", "Réponse arrêtée"), "en": ("Send", "Stop", "Answer stopped")}


class Tab:
    """A browser tab of its own person, which notes every request and every error of its console."""

    def __init__(self, browser: Any, width: int = 1280, height: int = 720, locale: str = "fr-FR") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        self.page.on("request", self._note)
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note(self, request: Any) -> None:
        self.hosts.add(urlsplit(request.url).netloc)

    def open(self, address: str) -> Any:
        self.page.goto(address)
        self.page.wait_for_selector(BOX)
        self.page.locator("#model-state div div").first.wait_for()  # the page's own questions are answered
        return self.page

    def say(self, text: str) -> None:
        self.page.fill(BOX, text)
        self.page.keyboard.press("Enter")

    def history(self) -> str:
        return str(self.page.inner_text("#history"))

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)


@pytest.fixture
def tab(chromium: Any) -> Iterator[Tab]:
    opened = Tab(chromium)
    yield opened
    opened.context.close()
    assert opened.errors == []


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_question_is_answered_while_it_comes(site: Site, tab: Tab, lang: str) -> None:
    send, stop, _ = WORDS[lang]
    page = tab.open(site.language(lang))
    assert page.evaluate("document.documentElement.lang") == lang
    tab.say("held " + "drop " * 30)
    tab.button(stop).wait_for()
    page.wait_for_function("document.querySelector('#history').innerText.split('drop').length > 33")
    assert tab.history().count("drop") < 60
    site.echo.release.set()
    tab.button(send).wait_for()
    assert tab.history().count("drop") == 60
    assert "tok/s" in tab.history() and page.input_value(BOX) == ""
    assert page.locator("#gauge [role=img]").first.get_attribute("aria-label")
    assert tab.hosts == {urlsplit(site.address).netloc}  # nothing phones home, fonts included


def test_the_stop_button_stops_and_keeps_what_is_there(site: Site, tab: Tab) -> None:
    send, stop, stopped = WORDS["fr"]
    page = tab.open(site.language("fr"))
    text = "crawl " + "goutte " * 300
    tab.say(text)
    page.wait_for_function("document.querySelector('#history').innerText.split('goutte').length > 304")
    tab.button(stop).click()
    tab.button(send).wait_for()
    assert site.echo.stopped(text)
    assert stopped in tab.history() and tab.history().count("goutte") < 600


def test_an_error_leaves_the_question_in_the_box(site: Site, tab: Tab) -> None:
    page = tab.open(site.language("fr"))
    tab.say("refuse moi")
    alert = page.get_by_role("alert").filter(has_text="server_failed")
    alert.wait_for()
    page.wait_for_function(f"document.querySelector('{BOX}').value === 'refuse moi'")
    assert "refuse moi" not in tab.history()


def test_the_address_carries_the_settings_and_the_language_link_keeps_them(site: Site, tab: Tab) -> None:
    page = tab.open(site.language("fr") + "?temperature=1.3&prompt=Bonjour")
    page.wait_for_function(f"document.querySelector('{BOX}').value === 'Bonjour'")
    assert site.echo.ended == [] or "Bonjour" not in {text for text, *_ in site.echo.ended}  # a link never sends
    page.get_by_role("button", name="Paramètres").click()
    number = page.locator("#param-max_tokens input[type=number]")
    assert page.locator("#param-temperature input[type=number]").input_value() == "1.3"
    number.fill("77")
    number.press("Tab")
    page.wait_for_function("location.search.includes('max_tokens=77')")
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**/gradio/en/**")  # the page before has a box, too
    page.wait_for_selector(BOX)
    page.wait_for_function(f"document.querySelector('{BOX}')?.value === 'Bonjour'")
    kept = parse_qs(urlsplit(page.url).query)
    assert "/gradio/en/" in page.url and kept["max_tokens"] == ["77"] and kept["temperature"] == ["1.3"]
    page.get_by_role("button", name="Parameters").click()
    page.wait_for_function("document.querySelector('#param-max_tokens input[type=number]')?.value === '77'")
    tab.errors.clear()  # leaving a page aborts its streams, which Gradio writes to the console


def test_explanations_fold_into_a_question_mark(site: Site, tab: Tab) -> None:
    page = tab.open(site.language("en"))
    page.get_by_role("button", name="Parameters").click()
    hint = page.locator("#param-temperature .atelier-hint-info")
    hint.wait_for()
    assert hint.bounding_box()["height"] < 30
    hint.click()
    page.wait_for_function("document.querySelector('#param-temperature .atelier-hint-info').offsetHeight > 30")
    hint.press("Enter")
    page.wait_for_function("document.querySelector('#param-temperature .atelier-hint-info').offsetHeight < 30")


def test_the_seed_is_drawn_for_each_answer(site: Site, tab: Tab) -> None:
    page = tab.open(site.language("en"))
    for number, text in enumerate(("one", "two"), 1):
        tab.say(text)
        page.wait_for_function(f"document.querySelector('#history').innerText.split('tok/s').length > {number}")
    traces = site.engine.traces
    seeds = {traces.get(line.id, LOCAL.id).request["seed"] for line in traces.list(LOCAL.id, limit=2)}
    assert len(seeds) == 2


def test_an_example_runs_with_one_click(site: Site, tab: Tab) -> None:
    page = tab.open(site.language("en"))
    page.get_by_text("What is the capital of France?").click()
    page.wait_for_function("document.querySelector('#history').innerText.includes('tok/s')")
    assert tab.history().count("What is the capital of France?") == 2


def test_two_people_see_nothing_of_each_other(site: Site, chromium: Any, tab: Tab) -> None:
    other = Tab(chromium)
    for one, text in ((tab, "secret of one"), (other, "secret of two")):
        one.open(site.language("en"))
        one.say(text)
        one.page.wait_for_function("document.querySelector('#history').innerText.includes('tok/s')")
    assert "secret of two" not in tab.history() and "secret of one" not in other.history()
    tab.say("and now")
    tab.page.wait_for_function("document.querySelector('#history').innerText.split('tok/s').length > 2")
    assert "two" not in tab.history()
    other.context.close()


def test_what_the_model_read_is_one_click_away(site: Site, tab: Tab) -> None:
    page = tab.open(site.language("en"))
    tab.say("hello model")
    page.wait_for_function("document.querySelector('#history').innerText.includes('tok/s')")
    page.locator("#trace > button").click()
    page.wait_for_function("document.querySelector('#exact-prompt')?.innerText.includes('user: hello')")


def test_a_hostile_answer_runs_and_fetches_nothing(site: Site, tab: Tab) -> None:
    page = tab.open(site.language("en"))
    tab.say(HOSTILE)
    page.wait_for_function("document.querySelector('#history').innerText.includes('tok/s')")
    inside = page.locator("#history, #conversations, #alert, #acts-left")
    assert page.evaluate("window.hit") is None
    for bad in ("[src*='example.invalid']", "[href*='example.invalid']", "[href^='javascript']", "script", "iframe"):
        assert inside.locator(bad).count() == 0, bad
    assert "window.hit" in tab.history()  # shown, not swallowed
    assert tab.hosts == {urlsplit(site.address).netloc}


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1440, 900), (390, 844)])
def test_nothing_scrolls_sideways(site: Site, chromium: Any, width: int, height: int) -> None:
    tab = Tab(chromium, width, height)
    page = tab.open(site.language("fr"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("tab", name="Modèles").click()
    page.locator("#models-table table").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tab.context.close()


def test_on_a_phone_the_column_does_not_cover_the_page(site: Site, chromium: Any) -> None:
    tab = Tab(chromium, 390, 844)
    page = tab.open(site.language("fr"))
    page.locator(".sidebar:not(.open)").wait_for(state="attached")
    page.get_by_role("button", name="Afficher ou masquer la colonne de gauche").wait_for()
    tab.say("hello")  # Playwright refuses to type into what is covered
    page.wait_for_function("document.querySelector('#history').innerText.includes('tok/s')")
    tab.context.close()
