"""The page of quality: what is asked becomes a job, what is kept is shown, students quantize nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.ui import quality, quality_charts, quality_tables
from apps.ui.i18n import words
from apps.ui.quality import EXAMPLES, TABLES, TABS
from engine.errors import BadInput
from engine.jobs import Job
from engine.people import Person
from engine.person import LOCAL
from engine.quality import asking
from engine.quality.results import Results
from tests.pages.conftest import ROOT, EchoEngine, texts
from tests.standins.quality import EVALUATION, KINDS, SPEED, TEXT

MODEL = "smollm2-135m-instruct"
KEPT: dict[str, Any] = {"perplexity": TEXT, "quantizations": KINDS, "speed": SPEED, "evaluation": EVALUATION}
EN = words("en")


@pytest.fixture
def page(engine: EchoEngine) -> AppTest:
    """The page by itself, in English, with a local model chosen, not yet run."""
    app = AppTest.from_file(str(ROOT / "pages" / "quality.py"), default_timeout=240)
    app.session_state["lang"], app.session_state["model"] = "en", MODEL
    return app


@pytest.fixture
def submitted(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would be put into the queue."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(type(engine.jobs), "submit", lambda _, *given, **more: sent.append((*given, more)))
    return sent


def clean(app: AppTest) -> None:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]


def at(app: AppTest, tab: str) -> AppTest:
    """That tab in sight."""
    app.session_state["quality.tabs"] = EN.t(f"quality.tab.{tab}")
    app.run()
    clean(app)
    return app


@pytest.mark.parametrize("tab", TABS)
def test_an_empty_tab_has_three_examples(page: AppTest, tab: str, submitted: list[Any]) -> None:
    at(page, tab)
    keys = [button.key for button in page.button if (button.key or "").startswith("quality.example.")]
    assert keys == [f"quality.example.{tab}.{name}" for name in EXAMPLES[tab]]  # type: ignore[index]
    assert EN.t("quality.none") in texts(page)
    page.button(key=keys[0]).click().run()
    clean(page)
    assert len(submitted) == 1 and submitted[0][0] == LOCAL.id


def test_what_is_typed_is_measured(page: AppTest, submitted: list[Any]) -> None:
    at(page, "perplexity")
    page.text_area(key="quality.text").set_value("My own words.")
    page.button(key="quality.start.perplexity").click().run()
    clean(page)
    assert submitted[0][2]["text"] == "My own words." and submitted[0][2]["window"] == 512
    at(page, "speed")
    page.text_input(key="quality.depths").set_value("0, 64")
    page.button(key="quality.start.speed").click().run()
    clean(page)
    assert submitted[1][2]["plan"]["depths"] == (0, 64) or submitted[1][2]["plan"]["depths"] == [0, 64]


def test_what_cannot_be_measured_is_said(page: AppTest, submitted: list[Any]) -> None:
    at(page, "perplexity")
    page.button(key="quality.start.perplexity").click().run()
    assert EN.t("prompt_problem.nothing_to_measure").split(".")[0] in texts(page) and not submitted
    page.session_state["model"] = "echo"
    page.run()
    assert EN.t("quality.not_local") in [info.value for info in page.info]


@pytest.mark.parametrize("tab", TABS)
def test_what_is_kept_is_shown_with_its_card(page: AppTest, engine: EchoEngine, tab: str) -> None:
    results = Results(engine.library, LOCAL.id)
    results.keep(tab, "older", KEPT[tab], at=1.0)  # type: ignore[arg-type]
    results.keep(tab, "newer", KEPT[tab], at=2.0)  # type: ignore[arg-type]
    at(page, tab)
    told = texts(page)
    assert "a1b2c3d4e5f6" in told and EN.t("quality.none") not in told
    (chosen,) = (box for box in page.selectbox if box.label == EN.t("quality.earlier"))
    assert [option.split(" · ")[-1] for option in chosen.options] == ["newer", "older"]
    if tab in ("speed", "evaluation"):
        before = next(box for box in page.selectbox if box.label == EN.t(f"{TABLES[tab]}.compare"))  # type: ignore[index]
        before.select_index(0).run()
        clean(page)


def test_a_student_sees_what_the_teacher_measured(page: AppTest, engine: EchoEngine, in_class: Person) -> None:
    at(page, "quantizations")
    assert not [button for button in page.button if "start.quantizations" in (button.key or "")]
    teacher = engine.people.join("Mme Martin", "teacher")
    Results(engine.library, teacher.id).keep("quantizations", "table", KINDS)
    page.run()
    assert "Q2_K" in texts(page).replace("\\", "")


def test_words_of_results() -> None:
    fr = words("fr")
    rows = quality.text_rows(TEXT, fr)
    assert rows[0][1] == "18,35\u00a0±\u00a00,65" and rows[2][1] == "0,912"
    data = quality.strip_data(TEXT, EN)
    assert data is not None and data["tokens"][1]["p"] == 0.25 and "2.0 bits" in data["tokens"][1]["label"]
    assert data["tokens"][0]["label"].endswith("nothing comes before")
    assert quality_tables.kinds_rows(KINDS, EN)[2][0] == "IQ1_S"
    assert [one["name"] for one in quality_charts.points(KINDS, "mean_kld", EN)] == ["Q4_1 (source)", "Q2_K"]
    assert "Q2_K" in quality_charts.scatter_text(KINDS, "writes", EN)
    assert quality_charts.scatter(KINDS, "perplexity", fr).to_dict()["layer"]
    assert quality_charts.tests([{**SPEED["rows"][0], "n_threads": n} for n in (1, 2)]) == [
        "pp128 · t 1",
        "pp128 · t 2",
    ]
    assert quality_tables.ratio_rows(SPEED, SPEED, EN)[0][-1].startswith("1.00 [")
    assert "0.00 [0.00; 0.00]" in quality_tables.compared_lines(EVALUATION, EVALUATION, EN)[0]
    with pytest.raises(BadInput):
        quality.numbers("512, many")
    assert quality.numbers("512; 128 64") == [512, 128, 64]


@pytest.mark.parametrize("kind", TABS)
def test_files(kind: Any) -> None:
    told = json.loads(quality.file(kind, "json", KEPT[kind]))
    assert told[0]["card"]["sha256"] if kind == "speed" else told == KEPT[kind]
    assert len(quality.file(kind, "csv", KEPT[kind]).splitlines()) > 1


def test_how_far_it_is(engine: EchoEngine) -> None:
    row = {"id": "x", "owner": "local", "task": "t", "title": "model · text", "args": {}, "result": None, "error": None}
    job = Job(**row, state="running", done=50.0, total=200.0, created=0, started=0, finished=None, eta=75.0)  # type: ignore[arg-type]
    assert quality.progress(job, EN).text == "model · text: 25%, 75 s left".replace("75 s", EN.seconds(75.0))
    assert quality.progress(replace(job, state="queued"), EN).share is None
    assert asking.open_job(engine, LOCAL) is None
