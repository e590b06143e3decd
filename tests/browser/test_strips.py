"""Both wrappers of the token strips in a real Chromium: what shows, what the keyboard does, what hostile words do
not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from apps.ui.i18n import words
from tests.browser.tabs import PATIENCE_MS
from tests.standins.app_server import free_port, wait_for
from tests.standins.strips import HOSTILE, pieces, scored

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
STANDINS = ROOT / "tests" / "standins"
START_S = 120
SCREEN = {"width": 1000, "height": 800}
WORDS = words("fr")
QUIET = {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false", "GRADIO_ANALYTICS_ENABLED": "False"}


def command(face: str, port: int) -> list[str]:
    """How to start the small page of that framework."""
    if face == "gradio":
        return [sys.executable, str(STANDINS / "strips_gradio.py"), str(port)]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    options += ["--server.fileWatcherType", "none"]
    return [sys.executable, "-m", "streamlit", "run", str(STANDINS / "strips_streamlit.py"), *options]


@contextmanager
def serving(face: str) -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command(face, port), cwd=ROOT, env={**os.environ, **QUIET}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://127.0.0.1:{port}/"
            assert wait_for(lambda: answers(address) or process.poll() is not None, START_S)
            assert process.poll() is None
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=10):
            return True
    except (URLError, OSError):
        time.sleep(0.2)
        return False


@pytest.fixture(scope="module", params=["streamlit", "gradio"])
def site(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    with serving(request.param) as address:
        yield request.param, address


@contextmanager
def opened(site: tuple[str, str], chromium: Any) -> Iterator[Any]:
    """A page with both strips, where at the end nothing ran and nothing complained."""
    face, address = site
    context = chromium.new_context(viewport=SCREEN, locale="fr-FR")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.locator(".scored .token").first.wait_for()
    if face == "gradio":
        page.click("#full")
    page.locator(".tokens .token").first.wait_for()
    yield page
    assert "owned" not in page.title()
    assert page.locator(".strips img, .strips script, .strips a").count() == 0
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def looked_at(site: tuple[str, str], chromium: Any) -> Iterator[Any]:
    """One page for all tests that choose nothing: loading it takes seconds of processor."""
    with opened(site, chromium) as page:
        yield page


@pytest.fixture
def page(looked_at: Any) -> Any:
    """The page that is only looked at, with nothing pointed at."""
    looked_at.set_viewport_size(SCREEN)
    looked_at.evaluate("document.activeElement.blur()")
    looked_at.mouse.move(5, 5)
    looked_at.locator(".panel").wait_for(state="hidden")
    return looked_at


@pytest.fixture
def fresh(site: tuple[str, str], chromium: Any) -> Iterator[Any]:
    """A page of its own."""
    with opened(site, chromium) as page:
        yield page


def said(page: Any) -> str:
    """What the page says was chosen."""
    box = page.locator("#said textarea, #said input")
    return str(box.input_value() if box.count() else page.locator("[data-testid=stText]").inner_text())


def shown(page: Any, strip: str) -> list[str]:
    return [str(text) for text in page.locator(f".{strip} .token").all_text_contents()]


def test_tokens_show_as_they_are(page: Any) -> None:
    assert shown(page, "tokens") == [piece.shown for piece in pieces()]
    assert shown(page, "scored") == [token.shown for token in scored()]
    assert set(HOSTILE[:1]) <= {text.replace("␣", " ") for text in shown(page, "tokens")}


def test_special_tokens_and_parts_of_letters_say_so(page: Any) -> None:
    boxes = page.locator(".tokens .token")
    assert page.locator(".tokens .special").all_text_contents() == ["<|im_start|>"]
    special, part = boxes.nth(0), boxes.nth(8)
    assert special.get_attribute("aria-label") == WORDS.t("tokens.special", id=40, text="<|im_start|>")
    assert part.get_attribute("aria-label") == WORDS.t("tokens.part", id=48, text="<F0><9F>", whole="🧒")
    boxes.nth(3).hover()
    assert page.locator(".detail").inner_text() == WORDS.t("tokens.piece", id=43, text="Bonjour")


def test_the_keyboard_reaches_every_token_of_the_prompt(page: Any) -> None:
    boxes = page.locator(".tokens .token")
    assert page.locator(".tokens [tabindex='0']").count() == 1
    boxes.nth(0).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator(".detail").inner_text() == WORDS.t("tokens.piece", id=43, text="Bonjour")
    page.keyboard.press("End")
    assert page.locator(".tokens .token:focus").inner_text() == shown(page, "tokens")[-1]


def test_probability_is_more_than_a_colour(page: Any) -> None:
    boxes = page.locator(".scored .token")
    levels = [str(boxes.nth(at).get_attribute("class")).split("level-")[1] for at in range(6)]
    assert levels == ["0", "1", "2", "3", "4", "4"]
    assert len({boxes.nth(at).evaluate("box => getComputedStyle(box).borderBottom") for at in range(5)}) == 5
    label = WORDS.t("tokens.scored", text="␣chat", percent="62,0\u202f%")
    assert boxes.nth(1).get_attribute("aria-label") == boxes.nth(1).get_attribute("title") == label
    assert "0,01" in str(boxes.nth(5).get_attribute("aria-label"))
    assert page.locator(".legend li").count() == 5


def test_pointing_shows_the_alternatives_and_leaving_hides_them(page: Any) -> None:
    page.locator(".scored .token").nth(1).hover()
    panel = page.locator(".panel")
    panel.wait_for()
    assert panel.locator(".text").all_text_contents() == ["␣chat", "␣chat?", WORDS.t("tokens.end"), "<F0>"]
    # nobody can continue with what was taken, with the end of the answer, or with a part of a letter
    assert [button.is_enabled() for button in panel.locator("button").all()] == [False, True, False, False]
    page.mouse.move(5, 5)
    panel.wait_for(state="hidden")


def test_choosing_tells_place_and_text_once(fresh: Any) -> None:
    fresh.locator(".scored .token").nth(1).click()
    fresh.locator(".panel button:enabled").click()
    assert wait_for(lambda: said(fresh) == "1: 1  chat?"), said(fresh)
    fresh.locator(".panel").wait_for(state="hidden")
    fresh.locator(".scored .token").nth(7).click()  # a hostile one
    fresh.locator(".panel button:enabled").click()
    assert wait_for(lambda: said(fresh) == f"2: 7 {HOSTILE[0]}?"), said(fresh)


def test_the_keyboard_chooses_too(fresh: Any) -> None:
    boxes = fresh.locator(".scored .token")
    boxes.nth(0).focus()
    fresh.keyboard.press("ArrowRight")
    fresh.keyboard.press("ArrowRight")
    fresh.locator(".panel").wait_for()
    fresh.keyboard.press("Enter")
    fresh.locator(".panel button:focus").wait_for()
    fresh.keyboard.press("Escape")
    fresh.locator(".panel").wait_for(state="hidden")
    assert fresh.locator(".scored .token:focus").inner_text() == "␣dort"
    fresh.keyboard.press("Enter")
    fresh.locator(".panel button:focus").wait_for()
    fresh.keyboard.press("Enter")
    assert wait_for(lambda: said(fresh) == "1: 2  dort?"), said(fresh)


@pytest.mark.parametrize("width", [360, 1000])
def test_the_panel_stays_in_the_window(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    for at in (0, 4, 7):
        page.locator(".scored .token").nth(at).click()
        page.locator(".panel").wait_for()
        box = page.locator(".panel").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert box["y"] >= 0 and box["y"] + box["height"] <= 640
        page.keyboard.press("Escape")
        page.locator(".panel").wait_for(state="hidden")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_dark_and_light_are_readable(page: Any) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        box = page.locator(".scored .token").nth(1)
        assert box.evaluate("box => getComputedStyle(box).color == getComputedStyle(box.parentElement).color")
    page.emulate_media(color_scheme="null")


@pytest.mark.parametrize("site", ["streamlit"], indirect=True)  # the other has the same JavaScript
def test_a_long_prompt_is_drawn_in_two_parts(site: tuple[str, str], fresh: Any) -> None:
    fresh.goto(f"{site[1]}?long=1")
    more = fresh.get_by_role("button", name=WORDS.t("tokens.more", count=len(pieces()) * 400))
    more.wait_for()
    assert fresh.locator(".tokens .token").count() == 3000
    more.click()
    assert wait_for(lambda: fresh.locator(".tokens .token").count() == len(pieces()) * 400)


@pytest.mark.parametrize("site", ["streamlit"], indirect=True)  # the other has the same JavaScript
def test_what_cannot_be_chosen_is_only_shown(site: tuple[str, str], fresh: Any) -> None:
    fresh.goto(f"{site[1]}?fixed=1")
    fresh.locator(".scored .token").nth(1).click()
    fresh.locator(".panel").wait_for()
    assert fresh.locator(".panel button:enabled").count() == 0


@pytest.mark.parametrize("site", ["gradio"], indirect=True)  # Streamlit draws nothing where nothing is called
def test_nothing_empties_both(fresh: Any) -> None:
    fresh.click("#empty")
    assert wait_for(lambda: fresh.locator(".token").count() == 0)
    fresh.click("#full")
    assert wait_for(lambda: shown(fresh, "tokens") == [piece.shown for piece in pieces()])
