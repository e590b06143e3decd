"""A model of Replicate's wherever a model goes: the engine, its endpoints, the page of the chat, whose key is spent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from streamlit.testing.v1 import AppTest

from engine import connection
from engine.engine import Engine
from engine.errors import AccessDenied, BadInput, NotSupported, Unauthorized
from engine.far import load
from engine.person import LOCAL_OWNER
from engine.providers import provider
from engine.settings import Settings
from engine.types import Message
from tests.marks import marks_in
from tests.pages.conftest import app, engine, texts  # noqa: F401 - the page's fixtures
from tests.standins.replicate_server import KEY, VERSION, WORDS, ReplicateStandIn, replicate_standin

HI = (Message("user", "Hi"),)
WHOLE = "".join(WORDS)
MODEL = "replicate/meta/plain"


@pytest.fixture
def replicate(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplicateStandIn]:
    with replicate_standin() as server:
        monkeypatch.setenv("REPLICATE_BASE_URL", server.host)
        monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
        yield server


@pytest.fixture
def desk() -> Iterator[Engine]:
    with closing(Engine(Settings(model="echo"))) as opened:
        yield opened


def test_it_answers_and_its_trace_holds_the_input_and_no_key(replicate: ReplicateStandIn, desk: Engine) -> None:
    for name in (MODEL, f"{MODEL}:{VERSION}", "replicate/meta/failed"):
        result = desk.model(name).stream(HI).result
        assert (result.text == WHOLE) == (name != "replicate/meta/failed")
        assert result.trace_id is not None
        trace = desk.traces.get(result.trace_id, LOCAL_OWNER)
        assert trace.request["input"]["prompt"] == "Hi"
        assert not marks_in(json.dumps(trace.to_dict(), default=str))
    assert len(replicate.seen("GET", "/models/meta/plain")) == 1  # what it takes is remembered


def test_what_a_model_takes_is_told_in_the_trace(replicate: ReplicateStandIn, desk: Engine) -> None:
    trace_id = desk.model(MODEL).stream(HI).result.trace_id
    assert trace_id is not None
    told = desk.traces.get(trace_id, LOCAL_OWNER)
    assert told.response["server"]["metrics"]["predict_time"] == 1.25


def test_students_have_a_key_of_their_own(replicate: ReplicateStandIn, desk: Engine) -> None:
    with pytest.raises(AccessDenied):
        desk.model(MODEL, role="student", owner="s")
    desk.visit_keys.put("s", MODEL, "r8_stand-in-0123456789-wrong")
    assert isinstance(desk.model(MODEL, role="student", owner="s").stream(HI).result.error, Unauthorized)
    desk.visit_keys.put("s", MODEL, KEY)
    assert desk.model(MODEL, role="student", owner="s").stream(HI).result.text == WHOLE


def test_its_endpoint_tells_who_answers_and_some_models(
    replicate: ReplicateStandIn, desk: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = desk.endpoints.test("replicate")
    assert found.problem is None and found.latency_s is not None
    assert [model.id for model in found.models] == ["meta/plain", "meta/other-names"]
    monkeypatch.delenv("REPLICATE_API_TOKEN")
    assert isinstance(connection.test(provider("replicate")).problem, Unauthorized)


def test_the_key_goes_to_its_own_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
    row = provider("replicate")
    assert row.address() == "https://api.replicate.com/v1" and row.key_of(row.address()) == KEY
    assert row.key_of("https://api.replicate.com.evil.example/v1") is None
    monkeypatch.setenv("REPLICATE_BASE_URL", "http://127.0.0.1:5000/v1/")
    assert row.address() == "http://127.0.0.1:5000/v1" and row.key_of("https://api.replicate.com/v1") is None
    monkeypatch.setenv("REPLICATE_BASE_URL", "http://u:p@h")
    with pytest.raises(BadInput):
        row.address()


def test_a_typed_row_of_its_nature_is_itself(replicate: ReplicateStandIn, desk: Engine) -> None:
    """What is typed counts, whatever the environment says; its streams get no key of Replicate's own hosts."""
    row = desk.endpoints.add({"id": "ours", "base_url": "http://127.0.0.1:9/v1", "like": "replicate"})
    assert (row.native, row.base_env, row.stream_hosts) == ("replicate", None, ())
    assert row.address() == "http://127.0.0.1:9/v1"
    again = desk.endpoints.add({"id": "replicate", "students": True})
    assert again.address() == replicate.base_url and again.stream_hosts
    with pytest.raises(BadInput):
        desk.endpoints.add({"id": "theirs", "base_url": "https://evil.example/v1", "key_env": "REPLICATE_API_TOKEN"})


def test_nothing_is_loaded_there_by_order(replicate: ReplicateStandIn, desk: Engine) -> None:
    with pytest.raises(NotSupported):
        load(desk, MODEL)


def test_the_chat_page_streams_it(replicate: ReplicateStandIn, app: AppTest) -> None:  # noqa: F811
    app.query_params["lang"] = "en"
    app.query_params["model"] = MODEL
    app.run().chat_input[0].set_value("Hi").run()
    assert not app.exception and not app.error
    assert app.chat_message[1].markdown[0].value == WHOLE
    assert "5 tokens" in app.chat_message[1].caption[0].value and "40" in app.chat_message[1].caption[0].value


def test_the_chat_page_says_what_went_wrong_and_keeps_the_text(replicate: ReplicateStandIn, app: AppTest) -> None:  # noqa: F811
    app.query_params["lang"] = "fr"
    app.query_params["model"] = "replicate/meta/failed-late"
    app.run().chat_input[0].set_value("Hi").run()
    assert not app.exception
    shown = texts(app)
    assert "Le modèle sur Replicate a échoué" in shown and "Hello from" in shown
    assert not marks_in(shown)
