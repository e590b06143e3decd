"""Before and after a request of the served API: rate limit, quota, log, counters; in process, with its own clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from apps import host
from apps.api.metering import Metered
from apps.api.routes import api
from engine import Engine, Settings
from engine.keys import ApiKey, Spent
from engine.person import LOCAL, Person
from engine.rates import Rates
from engine.requestlog import Served
from tests.standins.app_server import wait_for

HI = {"model": "echo", "messages": [{"role": "user", "content": "hello secret words"}]}


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    opened = Engine(Settings(model="echo"))
    monkeypatch.setattr(host, "engine", lambda: opened)
    yield opened
    opened.close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client(desk: Engine, clock: Clock, person: Person = LOCAL, key: ApiKey | None = None) -> TestClient:
    app = Metered(api(), lambda: desk, rates=Rates(clock=clock), clock=clock)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {}).update(person=person, key=key)
        await app(scope, receive, send)

    return TestClient(guarded)


def logged(desk: Engine, count: int) -> tuple[Served, ...]:
    """The log, once it has so many rows: they are written behind the answer."""
    assert wait_for(lambda: len(desk.requests.list()) >= count)
    return desk.requests.list()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_logged_with_its_tokens_and_no_text(desk: Engine, clock: Clock, stream: bool) -> None:
    key, _ = desk.keys.create(LOCAL, "a name of somebody")
    assert client(desk, clock, key=key).post("/v1/chat/completions", json={**HI, "stream": stream}).status_code == 200
    (row,) = logged(desk, 1)
    told = (row.owner, row.key, row.route, row.model, row.status, row.error)
    assert told == ("local", key.id, "/v1/chat/completions", "echo", 200, None)
    assert row.prompt_tokens and row.completion_tokens and row.duration > 0 and abs(row.time - time.time()) < 600
    assert "secret" not in repr(row) and "somebody" not in repr(row)
    assert wait_for(lambda: desk.keys.spent() == {key.id: Spent(1, row.tokens)})
    text = desk.metrics.text()
    assert 'atelier_requests_total{route="/v1/chat/completions",status="200"} 1' in text
    assert 'atelier_answers_total{model="echo",outcome="stop"} 1' in text
    assert f'atelier_tokens_total{{model="echo",kind="completion"}} {row.completion_tokens}' in text


def test_what_clients_write_is_not_in_the_log(desk: Engine, clock: Clock) -> None:
    one = client(desk, clock)
    one.get("/v1/marked-path")
    one.post("/v1/chat/completions", json={**HI, "model": "marked-model"})
    one.post("/v1/chat/completions", json={"marked": 1})
    rows = logged(desk, 3)
    assert sorted(row.status for row in rows) == [400, 404, 404] and "marked" not in repr(rows)
    assert {row.error for row in rows} == {"unknown_url", "unknown_model", "invalid_value"}
    assert {row.level for row in rows} == {"warning"}


def test_a_spent_quota_is_told_as_openai_does(desk: Engine, clock: Clock) -> None:
    key, _ = desk.keys.create(LOCAL, requests_per_day=1)
    one = client(desk, clock, key=key)
    assert one.post("/v1/chat/completions", json=HI).status_code == 200
    refused = one.post("/v1/chat/completions", json=HI)
    assert refused.status_code == 429 and 0 < int(refused.headers["retry-after"]) <= 86400
    assert refused.json()["error"]["code"] == refused.json()["error"]["type"] == "insufficient_quota"
    assert one.get("/v1/models").status_code == 200, "looking is free"
    rows = logged(desk, 3)
    assert [row.error for row in rows if row.status == 429] == ["quota_spent"]
    assert 'atelier_refused_total{reason="quota_spent"} 1' in desk.metrics.text()


def test_who_asks_too_often_waits(desk: Engine, clock: Clock) -> None:
    desk.serving.limit(2)
    ada = client(desk, clock, desk.people.join("Ada", "student"))
    assert [ada.get("/v1/models").status_code for _ in range(4)] == [200, 200, 429, 429]
    refused = ada.get("/v1/models")
    assert refused.headers["retry-after"] == "30"
    assert refused.json()["error"]["type"] == "rate_limit_error"
    clock.now += 30
    assert [ada.get("/v1/models").status_code for _ in range(2)] == [200, 429]
    desk.serving.limit(0)
    clock.now += 3
    assert {ada.get("/v1/models").status_code for _ in range(9)} == {200}


def test_anthropics_clients_read_their_own_form(desk: Engine, clock: Clock) -> None:
    key, _ = desk.keys.create(LOCAL, requests_per_day=1)
    one, body = client(desk, clock, key=key), {**HI, "max_tokens": 5}
    assert one.post("/v1/messages", json=body).status_code == 200
    refused = one.post("/v1/messages", json=body)
    assert refused.status_code == 429 and refused.json()["error"]["type"] == "rate_limit_error"
    assert refused.json()["type"] == "error" and int(refused.headers["retry-after"]) > 0


def test_alone_nobody_waits_but_a_key_does(desk: Engine, clock: Clock) -> None:
    desk.serving.limit(1)
    alone = client(desk, clock)
    assert {alone.get("/v1/models").status_code for _ in range(5)} == {200}
    one = client(desk, clock, key=desk.keys.create(LOCAL)[0])
    assert [one.get("/v1/models").status_code for _ in range(2)] == [200, 429]


def test_prometheus_is_answered(desk: Engine, clock: Clock) -> None:
    told = client(desk, clock, desk.people.join("Ada", "student")).get("/metrics")
    assert told.status_code == 200 and told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE atelier_slots gauge" in told.text and "Ada" not in told.text
