"""The tab of batches: what the form asks becomes a job, what came is shown and filtered; nobody sees another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.streamlit_kit import plain
from apps.ui import batch
from apps.ui.i18n import words
from engine.compare.batch import BatchRun
from engine.compare.batch_file import BatchFile, Checked, new_file
from engine.compare.batch_job import TASK
from engine.compare.batch_plan import Batch
from tests.pages.conftest import ROOT, EchoEngine, texts

EN = words("en")


@pytest.fixture
def page(engine: EchoEngine) -> AppTest:
    """The page by itself at that tab, in English, not yet run."""
    app = AppTest.from_file(str(ROOT / "pages" / "compare.py"), default_timeout=240)
    app.session_state["lang"], app.session_state["model"] = "en", "echo"
    app.session_state["compare.tabs"] = EN.t("compare.tab.batch")
    return app


@pytest.fixture
def submitted(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would be put into the queue."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(type(engine.jobs), "submit", lambda _, *given, **more: sent.append((*given, more)))
    return sent


def clean(app: AppTest) -> AppTest:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]
    return app


def kept(engine: EchoEngine, owner: str = "local", text: str = "Paris", **fields: Any) -> BatchFile:
    """A batch of that person's that has run."""
    asked = {"rows": [{"q": text, "a": text}, {"q": "Rome", "a": "Oslo"}], "templates": ["{{q}}"], "models": ["echo"],
             "checks": [{"kind": "contains", "value": "{{a}}"}], **fields}  # fmt: skip
    file = new_file(engine.settings.home, owner)
    for _ in BatchRun(engine, Batch.of(asked), file, owner=owner):
        pass
    return file


def test_an_empty_tab_has_three_examples_that_run_with_one_click(
    page: AppTest, engine: EchoEngine, submitted: list[Any]
) -> None:
    clean(page.run())
    assert EN.t("compare_batch.none") in texts(page) and page.button(key="compare.batch.start").disabled
    for name in batch.EXAMPLES:
        clean(page.button(key=f"compare.batch.example.{name}").click().run())
    assert [given[1] for given in submitted] == [TASK] * 3
    saved = [BatchFile(engine.settings.home / given[2]["path"]).read().batch for given in submitted]
    assert [len(one.cells()) for one in saved] == [4, 8, 2] and {one.models for one in saved} == {("echo",)}
    assert all(given[-1]["lane"] == "cores" for given in submitted)


def test_the_form_says_how_much_it_asks_and_what_is_wrong(page: AppTest, submitted: list[Any]) -> None:
    clean(page.run())
    page.text_area(key="compare.batch.prompts").set_value("one\n\ntwo").run()
    assert EN.n("compare_batch.cells", 2, limit=10_000) in texts(page)
    page.text_input(key="compare.batch.template").set_value("{{nowhere}}").run()
    assert "nowhere" in page.warning[0].value and page.button(key="compare.batch.start").disabled
    page.text_input(key="compare.batch.template").set_value("Say {{prompt}}")
    page.text_input(key="compare.batch.contains").set_value("{{prompt}}")
    page.text_area(key="compare.batch.params").set_value("temperature = 0, 1")
    page.text_input(key="compare.batch.budget").set_value("0,50").run()
    clean(page.button(key="compare.batch.start").click().run())
    ((_, _, args, _, _),) = submitted
    asked = BatchFile(Path(args["path"])).read().batch
    assert len(asked.cells()) == 4 and str(asked.budget) == "0.50" and asked.checks[0].value == "{{prompt}}"


def test_results_are_shown_filtered_and_saved(page: AppTest, engine: EchoEngine) -> None:
    kept(engine)
    clean(page.run())
    told = texts(page)
    assert plain(EN.t("compare_batch.whole", done=2, total=2)) in told and "✓" in told and "✗ text" in told
    assert answered(page) == ["Paris", "Rome"]
    page.button_group(key="compare.batch.filter").set_value("failed").run()
    assert answered(clean(page)) == ["Rome"]


def answered(app: AppTest) -> list[str]:
    """The questions of the grid of answers."""
    grid = next(one.value for one in app.markdown if one.value.startswith("| Question | Model | Passed"))
    return [line.split(" | ")[0].removeprefix("| ") for line in grid.splitlines()[2:]]


def test_nobody_sees_anothers_batches(page: AppTest, engine: EchoEngine) -> None:
    other = engine.people.join("Ada", "student")
    kept(engine, other.id, "a secret of hers")
    clean(page.run())
    assert "a secret of hers" not in texts(page) and EN.t("compare_batch.none") in texts(page)


def test_what_is_missing_can_be_asked_with_another_budget(
    page: AppTest, engine: EchoEngine, submitted: list[Any]
) -> None:
    file = kept(engine)
    wider = file.read().batch.model_copy(update={"repetitions": 2})
    file.begin(wider)
    clean(page.run())
    page.text_input(key="compare.batch.budget").set_value("2").run()
    clean(page.button(key="compare.batch.resume").click().run())
    assert len(submitted) == 1 and str(file.read().batch.budget) == "2"


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_every_word_of_rows_and_charts_is_there(engine: EchoEngine, lang: Any) -> None:
    said = words(lang)
    one = batch.opened(kept(engine, checks=[{"kind": "regex", "value": "x"}]))
    assert len(batch.answers_head(said)) == len(batch.answers_rows(one.lines, said)[0])
    assert len(batch.models_head(said)) == len(batch.models_rows(one.lines, said)[0])
    for measure in batch.measures(said).values():
        batch.chart(one.lines, measure, said)
        assert batch.chart_text(one.lines, measure, said)
    failed = replace(one.lines[0], result=replace(one.lines[0].result, status="failed"))
    told = batch.state_lines(batch.Opened(one.saved, (failed, one.lines[1]), 2), said)
    assert told == [said.t("compare_batch.whole", done=2, total=2), said.n("compare_batch.some_failed", 1)]
    fewer = batch.Opened(one.saved, one.lines[:1], 2)
    assert batch.state_lines(fewer, said) == [said.t("compare_batch.partial", done=1, total=2)]
    later = Checked("judge", None, error="timed_out", cost={"total": "0.5", "currency": "USD", "kind": "listed"})
    unjudged = replace(one.lines[0], result=replace(one.lines[0].result, checks=(later,)))
    asked_again = batch.Opened(one.saved, (unjudged, one.lines[1]), 2)
    assert batch.unfinished(asked_again) and batch.unfinished(fewer) and not batch.unfinished(one)
    cost = batch.cost_told(later.cost or {}, said)
    assert said.t("compare_batch.judging", cost=cost) == batch.state_lines(asked_again, said)[-1]
    for reason in ("no_column", "batch_no_bound", "batch_no_price", "batch_no_limit", "bad_pattern", "too_many_cells"):
        assert said.has(f"error_of.bad_input.{reason}.what")
