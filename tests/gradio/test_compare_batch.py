"""Batches in the Gradio mirror: the named endpoint to its end, what the events of the tab do, who sees what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps import gradio_kit, host
from apps.gradio_compare.batch_desk import BatchDesk
from apps.gradio_compare.batch_form import lay_out, model_choices
from apps.gradio_kit import Ui
from apps.options import Options
from apps.ui import batch
from engine.compare.batch import BatchRun
from engine.compare.batch_file import BatchFile, new_file, saved_files
from engine.compare.batch_job import TASK
from engine.compare.batch_plan import Batch
from engine.jobs import OPEN
from engine.person import Person
from engine.settings import Settings
from tests.gradio.conftest import FOREIGN, EchoEngine, Obedient, Site, lies_about, serving
from tests.patience import JOB_S

ME: Any = SimpleNamespace(headers={}, query_params={}, url="http://h/gradio/en/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("batch"), EchoEngine) as running:
        yield running


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    engine = EchoEngine(Settings(home=tmp_path / "home", model="echo"), serve=True)
    engine.echo = Obedient()
    yield Ui(engine, "en", Options())
    engine.close()


@pytest.fixture
def desk(ui: Ui) -> BatchDesk:
    """The tab's handlers over components that no browser shows."""

    async def made() -> BatchDesk:  # without a running loop Gradio opens some that it never closes
        with gr.Blocks(analytics_enabled=False) as blocks:
            return BatchDesk(ui, gradio_kit.sidebar(ui, blocks), lay_out(ui))

    return asyncio.run(made())


