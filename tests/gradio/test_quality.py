"""Quality in the Gradio mirror: named endpoints, and what the tab shows of results that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from apps.gradio_kit import Ui
from apps.gradio_quality import forms, looks
from apps.gradio_quality.desk import Desk, Head, Tab
from apps.options import Options
from apps.ui.quality import TABS
from engine.errors import BadInput
from engine.person import LOCAL
from engine.quality.results import Kind, Results
from tests.gradio.conftest import Site, serving
from tests.standins.quality import EVALUATION, KINDS, SPEED, TEXT

MODEL = "smollm2-135m-instruct"
KEPT: dict[str, Any] = {"perplexity": TEXT, "quantizations": KINDS, "speed": SPEED, "evaluation": EVALUATION}
ME: Any = SimpleNamespace(headers={})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror whose folder the children of its queue find."""
    home = tmp_path_factory.mktemp("quality")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATELIER_HOME", str(home))
        patch.setenv("ATELIER_MODEL", "echo")
        with serving(home, slots=1) as running:
            yield running


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


def test_questions_are_put_to_any_model(client: Client, site: Site, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "Say sky", "answers": ["sky"]}\n')
    how, told = client.submit("file", handle_file(str(file)), model="echo", api_name="/quality_questions").result()
    assert how["state"] == "done" and told["source"] == "mine.jsonl" and told["metrics"]["contains"]["n"] == 1
    assert len(Results(site.engine.library, LOCAL.id).list("evaluation")) == 1


@pytest.mark.model
def test_a_text_is_measured(client: Client) -> None:
    how, told = client.submit("The cat sat on the mat.", MODEL, api_name="/quality_perplexity").result()
    assert how["state"] == "done" and "".join(text for text, _, _ in told["strip"]) == "The cat sat on the mat."


def test_what_cannot_be_measured_is_a_sentence(client: Client, tmp_path: Path) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("perplexity", {"text": " ", "model": MODEL}, "bad_input"),
        ("perplexity", {"text": "x", "model": "echo"}, "not_supported"),
        ("perplexity", {"text": "x", "model": "/etc/passwd"}, "unknown_model"),
        ("speed", {"plan": {"prompts": [100_000]}, "model": MODEL}, "bad_parameter"),
        ("speed", {"plan": {"colour": [1]}, "model": MODEL}, "bad_parameter"),
        ("quantizations", {"kinds": ["../Q2_K"], "model": MODEL}, "bad_parameter"),
        ("questions", {"set": "/etc/passwd"}, "bad_input"),
        ("questions", {"methods": ["guess"]}, "bad_input"),
        ("questions", {"methods": ["likelihood"], "model": "echo"}, "not_supported"),
    ]
    for name, given, code in wrong:
        with pytest.raises(AppError, match=rf"\({code}\)"):
            client.predict(**given, api_name=f"/quality_{name}")


@pytest.fixture(scope="module")
def desk(site: Site) -> Desk:
    """The handlers over components that no browser shows."""

    async def made() -> Desk:  # without a running loop Gradio opens some that it never closes
        return _desk(Ui(site.engine, "en", Options()))

    return asyncio.run(made())


def _desk(ui: Ui) -> Desk:
    with gr.Blocks(analytics_enabled=False):
        model: Any = gr.Dropdown([MODEL, "echo"], value=MODEL)
        head = Head(gr.HTML(), gr.HTML(), gr.Button(), gr.Timer(active=False), gr.State(""), gr.State(""))
        tabs: dict[Kind, Tab] = {}
        for kind in TABS:
            with gr.Tab(kind) as tab, gr.Column() as form:
                boxes, start, buttons = forms.FORMS[kind](ui), gr.Button(), forms.examples(ui, kind)
                tabs[kind] = Tab(kind, tab, form, gr.HTML(), boxes, start, buttons, looks.lay_out(ui, kind))
    bar: Any = SimpleNamespace(model=model)
    return Desk(ui, bar, head, tabs)


@pytest.mark.parametrize("kind", TABS)
def test_what_is_kept_is_drawn(desk: Desk, kind: Kind) -> None:
    results, shown = Results(desk.ui.engine.library, LOCAL.id), desk.tabs[kind].shown
    older = results.keep(kind, "older", KEPT[kind], at=1e9)
    newer = results.keep(kind, "newer", KEPT[kind], at=4e9)
    values: dict[Any, Any] = {shown.chosen: None, shown.measure: "mean_kld", desk.head.done: f"{kind} x"}
    told = desk.newest(kind)(values, ME)
    assert set(told) <= set(shown.written) and told[shown.chosen].value == newer.name
    assert "atelier-table" in told[shown.table] and "a1b2c3d4e5f6" in told[shown.below] and told[shown.box].visible
    assert desk.newest(kind)({**values, desk.head.done: "other x"}, ME).keys() == {shown.box}
    told = desk.chosen(kind)({**values, shown.chosen: older.name}, ME)
    assert told[shown.chosen].value == older.name
    assert f"{kind}.csv" in desk.save(kind, "csv")({shown.chosen: older.name}, ME)
    if shown.before is not None:
        both = {shown.before: older.name, shown.chosen: newer.name}
        assert "alert" not in desk.compared(kind)(both, ME)
        results.drop(kind, older.name)
        assert "not_found" in desk.compared(kind)(both, ME)


def test_what_a_form_asks_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []

    def submit(_: Any, *given: Any, **more: Any) -> Any:
        sent.append(given)
        raise BadInput("enough")

    monkeypatch.setattr(type(desk.ui.engine.jobs), "submit", submit)
    for kind, tab in desk.tabs.items():
        held: dict[Any, Any] = {desk.bar.model: MODEL, **{box: box.value for box in tab.boxes.values()}}
        if kind == "perplexity":
            assert "no text" in str(desk.start(kind)(held, ME)[desk.head.told]) and not sent
            held[tab.boxes["text"]] = "My own words."
        assert "bad_input" in desk.start(kind)(held, ME)[desk.head.told]
        for name in tab.examples:
            desk.example(kind, name)(held, ME)
    assert len(sent) == 16 and sent[0][2]["text"] == "My own words."
    speed = desk.tabs["speed"].boxes
    held = {desk.bar.model: MODEL, **{box: box.value for box in speed.values()}, speed["depths"]: "many"}
    assert "commas" in desk.start("speed")(held, ME)[desk.head.told]


def test_nothing_runs(desk: Desk) -> None:
    told = desk.look({desk.head.watched: ""}, ME)
    assert told[desk.head.told] == "" and not told[desk.head.clock].active
    assert "SmolLM2" in desk.model(MODEL) and "inside" in desk.model("echo")
    assert desk.rights(ME)[1] == ""
