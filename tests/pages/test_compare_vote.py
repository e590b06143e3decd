"""The tabs Blind vote and Prices of the Streamlit page: no name before the vote, a board, the teacher's own prices."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from apps import host
from apps.options import Options
from apps.ui.compare_vote import EXAMPLES
from apps.ui.i18n import words
from engine.people import Person
from engine.person import LOCAL
from tests.pages.conftest import ROOT, EchoEngine
from tests.pages.conftest import texts as escaped

EN = words("en")
MODELS = ("smollm2-135m-instruct", "echo")  # both are echoes here


@pytest.fixture
def page(engine: EchoEngine) -> AppTest:
    engine.arena.choose(MODELS)
    app = AppTest.from_file(str(ROOT / "pages" / "compare.py"), default_timeout=240)
    app.session_state["lang"], app.session_state["model"] = "en", "echo"
    return app


def texts(app: AppTest) -> str:
    """What is read on the page: without the signs that keep it from being Markdown, blanks all alike."""
    return " ".join(escaped(app).replace("\\", "").replace("\u202f", " ").replace("\u00a0", " ").split())


def at(app: AppTest, tab: str) -> AppTest:
    app.session_state["compare.tabs"] = EN.t(f"compare.tab.{tab}")
    app.run()
    clean(app)
    return app


def clean(app: AppTest) -> None:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]


def as_student(monkeypatch: pytest.MonkeyPatch, engine: EchoEngine) -> Person:
    person = engine.people.join("Zoé", "student")
    monkeypatch.setattr(host, "person_of", lambda _: person)
    monkeypatch.setattr(host, "options", lambda: replace(Options(), class_mode=True))
    return person


def test_a_pair_is_asked_voted_on_and_revealed(page: AppTest, engine: EchoEngine) -> None:
    at(page, "vote")
    assert EN.t("compare_vote.board_empty") in texts(page)
    page.text_area(key="compare.vote.question").set_value("Where is Nice?")
    page.text_input(key="compare.vote.tag").set_value("Towns")
    page.button(key="compare.vote.start").click().run()
    clean(page)
    told = texts(page)
    assert "Where is Nice?" in told and EN.t("compare_vote.vote_now") in told
    assert "A was" not in told
    page.button(key="compare.vote.left").click().run()
    clean(page)
    told = texts(page)
    assert "A was" in told and "Your vote: A is better." in told and "1 vote counts." in told
    (vote,) = engine.arena.mine(LOCAL.id)
    assert vote.tag == "towns" and {vote.left, vote.right} == set(MODELS)
    page.button(key="compare.vote.start").click().run()
    clean(page)
    page.button(key="compare.vote.tie").click().run()
    assert engine.arena.board("towns").ratings.votes == 2


def test_an_example_asks(page: AppTest, engine: EchoEngine) -> None:
    at(page, "vote")
    assert [name for name in EXAMPLES if page.button(key=f"compare.vote.example.{name}")] == list(EXAMPLES)
    page.button(key="compare.vote.example.fact").click().run()
    clean(page)
    assert "capital of Italy" in texts(page) and page.button(key="compare.vote.both_bad")


def test_nothing_to_ask_is_a_sentence(page: AppTest, engine: EchoEngine) -> None:
    at(page, "vote")
    page.button(key="compare.vote.start").click().run()
    assert len(page.error) == 1 and not page.exception


def test_a_student_votes_and_manages_nothing(
    page: AppTest, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_student(monkeypatch, engine)
    at(page, "vote")
    keys = {one.key for one in page.button} | {one.key for one in page.multiselect}
    assert not keys & {"compare.vote.save_models", "compare.vote.models", "compare.vote.clear"}
    at(page, "prices")
    assert EN.t("compare_prices.teacher") in texts(page)
    assert "compare.prices.save" not in {one.key for one in page.button}


def test_the_teacher_chooses_who_vies(page: AppTest, engine: EchoEngine) -> None:
    at(page, "vote")
    page.multiselect(key="compare.vote.models").set_value(["echo"])
    page.button(key="compare.vote.save_models").click().run()
    assert len(page.error) == 1 and engine.arena.models() == MODELS
    page.multiselect(key="compare.vote.models").set_value([])
    page.button(key="compare.vote.save_models").click().run()
    clean(page)
    assert "echo" in engine.arena.models()


def test_prices_are_shown_and_a_class_worked_out(page: AppTest, engine: EchoEngine) -> None:
    at(page, "prices")
    told = texts(page)
    assert "gpt-4o-mini" in told and "0.31 USD" in told and "unknown" in told
    page.number_input(key="compare.prices.students").set_value(60).run()
    assert "0.61 USD" in texts(page)
    page.selectbox(key="compare.prices.provider").set_value("mistral").run()
    assert "gpt-4o-mini" not in texts(page) and "open: Apache-2.0" in texts(page)


def test_the_teacher_keeps_prices_and_electricity(page: AppTest, engine: EchoEngine) -> None:
    at(page, "prices")
    page.text_area(key="compare.prices.own").set_value("openai/gpt-5 input=1 output=2\nreplicate/a/b hardware=gpu-t4")
    page.button(key="compare.prices.save").click().run()
    clean(page)
    assert set(engine.prices.own()) == {"openai/gpt-5", "replicate/a/b"}
    page.number_input(key="compare.prices.watts").set_value(65.0)
    page.button(key="compare.prices.assume").click().run()
    clean(page)
    assumed = engine.prices.electricity()
    assert assumed is not None and (assumed.watts, assumed.currency) == (65, "EUR")
    page.text_area(key="compare.prices.own").set_value("openai/gpt-5 cheap")
    page.button(key="compare.prices.save").click().run()
    assert len(page.error) == 1 and "Line 1" in page.error[0].value and len(engine.prices.own()) == 2