@pytest.fixture
def submitted(ui: Ui, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would be put into the queue; it is done at once, in this process."""
    sent: list[tuple[Any, ...]] = []
    job = SimpleNamespace(id="j", state="done", error=None)
    monkeypatch.setattr(type(ui.engine.jobs), "submit", lambda _, *given, **more: sent.append(given) or job)
    return sent


def values(desk: BatchDesk, **held: Any) -> dict[Any, Any]:
    """What a page holds: as it is laid out, but for these fields."""
    parts = desk.parts
    told: dict[Any, Any] = {box: held.get(name, box.value) for name, box in parts.boxes.items()}
    others = (parts.table, parts.watched, parts.done, parts.chosen, parts.which, parts.only, parts.measure)
    told |= {part: getattr(part, "value", None) for part in others}
    return told | {desk.bar.model: "echo", parts.file: None}


def kept(ui: Ui, owner: str = "local", text: str = "<b>Paris</b>", **fields: Any) -> BatchFile:
    asked = {"rows": [{"q": text, "a": text}, {"q": "Rome", "a": "Oslo"}], "templates": ["{{q}}"], "models": ["echo"],
             "checks": [{"kind": "contains", "value": "{{a}}"}], **fields}  # fmt: skip
    file = new_file(ui.engine.settings.home, owner)
    for _ in BatchRun(ui.engine, Batch.of(asked), file, owner=owner):
        pass
    return file


def test_a_batch_runs_to_its_end_over_the_endpoint(site: Site) -> None:
    client = Client(site.language("en"), verbose=False)
    job = client.submit(
        rows=[{"q": "Paris", "a": "paris"}, {"q": "Rome", "a": "Oslo"}], models=["echo"], templates=["Say {{q}}"],
        checks=[{"kind": "contains", "value": "{{a}}"}], budget="1", api_name="/batch_run",
    )  # fmt: skip
    how_far, told = job.result(timeout=JOB_S)
    assert how_far["state"] == "done"
    assert [(one["text"], one["passed"]) for one in told["results"]] == [("Say Paris", True), ("Say Rome", False)]
    assert told["summary"]["answers"] == 2 and told["summary"]["spent"] == "0"
    for wrong in ({"rows": []}, {"rows": [{"q": "x"}], "templates": ["{{y}}"]}, {"rows": [{"q": "x"}], "budget": "-1"}):
        with pytest.raises(AppError):
            client.predict(**wrong, models=["echo"], api_name="/batch_run")
    client.close()


def test_three_examples_run_with_one_click(desk: BatchDesk, submitted: list[Any]) -> None:
    for name in batch.EXAMPLES:
        updates = desk.example(name)(values(desk), ME)
        assert updates[desk.parts.done] == "j", updates
    assert [given[1] for given in submitted] == [TASK] * 3
    assert [len(BatchFile(Path(given[2]["path"])).read().batch.cells()) for given in submitted] == [4, 8, 2]


def test_the_form_is_asked_and_what_is_wrong_is_said(desk: BatchDesk, submitted: list[Any]) -> None:
    form = {"prompts": "one\n\ntwo", "template": "Say {{prompt}}", "params": "temperature = 0, 1", "budget": "0,5",
            "contains": "{{prompt}}", "repetitions": 2}  # fmt: skip
    desk.start(values(desk, **form), ME)
    asked = BatchFile(Path(submitted[0][2]["path"])).read().batch
    assert len(asked.cells()) == 8 and str(asked.budget) == "0.5" and asked.models == ("echo",)
    for wrong in ({}, {"prompts": "a", "template": "{{<x>}}"}, {"prompts": "a", "budget": "much"}):
        told = desk.start(values(desk, **wrong), ME)[desk.parts.told]
        assert 'role="alert"' in told and "<x>" not in told
    assert len(submitted) == 1


def test_a_table_is_read_once_and_asked(desk: BatchDesk, submitted: list[Any]) -> None:
    path = Path(get_upload_folder()) / "batch-test" / "t.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("q;a\nParis;<i>\n", encoding="utf-8")
    told = desk.brought({desk.parts.file: str(path)})
    assert "t.csv" in told[desk.parts.note] and not path.exists()
    desk.start(values(desk) | {desk.parts.table: told[desk.parts.table]}, ME)
    assert BatchFile(Path(submitted[0][2]["path"])).read().batch.rows == ({"q": "Paris", "a": "<i>"},)
    refused = desk.brought({desk.parts.file: "/etc/passwd"})
    assert 'role="alert"' in refused[desk.parts.note] and refused[desk.parts.table].value is None


def test_results_are_drawn_escaped_filtered_and_saved(desk: BatchDesk, ui: Ui) -> None:
    file, parts = kept(ui), desk.parts
    drawn = desk.opened(values(desk), ME)
    assert "&lt;b&gt;Paris" in drawn[parts.answers] and "<b>" not in drawn[parts.answers]
    assert "Rome" in drawn[parts.answers] and drawn[parts.plot] is not None
    failed = desk.opened(values(desk) | {parts.which: "failed"}, ME)[parts.answers]
    assert "Rome" in failed and "Paris" not in failed
    told = desk.save("jsonl")({parts.chosen: file.path.name}, ME)
    (saved,) = json.loads(told)
    assert len(saved["text"].splitlines()) == 2 and saved["name"] == "batch.jsonl"


def test_each_person_chooses_among_their_own_models(desk: BatchDesk, ui: Ui, monkeypatch: pytest.MonkeyPatch) -> None:
    lies_about(ui.engine, monkeypatch)  # after the tab was made
    teachers = desk.choices(ME)
    monkeypatch.setattr(host, "person_of", lambda _: Person("somebody", "Zoé", "student"))
    assert (
        FOREIGN in str(teachers.choices) and desk.choices(ME).choices and FOREIGN not in str(desk.choices(ME).choices)
    )
    guarded = Ui(ui.engine, "en", Options(class_mode=True))
    assert FOREIGN not in str(model_choices(guarded, gradio_kit.role_of(guarded)))  # all pages begin with these


def test_nobody_sees_or_saves_anothers_batch(desk: BatchDesk, ui: Ui, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kept(ui)
    other: Person = ui.engine.people.join("Ada", "student")
    monkeypatch.setattr(host, "person_of", lambda _: other)
    drawn = desk.opened(values(desk) | {desk.parts.chosen: file.path.name}, ME)
    assert "Paris" not in str(drawn) and not saved_files(ui.engine.settings.home, other.id)
    with pytest.warns(UserWarning, match="no longer there"):  # gr.Warning beyond a page
        assert desk.save("csv")({desk.parts.chosen: file.path.name}, ME) == ""
    assert not [job for job in ui.engine.jobs.list(other.id, OPEN)]
    resumed = desk.resume({desk.parts.chosen: file.path.name, desk.parts.boxes["budget"]: "5"}, ME)
    assert 'role="alert"' in resumed[desk.parts.told] and file.read().batch.budget is None
