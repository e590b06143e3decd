"""The page of the rhyme over an echo: its steps, a run that is scored, what stands under it, what its address says."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from apps.streamlit_comptine.desk import Desk
from apps.streamlit_comptine.replay import _read
from apps.streamlit_kit import Ui
from apps.ui.i18n import words
from engine.comptine.cell import Cell
from engine.comptine.charts import CHARTS
from engine.comptine.grid import Sweep
from engine.comptine.replaying import replayed
from engine.comptine.running import run
from engine.comptine.sweepfile import new_file
from engine.errors import EngineError
from engine.person import LOCAL
from tests.pages.conftest import ROOT, EchoEngine, texts

START, OPEN = "comptine.start", "comptine.open."
PATIENCE_S = 240  # heavy work has the lowest priority, and other tests may run beside this one


@pytest.fixture
def page(engine: EchoEngine) -> AppTest:
    """The page by itself, in English, not yet run."""
    app = AppTest.from_file(str(ROOT / "pages" / "comptine.py"), default_timeout=240)
    app.session_state["lang"] = "en"
    return app


def clean(app: AppTest) -> None:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]


def ended(app: AppTest) -> Any:
    """The result of the run under way, on a page drawn anew."""
    assert app.session_state["comptine.running"].wait(30)
    app.run()
    clean(app)
    return app.session_state["comptine.running"].result


def at(app: AppTest, step: str) -> AppTest:
    app.button(key=f"{OPEN}{step}").click().run()
    clean(app)
    return app


def test_one_step_is_open_and_all_are_in_sight(page: AppTest) -> None:
    page.run()
    clean(page)
    assert page.title[0].value == "Rhyme"
    shown = [button.label for button in page.button if str(button.key).startswith(OPEN)]
    assert shown[:3] == ["**1 · Rhyme**", "**2 · Question**", "**3 · Run**"]
    assert page.number_input(key="comptine.box.n").value == 30
    assert "Vers 1: Le nom de carnet 1 est" in page.code[0].value and "Refrain" in page.code[0].value
    at(page, "question")
    assert "comptine.box.n" not in {box.key for box in page.number_input}
    assert page.number_input(key="comptine.box.last").value == 10


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_every_step_and_every_fold_opens_in_both_languages(page: AppTest, lang: str) -> None:
    page.session_state["lang"] = lang
    for box in ("prompt", "ends_box", "engines_box", "whole", "surprise", "card"):
        page.session_state[f"comptine.{box}"] = True
    page.session_state["comptine.step"] = "sweep"
    clean(page.run())
    for step in ("rhyme", "question", "run"):
        at(page, step)
    assert page.caption[0].value == words("fr" if lang == "fr" else "en").t("question.comptine")


def test_a_run_gives_the_engines_own_metrics_and_says_them(page: AppTest, engine: EchoEngine) -> None:
    for name, value in {"n": "10", "variant": "constant", "first": "1", "last": "10"}.items():
        page.query_params[name] = value
    at(page.run(), "run").button(key=START).click().run()
    result = ended(page)
    cell = Cell(10, 1, 10, seed=1, model="echo")  # the echo gives the whole rhyme back, which is the right answer
    same = run(engine.model("echo"), cell)
    assert result.cell == cell and result.metrics() == same.metrics() and result.score.strict == 1.0
    shown = texts(page)
    assert "10 of 10 exact, then stopped" in shown and "| strict accuracy | 1.00 |" in shown
    page.button(key="comptine.under.trace").click().run()
    clean(page)
    assert page.session_state["comptine.panel"][1].messages[0].content == cell.prompt().text


def test_the_address_tells_the_cell_and_never_a_text(page: AppTest) -> None:
    page.query_params["n"] = "69"
    page.query_params["policy"] = "nonsense"
    page.run()
    assert page.number_input(key="comptine.box.n").value == 69
    page.number_input(key="comptine.box.n").set_value(20).run()
    at(page, "question").selectbox(key="comptine.box.kind").set_value("custom").run()
    page.text_area(key="comptine.box.text").set_value("my private question").run()
    clean(page)
    assert dict(page.query_params) == {"n": "20", "kind": "custom"}


def test_what_a_browser_still_sends_of_a_closed_step_changes_nothing(page: AppTest) -> None:
    page.run()
    desk = Desk(Ui("comptine", "en"))
    for kept, n in ((30, 69), (31, 31)):  # what was shown, and what a person has typed
        state = {"comptine.values": {"n": 69}, "comptine.shown.n": (30,), "comptine.box.n": kept}
        with patch.object(st, "session_state", state):
            desk.changed("n")
        assert state["comptine.values"] == {"n": n}


def test_the_sheet_runs_with_one_click(page: AppTest) -> None:
    page.run()
    assert "byte" in texts(page)
    page.button(key="comptine.go.zero_shot.comptine.reading.as_written").click().run()
    result = ended(page)
    assert (result.cell.verses, result.cell.last, result.cell.variant) == (69, 30, "constant")
    assert page.session_state["comptine.step"] == "run"


def test_a_prompt_beyond_the_window_is_not_sent_and_the_survivors_are_shown(page: AppTest) -> None:
    page.query_params["n"], page.query_params["window"] = "100", "512"
    at(page.run(), "run").button(key=START).click().run()
    assert page.session_state["comptine.running"].wait(30)
    page.run()
    clean(page)
    assert "Not sent" in texts(page)
    at_question = page.button(key=f"{OPEN}question").click().run()
    at_question.selectbox(key="comptine.box.policy").set_value("keep_end").run()
    assert not page.exception and any("verses whole" in html.value for html in page.get("html"))


def test_a_bet_and_the_bisection_find_the_same_end(page: AppTest) -> None:
    page.query_params["window"] = "512"
    page.session_state["comptine.ends_box"] = True
    at(page.run(), "question").button(key="comptine.search").click().run()
    clean(page)
    found = page.session_state["comptine.ends"][1]
    last = found["prompt"].last
    for verses, word in ((last, "taken"), (last + 1, "refused")):
        page.number_input(key="comptine.guess").set_value(verses)
        page.button(key="comptine.bet").click().run()
        assert word in str(page.session_state["comptine.bets"][1][-1])
    assert found["answer"].last < last


def test_a_run_opens_in_chat(page: AppTest, app: AppTest, engine: EchoEngine) -> None:
    app.run()
    app.switch_page("../pages/comptine.py").run()
    app.button(key="comptine.go.zero_shot.comptine.reading.as_written").click().run()
    ended(app)
    app.button(key="comptine.to_chat").click().run()
    assert not app.exception
    assert app.session_state["chat.open"].conversation.path()[0].content.startswith("Vers 1:")


def test_a_sweep_runs_is_kept_and_its_pictures_are_drawn(page: AppTest, engine: EchoEngine) -> None:
    page.session_state["comptine.step"] = "sweep"
    page.session_state["comptine.grid"] = {"verses": "5, 6", "shots": [0, 1], "seeds": 1}
    page.run()
    clean(page)
    page.button(key="comptine.sweep_start").click().run()
    clean(page)
    job = engine.jobs.list("local")[-1]
    assert page.button(key="comptine.sweep_cancel")
    assert engine.jobs.wait(job.id, PATIENCE_S).state == "done", engine.jobs.get(job.id)
    clean(page.run())
    assert "Done: 4 of 4 cells" in texts(page).replace("\\", "")
    for view in (*CHARTS, "table"):
        page.session_state["comptine.view"] = view
        clean(page.run())
    assert "| 5 |" in texts(page) and "Effective context" in texts(page)
    assert "First − second" in texts(page)


def test_a_grid_that_cannot_be_is_a_sentence(page: AppTest) -> None:
    page.session_state["comptine.step"] = "sweep"
    for grid, word in (({"verses": "x"}, "verses.0"), ({"verses": "5", "ranges": "9-10"}, "beyond"),
                       ({"verses": ", ".join(map(str, range(5, 65))), "seeds": 100}, "more than")):  # fmt: skip
        page.session_state["comptine.grid"] = grid
        clean(page.run())
        assert word in page.warning[0].value and page.button(key="comptine.sweep_start").disabled


def test_a_sweep_goes_on_from_what_is_kept_and_is_cancelled(page: AppTest, engine: EchoEngine, isolation: Path) -> None:
    sweep = Sweep.of({"verses": (5, 6), "ranges": ((1, 3),), "seeds": (1,), "models": ("echo",)})
    file = new_file(isolation, "local")
    file.begin(sweep)
    file.add(run(engine.model("echo"), sweep.cells()[0]))
    page.session_state["comptine.step"] = "sweep"
    clean(page.run())
    assert "1 of 2" in texts(page)
    page.button(key="comptine.sweep_resume").click().run()
    clean(page)
    (job,) = engine.jobs.list("local")
    assert job.args["path"] == str(file.path)
    page.button(key="comptine.sweep_cancel").click().run()
    clean(page)
    assert engine.jobs.get(job.id).state in ("cancelled", "done")  # two cells of an echo may be quicker than a click
    engine.jobs.wait(job.id, PATIENCE_S)
    clean(page.run())
    kept = file.read()
    assert sweep.cells()[0].key in kept.results
    assert [button.key for button in page.button].count("comptine.sweep_resume") == (len(kept.results) < 2)


def test_a_file_that_is_no_run_is_a_sentence(page: AppTest, engine: EchoEngine) -> None:
    for data in (b"no json", b"{}", b"[]"):
        with pytest.raises(EngineError):
            list(replayed(engine, _read(data), LOCAL))
    assert not engine.jobs.list("local")


def test_strictly_reproducible_stays_chosen_when_its_step_is_closed(page: AppTest) -> None:
    at(page.run(), "run").toggle(key="comptine.box.strict").set_value(True).run()
    at(at(page, "rhyme"), "run")
    assert page.toggle(key="comptine.box.strict").value
    assert [box.label for box in page.expander][-1] == "Replay a run file"  # there before any run
