"""The tab Images of the page that compares: a model's own form, a picture that comes, what goes wrong, the gallery."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from apps.ui.i18n import words
from engine.compare import Look, PictureRun, zip_of
from engine.people import Person
from tests.marks import marks_in
from tests.pages.conftest import ROOT, EchoEngine, texts
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.standins.replicate_server import KEY, ReplicateStandIn, replicate_standin

EN = words("en")
MODEL = "replicate/test/image"


@pytest.fixture
def replicate(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplicateStandIn]:
    monkeypatch.setattr("engine.backends.replicate.POLL_S", 0.02)
    with replicate_standin() as server:
        monkeypatch.setenv("REPLICATE_BASE_URL", server.host)
        monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
        yield server


@pytest.fixture
def page(engine: EchoEngine, replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with this tab in sight, in English."""
    monkeypatch.setattr("apps.streamlit_compare.pictures.PICTURE_MODELS", (MODEL, "replicate/test/image-failed", "x"))
    monkeypatch.setattr("apps.ui.pictures.PICTURE_MODELS", (MODEL,))
    app = AppTest.from_file(str(ROOT / "pages" / "compare.py"), default_timeout=240)
    app.session_state["lang"], app.session_state["model"] = "en", "echo"
    app.session_state["compare.tabs"] = EN.t("compare.tab.images")
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, [error.value for error in app.exception]
    return app


def press(app: AppTest, name: str) -> AppTest:
    app.button(key=f"compare.image.{name}").click()
    return run(app)


def opened(app: AppTest, model: str = MODEL) -> AppTest:
    """The form of a model."""
    app.selectbox(key="compare.image.model").set_value(model)
    return press(app, "load")


def ended(app: AppTest) -> AppTest:
    """The page once the picture is there."""
    made: PictureRun | None = app.session_state["compare.image.run"]
    assert made is None or made.wait(SOON_S)
    return run(app)


def works(app: AppTest) -> tuple[Look, ...]:
    found: tuple[Look, ...] = app.session_state["compare.image.done"]
    return found


def test_the_form_is_the_models_own_and_makes_a_picture(page: AppTest, replicate: ReplicateStandIn) -> None:
    assert not replicate.requests  # nothing is asked before somebody wants it
    opened(page)
    assert page.text_area(key=f"compare.image.{MODEL}.prompt").label.startswith("Prompt")
    assert page.selectbox(key=f"compare.image.{MODEL}.aspect_ratio").options == ["1:1", "16:9", "9:16"]
    assert page.number_input(key=f"compare.image.{MODEL}.num_outputs").max == 4
    page.text_area(key=f"compare.image.{MODEL}.prompt").set_value("a cat <b>")
    page.number_input(key=f"compare.image.{MODEL}.num_outputs").set_value(2)
    ended(press(page, "make"))
    assert replicate.jobs[0].input == {"prompt": "a cat <b>", "num_outputs": 2}
    assert len(page.get("image")) == 2 and EN.t("compare_images.billed", seconds="1.25") in texts(page)
    assert "num\\_outputs\\: 2" in texts(page) and "prompt\\: a cat" in texts(page)
    with zipfile.ZipFile(io.BytesIO(zip_of(works(page)))) as archive:
        assert "01/picture-2.png" in archive.namelist()


def test_what_goes_wrong_is_a_sentence_and_the_form_stays(page: AppTest, replicate: ReplicateStandIn) -> None:
    press(opened(page), "make")  # without a prompt
    assert "bad_parameter" in page.error[0].value and not replicate.jobs
    opened(page, "replicate/test/image-failed")
    page.text_area(key="compare.image.replicate/test/image-failed.prompt").set_value("a cat")
    ended(press(page, "make"))
    assert "NSFW content detected" in page.error[0].value and not page.get("image")
    opened(page, "x")
    assert "bad_input" in page.error[0].value
    assert not marks_in(texts(page))


def test_a_page_that_is_closed_ends_the_picture_at_replicate(
    page: AppTest, replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = threading.Event()  # AppTest has no browser that could go away
    monkeypatch.setattr("apps.streamlit_compare.pictures.browser_watch", lambda: lambda: not gone.is_set())
    replicate.token_s = 3600.0  # it works until it is stopped
    press(page, "example.lighthouse")
    gone.set()
    assert wait_for(lambda: bool(replicate.jobs) and replicate.jobs[0].status == "canceled", SOON_S)


def test_an_example_runs_with_one_click(page: AppTest) -> None:
    ended(press(page, "example.lighthouse"))
    assert len(page.get("image")) == 1
    assert "lighthouse" in str(works(page)[0].given["prompt"]).lower()


def test_a_student_without_a_key_is_told_so(page: AppTest, in_class: Person, replicate: ReplicateStandIn) -> None:
    opened(page)
    assert "access_denied" in page.error[0].value and not replicate.requests
