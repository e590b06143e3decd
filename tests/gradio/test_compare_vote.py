"""Blind votes and prices in the Gradio mirror: the named endpoints, and what the events of the two tabs do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from apps import host
from apps.gradio_compare.pairs import PER_PERSON, Pair, Pairs
from apps.gradio_compare.prices import Desk as PriceDesk
from apps.gradio_compare.vote_desk import Desk, Parts
from apps.gradio_kit import Ui
from apps.options import Options
from apps.ui import compare_prices
from engine.person import LOCAL, Person
from engine.settings import Settings
from tests.gradio.conftest import FOREIGN, EchoEngine, Obedient, Site, lies_about

ME: Any = SimpleNamespace(headers={}, query_params={}, url="http://h/gradio/en/")
MODELS = ("echo", "smollm2-135m-instruct")  # both are echoes here
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    site.engine.arena.choose(MODELS)
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()
    site.engine.arena.clear()
    site.engine.arena.choose([])


def test_the_endpoints_ask_vote_and_tell_the_board(client: Client) -> None:
    pair = client.predict("Where is Nice?", "Towns", api_name="/arena_pair")
    assert pair["left"] == pair["right"] == "Where is Nice?" and not pair["failed"]
    assert not {"models", "model"} & pair.keys() and not any(model in json.dumps(pair) for model in MODELS)
    vote = client.predict(pair["token"], "tie", api_name="/arena_vote")
    assert vote["counted"] and {vote["left"], vote["right"]} == set(MODELS)
    assert client.predict(pair["token"], "tie", api_name="/arena_vote") == vote
    board = client.predict("towns", api_name="/arena_board")
    assert board["votes"] == 1 and board["tags"] == [{"tag": "towns", "votes": 1}]
    for wrong, code in (
        ((pair["token"], "left"), "bad_input"),
        (("x", "left"), "not_found"),
        (("x", "up"), "bad_input"),
    ):
        with pytest.raises(AppError, match=rf"\({code}\)"):
            client.predict(*wrong, api_name="/arena_vote")
    with pytest.raises(AppError, match=r"\(bad_input\)"):
        client.predict(" ", api_name="/arena_pair")


def test_the_endpoint_of_prices(client: Client) -> None:
    rows = {row["id"]: row for row in client.predict(api_name="/prices")}
    assert rows["openai/gpt-4o-mini"]["class"] == "0.306" and rows["glama/gpt-4o-mini"]["price"] is None
    (one,) = client.predict("openai/gpt-5", {"students": 1, "questions": 1}, api_name="/prices")
    assert one["class"] == "0.003625"  # 500×1.25 + 300×10
    with pytest.raises(AppError, match=r"\(bad_input\)"):
        client.predict("", {"students": "many"}, api_name="/prices")


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    engine = EchoEngine(Settings(home=tmp_path, model="echo"), serve=True)
    engine.echo = Obedient()
    engine.arena.choose(MODELS)
    yield Ui(engine, "en", Options())
    engine.close()


@pytest.fixture
def desk(ui: Ui) -> Desk:
    """The handlers over components that no browser shows."""

    async def made() -> Desk:  # without a running loop Gradio opens some that it never closes
        with gr.Blocks(analytics_enabled=False):
            kinds = {"ask": gr.Button, "stop": gr.Button, "choose": gr.Button, "clear": gr.Button, "topic": gr.Dropdown,
                     "models": gr.Dropdown, "clock": gr.Timer, "teacher": gr.Column, "take": gr.UploadButton,
                     "sure": gr.Checkbox, "question": gr.Textbox, "tag": gr.Textbox, "outbox": gr.Textbox,
                     "where": gr.State, "seen": gr.State}  # fmt: skip
            return Desk(ui, Parts(**{name: kinds.get(name, gr.HTML)() for name in Parts.__dataclass_fields__}))

    return asyncio.run(made())


def asked(desk: Desk, question: str, where: str = "") -> tuple[dict[Any, Any], str]:
    """What the page shows at the end of a pair, and the pair's id."""
    parts, shown = desk.parts, dict[Any, Any]()
    for update in desk.asked({parts.question: question, parts.tag: "", parts.where: where}, ME):
        assert update and set(update) <= set(parts.written)
        shown |= update
    return shown, shown.get(parts.where, "")


def click(desk: Desk, where: str, **data: str) -> dict[Any, Any]:
    parts, shown = desk.parts, dict[Any, Any]()
    for update in desk.clicked({parts.where: where}, SimpleNamespace(_data=data), ME):  # type: ignore[arg-type]
        shown |= update
    return shown


def test_a_pair_on_the_page(desk: Desk) -> None:
    parts = desk.parts
    shown, name = asked(desk, HOSTILE)
    assert "<script>" not in shown[parts.answers] and "&lt;script&gt;" in shown[parts.answers]
    assert shown[parts.votes].count("data-vote=") == 4 and not any(one in str(shown) for one in MODELS)
    shown = click(desk, name, vote="left")
    assert "A was" in shown[parts.votes] and "Your vote: A is better." in shown[parts.votes]
    assert "voted on already" in click(desk, name, vote="right")[parts.alert]
    board = desk.looked({parts.topic: "", parts.seen: ""}, ME)
    assert "1 vote counts." in board[parts.board] and "SmolLM2" in board[parts.board]
    again = desk.looked({parts.topic: "", parts.seen: board[parts.seen]}, ME)
    assert board[parts.board] not in again.values()
    other = SimpleNamespace(_data={"act": "mine"})
    assert "alert(1)" in desk.save(other, ME)  # type: ignore[arg-type]
    everybody = SimpleNamespace(_data={"act": "all"})
    assert "alert(1)" not in desk.save(everybody, ME)  # type: ignore[arg-type]


