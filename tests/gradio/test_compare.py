"""Comparisons in the Gradio mirror: the named endpoint with three sides at once, and what the events of the tab do."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps import gradio_kit, host
from apps.gradio_compare import form, reading, side_by_side
from apps.gradio_compare.desk import Desk
from apps.gradio_compare.kept import PER_PERSON, Comparisons, Open
from apps.gradio_compare.place import Place
from apps.gradio_kit import Ui
from apps.options import Options
from apps.ui import compare
from apps.ui.compare import IN_ADDRESS
from apps.ui.i18n import words
from engine.backends.base import Backend
from engine.compare import Side
from engine.engine import Engine
from engine.params import PARAMS, Params
from engine.person import LOCAL, Person
from engine.providers import provider
from tests.gradio.conftest import FOREIGN, EchoEngine, Site, lies_about, serving
from tests.marks import holding, marks_in
from tests.patience import JOB_S
from tests.standins.lmstudio_server import lmstudio_standin
from tests.standins.replicate_server import KEY, ReplicateStandIn, replicate_standin

ME: Any = SimpleNamespace(headers={}, query_params={}, url="http://h/gradio/en/")
ENDLESS = json.dumps({"answer": "one " + "and more " * 2000, "delay": 0.1})  # it cannot end before it is stopped
HOSTILE = "<script>alert(1)</script> <img src=x onerror=alert(2)>"
PATIENCE_S = 120.0


class RealEngine(EchoEngine):
    """An engine with its own backends, beside the echo that obeys."""

    def _backend(self, *given: Any) -> Backend:
        return Engine._backend(self, *given)


@pytest.fixture(scope="module")
def replicate() -> Iterator[ReplicateStandIn]:
    """Two seconds of cold start."""
    with replicate_standin(boot_s=2.0, token_s=0.02) as server:
        yield server


@pytest.fixture(autouse=True)
def _reached(replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_BASE_URL", replicate.base_url)
    monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror with an LM Studio that listens on this machine."""
    with lmstudio_standin() as studio, serving(tmp_path_factory.mktemp("compare"), RealEngine) as running:
        running.engine.catalog.add(provider("lmstudio").model_copy(update={"base_url": studio.base_url}))
        yield running


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


THREE = ["echo", "lmstudio/plain", "replicate/meta/plain"]


