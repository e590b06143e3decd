"""The mirror in a real Chromium: type, watch it come, stop, change language, on every size of screen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from apps.ui.i18n import words
from engine.models.configuration import Configuration
from engine.person import LOCAL
from tests.browser.tabs import PATIENCE_MS
from tests.gradio.conftest import Site
from tests.models.gguf_files import gguf
from tests.standins.app_server import wait_for

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.hit = 1</script><img src=http://example.invalid/a onerror=window.hit=1> "
    "[click](javascript:window.hit=1) ![picture](http://example.invalid/b) <iframe src=http://example.invalid/c>"
)
BOX = "#question textarea"
FIRST = {"fr": "Quelle est la capitale de la France", "en": "What is the capital of France?"}  # of the examples
WORDS = {"fr": ("Envoyer", "Arrêter", "Réponse arrêtée"), "en": ("Send", "Stop", "Answer stopped")}


class Tab:
    """A browser tab of its own person, which notes every request and every error of its console."""

    def __init__(self, browser: Any, width: int = 1280, height: int = 720, locale: str = "fr-FR") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
        self.context.set_default_timeout(PATIENCE_MS)
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
        while self.page.input_value(BOX) == text:  # Gradio passes over what is sent before the last answer's very end
            self.page.keyboard.press("Enter")
            self.page.wait_for_timeout(1000)

    def emptied(self, new: str, example: str) -> Tab:
        """Itself, with a new conversation: the examples are there again."""
        self.page.fill(BOX, "")
        for drawer in self.page.locator(".atelier-drawer > button.open").all():  # it lies over the sections' tabs
            drawer.click()
        self.button(new).click()
        self.example(example).wait_for()
        return self

    def example(self, text: str) -> Any:
        """The example of an empty conversation with that text."""
        return self.page.locator("#history .example-text").filter(has_text=text)

    def shows(self, text: str, times: int = 1) -> None:
        """Wait until the conversation has that text so many times."""
        self.page.wait_for_function(
            "([text, times]) => document.querySelector('#history').innerText.split(text).length > times",
            arg=[text, times],
        )

    def history(self) -> str:
        return str(self.page.inner_text("#history"))

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)


@contextmanager
def complaining(tab: Tab) -> Iterator[Tab]:
    """The tab, which must not have complained at the end; closed with the block."""
    try:
        yield tab
        assert tab.errors == []
    finally:
        tab.context.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Tab]:
    with complaining(Tab(chromium)) as opened:
        yield opened


# Loading the page takes seven seconds of processor: tests that only ask share one, each in a conversation of its own
@pytest.fixture(scope="module")
def french_page(chromium: Any, site: Site) -> Iterator[Tab]:
    with complaining(Tab(chromium)) as opened:
        opened.open(site.language("fr"))
        yield opened


@pytest.fixture(scope="module")
def english_page(chromium: Any, site: Site) -> Iterator[Tab]:
    with complaining(Tab(chromium)) as opened:
        opened.open(site.language("en"))
        yield opened


@pytest.fixture
def french(french_page: Tab) -> Tab:
    """A French page with an empty conversation."""
    return french_page.emptied("+ Nouvelle conversation", FIRST["fr"])


@pytest.fixture
def english(english_page: Tab) -> Tab:
    """An English page with an empty conversation."""
    return english_page.emptied("+ New conversation", FIRST["en"])


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_question_is_answered_while_it_comes(site: Site, request: pytest.FixtureRequest, lang: str) -> None:
    tab: Tab = request.getfixturevalue({"fr": "french", "en": "english"}[lang])
    send, stop, _ = WORDS[lang]
    page = tab.page
    assert page.evaluate("document.documentElement.lang") == lang
    tab.say("held " + "drop " * 30)
    tab.button(stop).wait_for()
    page.wait_for_function("document.querySelector('#history').innerText.split('drop').length > 33")
    assert tab.history().count("drop") < 60
    site.echo.release.set()
    tab.button(send).wait_for()
    tab.shows("tok/s")
    page.wait_for_function("document.querySelector('#history').innerText.split('drop').length === 61")
    page.wait_for_function(f"document.querySelector('{BOX}').value === ''")
    assert page.locator("#gauge [role=img]").first.get_attribute("aria-label")
    assert tab.hosts == {urlsplit(site.address).netloc}  # nothing phones home, fonts included


def test_the_stop_button_stops_and_keeps_what_is_there(site: Site, french: Tab) -> None:
    send, stop, stopped = WORDS["fr"]
    site.echo.release.clear()
    text = "held " + "goutte " * 30
    french.say(text)
    french.page.wait_for_function("document.querySelector('#history').innerText.split('goutte').length > 33")
    french.button(stop).click()
    french.button(send).wait_for()
    assert site.echo.stopped(text)
    french.shows(stopped)
    assert french.history().count("goutte") < 60


def test_an_error_leaves_the_question_in_the_box(site: Site, french: Tab) -> None:
    french.say("refuse moi")
    french.page.get_by_role("alert").filter(has_text="server_failed").wait_for()
    french.page.wait_for_function(f"document.querySelector('{BOX}').value === 'refuse moi'")
    assert "refuse moi" not in french.history()


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
    page.wait_for_url("**/gradio/en/**", wait_until="commit")  # the page before has a box, too
    page.wait_for_selector(BOX)
    page.wait_for_function(f"document.querySelector('{BOX}')?.value === 'Bonjour'")
    kept = parse_qs(urlsplit(page.url).query)
    assert "/gradio/en/" in page.url and kept["max_tokens"] == ["77"] and kept["temperature"] == ["1.3"]
    page.get_by_role("button", name="Parameters").click()
    page.wait_for_function("document.querySelector('#param-max_tokens input[type=number]')?.value === '77'")
    tab.errors.clear()  # leaving a page aborts its streams, which Gradio writes to the console


def test_explanations_fold_into_a_question_mark(english: Tab) -> None:
    page = english.page
    page.get_by_role("button", name="Parameters").click()
    hint = page.locator("#param-temperature .atelier-hint-info")
    hint.wait_for()
    page.wait_for_function("document.querySelector('#param-temperature .atelier-hint-info').offsetHeight < 30")
    hint.click()
    page.wait_for_function("document.querySelector('#param-temperature .atelier-hint-info').offsetHeight > 30")
    hint.press("Enter")
    page.wait_for_function("document.querySelector('#param-temperature .atelier-hint-info').offsetHeight < 30")


def test_the_seed_is_drawn_for_each_answer(site: Site, english: Tab) -> None:
    for number, text in enumerate(("one", "two"), 1):
        english.say(text)
        english.shows("tok/s", number)
    traces = site.engine.traces
    seeds = {traces.get(line.id, LOCAL.id).request["seed"] for line in traces.list(LOCAL.id, limit=2)}
    assert len(seeds) == 2


def test_an_example_runs_with_one_click(english: Tab) -> None:
    english.example(FIRST["en"]).click()
    english.shows("tok/s")
    assert wait_for(lambda: english.history().count(FIRST["en"]) == 2)


def test_two_people_see_nothing_of_each_other(site: Site, tab: Tab, english: Tab) -> None:
    tab.open(site.language("en"))
    for one, text in ((english, "secret of one"), (tab, "secret of two")):
        one.say(text)
        one.shows("tok/s")
    assert "secret of two" not in english.history() and "secret of one" not in tab.history()
    english.say("and now")
    english.shows("tok/s", 2)
    assert "two" not in english.history()


def test_what_the_model_read_is_one_click_away(english: Tab) -> None:
    english.say("hello model")
    english.shows("tok/s")
    english.page.locator("#trace > button").click()
    english.page.wait_for_function("document.querySelector('#exact-prompt')?.innerText.includes('user: hello')")


def test_a_hostile_answer_runs_and_fetches_nothing(site: Site, english: Tab) -> None:
    page = english.page
    english.say(HOSTILE)
    english.shows("tok/s")
    inside = page.locator("#history, #conversations, #alert, #acts-left")
    assert page.evaluate("window.hit") is None
    for bad in ("[src*='example.invalid']", "[href*='example.invalid']", "[href^='javascript']", "script", "iframe"):
        assert inside.locator(bad).count() == 0, bad
    assert "window.hit" in english.history()  # shown, not swallowed
    assert english.hosts == {urlsplit(site.address).netloc}


def test_the_models_tab_from_the_picture_to_a_checksum(site: Site, english: Tab) -> None:
    page, t = english.page, words("en").t
    folder = site.engine.settings.models_dir
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.gguf").write_bytes(gguf())
    page.get_by_role("tab", name=t("section.models"), exact=True).first.click()
    page.locator("#models-table table").get_by_text("Tiny").wait_for()
    page.locator("#models-picture").get_by_role("button", name=t("models_picture.interface_goes")).click()
    page.locator("#server-addresses table").first.wait_for()
    page.locator("#server-slots-button").click()
    page.locator("#slots-table").get_by_text(t("models_slots.none")).wait_for()
    page.locator("#models-endpoints-button").click()
    page.locator("#endpoints-table").get_by_text("Ollama").first.wait_for()
    page.locator("#models-models-button").click()
    page.locator("#models-chosen input").fill("Tiny")
    page.locator("#models-chosen input").press("Enter")
    page.locator("#model-card h3").get_by_text("Tiny").wait_for()
    page.locator("#model-files-button").click()
    page.locator("#model-sums").click()
    page.locator("#models-work").get_by_text(t("models_card.sha256_done", count=1)).wait_for()
    page.locator("#model-sums-told").get_by_text(hashlib.sha256(gguf()).hexdigest()).wait_for()
    page.get_by_role("tab", name=t("section.chat"), exact=True).click()
    page.locator(BOX).wait_for()


def test_reset_parameters_goes_back_to_what_the_model_has(site: Site, english: Tab) -> None:
    page = english.page
    site.engine.configurations.put("echo", Configuration.from_dict({"params": {"max_tokens": 77}}))
    try:
        number = page.locator("#param-max_tokens input[type=number]")
        if not number.is_visible():
            page.get_by_role("button", name="Parameters").click()
        number.fill("5")
        number.press("Tab")
        page.wait_for_function("location.search.includes('max_tokens=5')")
        page.locator("#params-reset").click()
        page.wait_for_function("document.querySelector('#param-max_tokens input[type=number]').value === '77'")
        assert "max_tokens" not in page.url
    finally:
        site.engine.configurations.remove("echo")


def test_nothing_scrolls_sideways(french: Tab) -> None:
    page, wide = french.page, "document.documentElement.scrollWidth <= {}"
    for name, inside in (("Modèles", "#models-table table"), ("Discuter", BOX)):
        page.get_by_role("tab", name=name, exact=True).click()
        page.locator(inside).wait_for()
        for width, height in ((1440, 900), (1280, 720)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_function(wide.format(width))


def test_on_a_phone_nothing_scrolls_sideways_nor_covers_the_page(site: Site, chromium: Any) -> None:
    with complaining(Tab(chromium, 390, 844)) as tab:
        page = tab.open(site.language("fr"))
        page.locator(".sidebar:not(.open)").wait_for(state="attached")
        page.get_by_role("button", name="Afficher ou masquer la colonne de gauche").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        tab.say("hello")  # Playwright refuses to type into what is covered
        tab.shows("tok/s")
        page.locator(".overflow-menu > button").click()  # more tabs than fit are folded away
        page.locator(".overflow-dropdown").get_by_role("button", name="Modèles").click()
        page.locator("#models-table table").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