def test_a_student_sees_no_file_of_the_teachers_other_programs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lies_about(desk.ui.engine, monkeypatch)
    assert FOREIGN in str(desk.opened(ME)[desk.parts.models].choices)
    person = desk.ui.engine.people.join("Zoé", "student")
    monkeypatch.setattr(host, "person_of", lambda _: person)
    assert not desk.opened(ME)[desk.parts.models].choices and FOREIGN not in desk._names(ME).values()


def test_what_cannot_be_asked_is_a_sentence(desk: Desk) -> None:
    parts = desk.parts
    shown, name = asked(desk, "  ")
    assert "bad_input" in shown[parts.alert] and name == ""
    shown, _ = asked(desk, "refuse this")
    assert "nothing to vote on" in shown[parts.votes] and "Its error: " in shown[parts.votes]
    assert "gave no answer" in desk.troubled(ME) and "data-vote" not in shown[parts.votes]
    assert set(click(desk, "unknown", vote="left")) == {parts.alert}
    assert "capital of Italy" in str(click(desk, "", example="fact"))


def test_files_and_models_are_the_teachers(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, row = desk.parts, {"tstamp": 1, "model_a": "a", "model_b": "b", "winner": "tie"}
    file = tmp_path / "votes.jsonl"
    file.write_text(json.dumps(row))
    shown = desk.opened(ME)
    assert shown[parts.teacher].visible and {value for _, value in shown[parts.models].choices} >= set(MODELS)
    assert "1 new votes of 1" in desk.bring({parts.take: str(file)}, ME) and not file.exists()
    assert "arena" not in desk.choose({parts.models: list(MODELS)}, ME) and "bad_input" in desk.choose(
        {parts.models: ["x"]}, ME
    )
    assert desk.ui.engine.arena.board().ratings.votes == 1
    desk.clear({parts.sure: False}, ME)
    assert desk.ui.engine.arena.board().ratings.votes == 1
    person = desk.ui.engine.people.join("Zoé", "student")
    monkeypatch.setattr(host, "person_of", lambda _: person)
    file.write_text(json.dumps({**row, "tstamp": 2}))
    assert not desk.opened(ME)[parts.teacher].visible
    for told in (desk.choose({parts.models: list(MODELS)}, ME), desk.bring({parts.take: str(file)}, ME),
                 desk.clear({parts.sure: True}, ME)[parts.told]):  # fmt: skip
        assert "access_denied" in told
    assert desk.save(SimpleNamespace(_data={"act": "all"}), ME).count('"type"') == 0  # type: ignore[arg-type]
    monkeypatch.setattr(host, "person_of", lambda _: LOCAL)
    assert "1 votes deleted" in desk.clear({parts.sure: True}, ME)[parts.told]


def test_a_person_finds_only_their_own_pairs(ui: Ui) -> None:
    pairs, made = Pairs(), [Pair(ui.engine, LOCAL, f"Number {number}", "") for number in range(PER_PERSON + 1)]
    names = [pairs.keep(LOCAL.id, one) for one in made]
    assert pairs.find(LOCAL.id, names[0]) is None and pairs.find(LOCAL.id, names[-1]) is made[-1]
    assert pairs.find("other", names[-1]) is None
    for one in made:
        one.blind.wait()


@pytest.fixture
def price_desk(ui: Ui) -> PriceDesk:
    async def made() -> PriceDesk:
        with gr.Blocks(analytics_enabled=False):
            group = {name: gr.Number() for name in compare_prices.CLASS}
            return PriceDesk(ui, group, gr.Dropdown(), gr.HTML(), gr.Textbox(), gr.Number(), gr.Number(), gr.Textbox(),
                             gr.Column(), gr.HTML(), gr.HTML())  # fmt: skip

    return asyncio.run(made())


def test_prices_on_the_page(price_desk: PriceDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = price_desk
    values: dict[Any, Any] = {desk.provider: "", **{box: None for box in desk.group.values()}}
    shown = desk.opened(values, ME)
    assert "gpt-4o-mini" in shown[desk.table] and "0.31" in shown[desk.table] and shown[desk.teacher].visible
    assert "gpt-4o-mini" not in desk.drawn({**values, desk.provider: "mistral"})
    assert "prices.csv" in desk.save(values)
    assert "Kept" in desk.keep({desk.own: "openai/gpt-5 input=1 output=2"}, ME)
    assert "Line 1" in desk.keep({desk.own: "openai/gpt-5 cheap"}, ME)
    power = {desk.watts: 65, desk.tariff: 0.25, desk.currency: "eur"}
    assert "Kept" in desk.assume(power, ME) and desk.ui.engine.prices.electricity() is not None
    person: Person = desk.ui.engine.people.join("Zoé", "student")
    monkeypatch.setattr(host, "person_of", lambda _: person)
    assert "access_denied" in desk.keep({desk.own: ""}, ME) and "access_denied" in desk.assume(power, ME)
    assert not desk.opened(values, ME)[desk.teacher].visible
    assert set(desk.ui.engine.prices.own()) == {"openai/gpt-5"}
