"""The page of samplers over the bundled model: what a click does, what settings alone do, what an error leaves."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps import host
from apps.options import Options
from apps.ui.i18n import words
from engine.backends.echo import Echo
from engine.catalog import ModelCard
from engine.engine import Engine
from engine.runtime.load import LoadParams
from engine.sampling import Exploration, Lens
from engine.settings import Settings
from tests.pages.conftest import ROOT, EchoEngine, texts

PATIENCE_S = 240
WINDOW = 256


class Narrow(Engine):
    """An engine whose local models have a small window."""

    def load_params(self, card: ModelCard) -> LoadParams:
        return replace(super().load_params(card), context=WINDOW)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine with the bundled model for all tests of this file: its microscope is loaded once."""
    made = Narrow(Settings(home=tmp_path_factory.mktemp("home"), threads=1, prepare=False))
    yield made
    made.close()


@pytest.fixture
def page(local: Engine, isolation: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page by itself, in English, with a text that is looked at."""
    monkeypatch.setattr(host, "engine", lambda: local)
    monkeypatch.setattr(host, "options", Options)
    app = AppTest.from_file(str(ROOT / "pages" / "sampling.py"), default_timeout=PATIENCE_S)
    app.session_state["lang"] = "en"
    app.run()
    return clean(app.button(key="sampling.example.capital").click().run())


def clean(app: AppTest) -> AppTest:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]
    return app


def click(app: AppTest, name: str) -> AppTest:
    return clean(app.button(key=f"sampling.{name}").click().run())


def explored(app: AppTest) -> Exploration:
    """What the page has explored."""
    (found,) = app.session_state["sampling.explorations"].values()
    assert isinstance(found, Exploration)
    return found


def lens(app: AppTest) -> Lens:
    found: Lens = app.session_state["sampling.opened"][1].lens
    return found


def moment(app: AppTest) -> Any:
    return app.session_state["sampling.moment"][1]


@pytest.mark.model
def test_settings_act_at_once_on_what_the_model_has_said(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    before = moment(page).stages
    assert explored(page).prompt == "The capital of France is" and before[-1].survivors > 1
    monkeypatch.setattr(lens(page), "_asked", None)  # whoever asks the worker now fails
    clean(page.slider(key="sampling.box.top_k").set_value(1).run())
    assert moment(page).stages[-1].survivors == 1 and page.session_state["top_k"] == 1
    clean(page.button_group(key="sampling.box.order").set_value("huggingface").run())
    assert [stage.step.kind for stage in moment(page).stages][1:3] == ["penalties", "temperature"]
    click(page, "draw")
    assert "there is nothing to compare" in texts(page)


@pytest.mark.model
def test_tokens_are_written_taken_back_and_chosen(page: AppTest) -> None:
    click(page, "step")
    first = explored(page)
    assert len(first.nodes) == 1 and first.nodes[0].by == "dart" and first.nodes[0].alternatives
    click(page, "back")
    assert explored(page).at is None and len(explored(page).nodes) == 1
    other = next(int(token) for token in moment(page).stages[0].probabilities.argsort()[::-1]
                 if token != first.nodes[0].token)  # fmt: skip
    page.session_state["sampling.wanted"] = ("take", {"token": other})
    clean(page.run())
    assert [node.by for node in explored(page).nodes] == ["dart", "hand"]
    click(page, "run")
    assert len(explored(page).written) == 11
    clean(page.button(key="sampling.node.0").click().run())
    assert explored(page).at == 0
    assert Exploration.from_json(explored(page).to_json()) == explored(page)


@pytest.mark.model
def test_the_death_of_the_worker_is_one_sentence_and_nothing_is_lost(page: AppTest) -> None:
    click(page, "step")
    before, pid = explored(page), lens(page).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    page.button(key="sampling.run").click().run()
    assert not page.exception and len(page.error) == 1
    assert words("en").t("error.runtime_died.what").split("’")[0] in page.error[0].value
    assert explored(page).nodes[:1] == before.nodes  # and one more, whose numbers were here already
    click(page, "step")
    assert len(explored(page).written) == len(before.written) + 2


@pytest.mark.model
def test_too_long_a_text_is_refused_with_its_numbers_and_stays(page: AppTest) -> None:
    before, long = explored(page), "word " * 400
    clean(page.text_area(key="sampling.text").set_value(long).run())
    page.button(key="sampling.look").click().run()
    assert not page.exception and len(page.error) == 1 and str(WINDOW) in page.error[0].value
    assert explored(page) == before and page.text_area(key="sampling.text").value == long


@pytest.mark.model
def test_two_settings_and_the_grid(page: AppTest) -> None:
    page.session_state["sampling.tabs"] = "Two settings"
    clean(page.run())
    assert "Distance" in texts(page) or "exactly the same probabilities" in texts(page)
    page.session_state["sampling.tabs"] = "Grid"
    clean(page.run())
    page.slider(key="sampling.box.samples").set_value(1)
    clean(page.slider(key="sampling.box.tokens").set_value(2).run())
    click(page, "grid_start")
    filling = page.session_state["sampling.filling"]
    assert len(filling.done) == filling.total == 9 and "1 different of 1" in texts(page)


@pytest.mark.model
def test_a_grammar_tells_its_mass(page: AppTest) -> None:
    page.session_state["sampling.values"] = {
        **page.session_state["sampling.values"], "kind": "grammar", "source": 'root ::= " Paris" | " London"',
    }  # fmt: skip
    clean(page.run())
    assert "The form allows" in texts(page)
    assert {stage.step.kind for stage in moment(page).stages} >= {"grammar"}


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_model_elsewhere_shows_its_likeliest_tokens_only(engine: EchoEngine, lang: str) -> None:
    engine.echo = Echo()  # type: ignore[assignment]
    app = AppTest.from_file(str(ROOT / "pages" / "sampling.py"), default_timeout=PATIENCE_S)
    app.session_state["lang"] = lang
    app.session_state["sampling.exercises"] = True
    clean(app.run())
    app.text_area(key="sampling.text").set_value("one two three")
    app.button(key="sampling.look").click().run()
    clean(app)
    assert "top-N" in app.warning[0].value
    assert app.session_state["sampling.places"][1][0].wrote