def until(holds: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_three_sides_at_once_and_none_waits_for_another(client: Client, site: Site) -> None:
    job = client.submit(ENDLESS, THREE, api_name="/compare")
    rows: list[dict[str, Any]] = []
    for rows, told in job:
        assert not told
        if [row["status"] for row in rows] == ["running", "done", "done"] and rows[0]["text"]:
            break
    local, studio, cloud = rows
    assert local["text"].startswith("one and more") and studio["text"] == cloud["text"] == "Hello from the stand-in."
    assert cloud["timeToFirstTokenSec"] > 2.0 and local["timeToFirstTokenSec"] > 0
    job.cancel()  # who goes away ends what runs
    until(lambda: any(line.outcome == "user_stopped" for line in site.engine.traces.list(LOCAL.id)))


def test_a_comparison_ends_with_its_report(client: Client) -> None:
    params = [{"temperature": 0}, {}, {"max_tokens": 3}]
    rows, told = client.predict("Hello there", THREE, params, "Be brief.", api_name="/compare")
    assert [row["status"] for row in rows] == ["done"] * 3 and set(told) >= {"sides", "questions", "date", "machine"}
    assert [side["outcome"] for side in told["sides"]] == ["stop", "stop", "max_tokens"]
    assert told["sides"][0]["params"] == {"temperature": 0.0} and told["sides"][1]["system"] == "Be brief."
    assert all(side["stats"]["timeToFirstTokenSec"] > 0 and side["cost"] for side in told["sides"])
    assert not marks_in(json.dumps([rows, told]))


def test_an_error_of_one_side_is_its_own(client: Client) -> None:
    rows, told = client.predict("Hi", ["echo", "replicate/meta/402", "nobody/x"], api_name="/compare")
    assert rows[0]["text"] == "Hi" and "error" not in rows[0]
    assert [row["error"]["code"] for row in rows[1:]] == ["payment_required", "unknown_model"]
    assert told["sides"][1]["outcome"] == "failed" and not marks_in(json.dumps([rows, told]))


SPOKEN = "Hello from"  # had come before the fault
FAULTS = {  # the model of the stand-in: what had come, the code, its place in the catalogue
    "canceled": (SPOKEN, "server_failed", "error_of.server_failed.prediction_canceled"),
    "aborted": ("", "server_failed", "error_of.server_failed.prediction_aborted"),
    "failed-late": (SPOKEN, "server_failed", "error_of.server_failed.prediction_failed"),
    "cut-lost": (SPOKEN, "stream_cut", "error.stream_cut"),
    "500": ("", "server_failed", "error.server_failed"),
}


def sentence(place: str) -> str:
    """What the catalogue says there, up to what is filled in."""
    return words("en").t(f"{place}.what", told="@", status="@").partition("@")[0].strip()


def test_every_fault_of_replicate_ends_in_its_sentence(client: Client) -> None:
    rows, told = client.predict("Hi", [*(f"replicate/meta/{name}" for name in FAULTS), "echo"], api_name="/compare")
    for row, side, (text, code, place) in zip(rows, told["sides"], FAULTS.values(), strict=False):
        assert (row["status"], row["text"], row["error"]["code"]) == ("done", text, code)
        assert row["error"]["sentence"].startswith(sentence(place))
        assert (side["text"], side["outcome"]) == (text, "failed")
    assert rows[-1]["text"] == "Hi" and "error" not in rows[-1] and not marks_in(json.dumps([rows, told]))


def test_a_comparison_leaves_no_key_on_the_machine(
    client: Client, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the one that was brought for the visit, nor where it was written into the question or comes back from a
    server that failed.
    """
    caplog.set_level(logging.DEBUG)
    home, models = site.engine.settings.home, ["replicate/meta/plain", "replicate/meta/failed", "replicate/meta/401"]
    site.engine.visit_keys.put(LOCAL.id, models[0], KEY)
    try:
        rows, _ = client.predict(f"my key is {KEY}", [*models, "echo"], api_name="/compare")
        batch = client.submit(rows=[{"q": "Hi"}], models=models, templates=["{{q}}"], api_name="/batch_run")
        how_far, told = batch.result(timeout=JOB_S)
    finally:
        site.engine.visit_keys.forget(LOCAL.id)
    assert ["error" in row for row in rows] == [False, True, True, False] and how_far["state"] == "done"
    assert [one["status"] for one in told["results"]] == ["done", "failed", "failed"]
    kept = {path.suffix for path in home.rglob("*") if path.is_file()}
    assert kept & {".db", ".sqlite", ".sqlite3"} and any("batch" in str(path) for path in home.rglob("*"))
    assert marks_in(KEY) and not holding(home) and not marks_in(caplog.text)


def test_what_cannot_be_compared_is_a_sentence(client: Client) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"models": ["echo"]}, "bad_input"),
        ({"models": ["echo"] * 7}, "bad_input"),
        ({"question": " "}, "bad_input"),
        ({"params": {"temperature": 9}}, "bad_parameter"),
        ({"params": [{"colour": 1}]}, "bad_parameter"),
        ({"params": ["hot"]}, "bad_input"),
        ({"system": [1]}, "bad_input"),
    ]
    for given, code in wrong:
        with pytest.raises(AppError, match=rf"\({code}\)"):
            client.predict(**{"question": "x", "models": ["echo", "echo"], **given}, api_name="/compare")


@pytest.fixture(scope="module")
def desk(site: Site) -> Desk:
    """The handlers over components that no browser shows."""

    async def made() -> Desk:  # without a running loop Gradio opens some that it never closes
        return _desk(Ui(site.engine, "en", Options()))

    return asyncio.run(made())


def _desk(ui: Ui) -> Desk:
    found: list[Desk] = []
    with gr.Blocks(analytics_enabled=False) as blocks, pytest.MonkeyPatch.context() as patch:
        bar = gradio_kit.sidebar(ui, blocks)
        patch.setattr(side_by_side, "wire", lambda made, _: found.append(made))
        with gr.Tabs(), gr.Tab() as section:
            side_by_side.build(Place(ui, bar, blocks, section, section))
    return found[0]


def values(desk: Desk, question: str = "", *columns: dict[str, str], where: str = "", pair: str = "") -> dict[Any, Any]:
    """What a browser sends."""
    parts, bar = desk.parts, desk.bar
    told = json.dumps(columns or [{"model": "echo"}] * 2)
    return {bar.model: "echo", **{box: box.value for box in bar.params.values()}, parts.told: told,
            parts.question: question, parts.where: where, parts.pair: pair}  # fmt: skip


def asked(desk: Desk, question: str, *columns: dict[str, str], where: str = "") -> dict[Any, Any]:
    """All that the last question wrote, its later updates over the earlier ones."""
    seen: dict[Any, Any] = {}
    for update in desk.asked(values(desk, question, *columns, where=where), ME):
        seen |= update
    return seen


def event(**data: str) -> Any:
    return SimpleNamespace(_data=data)


def test_all_columns_are_drawn_escaped_with_the_same_four_numbers(desk: Desk) -> None:
    told = asked(desk, HOSTILE, {"model": "echo", "temperature": "0.2"}, {"model": "echo", "system": HOSTILE})
    drawn, parts = told[desk.parts.answers], desk.parts
    assert "<script" not in drawn and "<img" not in drawn and drawn.count("&lt;script&gt;") >= 4
    assert drawn.count('data-figure="first"') == drawn.count('data-figure="cost"') == 2
    assert 'data-done="0 1"' in drawn and 'data-running=""' in drawn
    assert told[parts.ask].visible is True and told[parts.stop].visible == "hidden" and told[parts.where]
    assert "What A has read" in drawn and "StrOutputParser" in drawn


def test_every_fault_is_drawn_under_what_had_come(desk: Desk) -> None:
    told = asked(desk, "Hi", *({"model": f"replicate/meta/{name}"} for name in FAULTS))
    columns = told[desk.parts.answers].split("<section")[1:]
    for column, (text, code, place) in zip(columns, FAULTS.values(), strict=True):
        assert html.escape(sentence(place)) in column and f"{code}" in column
        came = '<div class="compare-text">'  # nothing is drawn where nothing came
        assert column.partition(html.escape(sentence(place)))[0].count(f"{came}{text}</div>" if text else came) == bool(
            text
        )
    assert not marks_in(told[desk.parts.answers])


def test_a_second_question_is_another_turn(desk: Desk) -> None:
    where = asked(desk, "first")[desk.parts.where]
    told = asked(desk, "second one", {"model": "echo", "temperature": "0.9"}, {"model": "echo"}, where=where)
    assert told[desk.parts.where] == where
    drawn = told[desk.parts.answers]
    assert drawn.count(">first<") == 4 and drawn.count(">second one<") == 4
    again: dict[Any, Any] = {}
    row = {"model": "echo", "max_tokens": "1"}
    clicked = event(act="again", side="1", form=json.dumps([row, row]))
    for update in desk.acted(values(desk, where=where), clicked, ME):
        again |= update
    assert "maximum length reached" in again[desk.parts.answers]
    (added,) = desk.acted(values(desk, where=where), event(act="add", form=json.dumps([row, row])), ME)
    assert "begins a new comparison" in added[desk.parts.alert]
    other = asked(desk, "third", *[{"model": "echo"}] * 3, where=where)
    assert other[desk.parts.where] != where and ">first<" not in other[desk.parts.answers]


def test_one_side_or_all_can_be_stopped(desk: Desk) -> None:
    steps = desk.asked(values(desk, ENDLESS), ME)
    where = next(steps)[desk.parts.where]
    now = values(desk, where=where)
    assert list(desk.acted(now, event(act="halt", side="0", form="[]"), ME)) == [{desk.parts.alert: ""}]
    found = desk._found(now, ME)
    assert found is not None
    until(lambda: found.comparison.views()[0].status == "done")
    assert found.comparison.views()[1].status == "running"
    refused = next(desk.asked(now | {desk.parts.question: "x"}, ME))
    assert "bad_input" in refused[desk.parts.alert]
    assert desk.stop(now, ME) == ""
    last: dict[Any, Any] = {}
    for update in steps:
        last |= update
    assert "stopped" in last[desk.parts.answers] and not found.comparison.running


def test_columns_are_added_and_taken_away(desk: Desk) -> None:
    rows = [{"model": "echo", "temperature": "0.3"}, {"model": "", "other": 'a"><b>', "system": HOSTILE}]
    (told,) = desk.acted(values(desk), event(act="add", form=json.dumps(rows)), ME)
    drawn = told[desk.parts.form]
    assert drawn.count("<section") == 3 and "<b>" not in drawn and "<script" not in drawn
    assert 'value="0.3"' in drawn and "a&quot;&gt;&lt;b&gt;" in drawn
    (told,) = desk.acted(values(desk), event(act="drop", side="0", form=json.dumps([*rows, rows[0]])), ME)
    assert told[desk.parts.form].count("<section") == 2
    wrong = [("drop", "0", "[]"), ("add", "", "{"), ("again", "9", "[]"), ("", "-1", ""), ("halt", "7", "[]")]
    for act, side, held in wrong:
        (nothing,) = desk.acted(values(desk), event(act=act, side=side, form=held), ME)
        assert set(nothing) == {desk.parts.alert}


def test_what_an_address_names_and_what_a_browser_makes_up(desk: Desk) -> None:
    there: Any = SimpleNamespace(headers={}, url=ME.url, query_params={"sides": "echo;temperature=0.5|lmstudio/plain"})
    first = values(desk) | {desk.parts.told: "[]"}
    drawn = desk.opened(first, there)[desk.parts.form]
    assert 'value="0.5"' in drawn and 'value="lmstudio/plain"' in drawn
    plain = desk.opened(first, ME)
    assert plain[desk.parts.form].count("<section") == 2 and "Two temperatures" in plain[desk.parts.answers]
    there.query_params = {"prompt": "Why?"}
    assert desk.opened(first, there)[desk.parts.question] == "Why?"  # and nothing is asked
    assert desk.parts.question not in desk.opened(values(desk), there) | plain
    assert reading.told("[1, null]") == () and reading.told('{"model": 1}') == () and reading.told("nan") == ()
    assert len(reading.told(json.dumps([{"model": "x" * 5000}] * 50))) == 6
    with pytest.raises(StopIteration):
        told = desk.asked(values(desk, "x", {"model": "echo", "seed": "one"}, {"model": "echo"}), ME)
        assert "bad_parameter" in next(told)[desk.parts.alert]
        next(told)


def test_an_example_runs_with_one_click(desk: Desk) -> None:
    seen: dict[Any, Any] = {}
    for update in desk.clicked(values(desk), event(example="temperatures"), ME):
        seen |= update
    assert 'value="1.5"' in seen[desk.parts.form] and 'data-done="0 1"' in seen[desk.parts.answers]
    assert list(desk.clicked(values(desk), event(example="../x"), ME)) == [desk._unchanged()]


def test_two_answers_are_told_apart_and_all_is_saved(desk: Desk) -> None:
    where = asked(desk, "one two three", {"model": "echo"}, {"model": "echo", "max_tokens": "2"})[desk.parts.where]
    now = values(desk, where=where, pair="0 1")
    under = desk.ended(now, ME)
    assert under[desk.parts.under].visible and "<del" in under[desk.parts.diff] and "three" in under[desk.parts.diff]
    assert desk.differ(now | {desk.parts.pair: "0 9"}, ME) == ""
    for kind in compare.FILES:
        (file,) = json.loads(desk.save(now, event(form=kind), ME))
        assert file["name"] == f"comparison.{kind}" and "three" in file["text"]
    assert desk.save(now, event(form="exe"), ME) == ""
    begun = desk.new(now, ME)
    assert begun[desk.parts.where] == "" and desk.ended(values(desk), ME)[desk.parts.under].visible is False


def test_nobody_sees_another_ones_comparison(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    where = asked(desk, "my own words")[desk.parts.where]
    now = values(desk, where=where, pair="0 1")
    monkeypatch.setattr(host, "person_of", lambda _: Person("somebody", "Zoé", "student"))
    assert desk._found(now, ME) is None and desk.save(now, event(form="json"), ME) == "" and desk.differ(now, ME) == ""
    told = asked(desk, "mine", where=where)
    assert told[desk.parts.where] != where and "my own words" not in told[desk.parts.answers]
    told = asked(desk, "mine", {"model": "replicate/meta/plain"}, {"model": "echo"})
    assert "access_denied" in told[desk.parts.answers]  # the key of the environment is the teacher's


def test_a_student_sees_no_file_of_the_teachers_other_programs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lies_about(desk.ui.engine, monkeypatch)
    form_ = [desk.opened(values(desk), ME)[desk.parts.form]]
    monkeypatch.setattr(host, "person_of", lambda _: Person("somebody", "Zoé", "student"))
    row = {"model": "echo"}
    (added,) = desk.acted(values(desk), event(act="add", form=json.dumps([row, row])), ME)
    form_ += [desk.opened(values(desk), ME)[desk.parts.form], added[desk.parts.form]]
    assert [FOREIGN in drawn for drawn in form_] == [True, False, False]


def test_a_column_has_every_parameter_and_a_link_loses_none(desk: Desk) -> None:
    said = {param.name: param.low if param.low is not None else "x" for param in PARAMS if param.kind in IN_ADDRESS}
    link = ";".join(f"{name}={value}" for name, value in said.items())
    there: Any = SimpleNamespace(headers={}, url=ME.url, query_params={"sides": f"echo;{link}|echo"})
    drawn = desk.opened(values(desk) | {desk.parts.told: "[]"}, there)[desk.parts.form]
    for param in PARAMS:
        assert drawn.count(f'data-name="{param.name}"') == 2
        if param.name in said:
            assert re.search(f'data-name="{param.name}"[^>]* value="{re.escape(str(said[param.name]))}', drawn)
    assert drawn.count("<details open>") == 3 and drawn.count("<details>") == 2 + 5  # stop is text: in no link
    written = {"model": "echo", "stop": 'and\n"more', "samplers": "top_k\ntemperature", "mirostat": "1"}
    (again,) = desk.acted(values(desk), event(act="add", form=json.dumps([written, written])), ME)
    assert again[desk.parts.form].count(">and\n&quot;more</textarea>") == 3
    told = reading.told(json.dumps([written]))[0]
    own = compare.side(told, Params()).params
    assert {name: own[name] for name in own.given} == {
        "stop": ("and", '"more'), "samplers": ("top_k", "temperature"), "mirostat": 1,
    }  # fmt: skip


def test_lists_in_lists_are_no_form(desk: Desk) -> None:
    deep = "[" * 100_000
    assert reading.told(deep) == () == reading.told(deep + "]" * 100_000)


def test_a_person_keeps_so_many(site: Site) -> None:
    kept = Comparisons()
    sides = (Side("echo"), Side("echo"))
    names = [kept.keep("me", Open(site.engine, sides, LOCAL)) for _ in range(PER_PERSON + 1)]
    assert kept.find("me", names[0]) is None and kept.find("me", names[-1]) and not kept.find("you", names[-1])


def test_the_form_reads_itself_by_the_names_that_we_read() -> None:
    assert "[data-name]" in form.COLLECT and "compare-form" in form.COLLECT
