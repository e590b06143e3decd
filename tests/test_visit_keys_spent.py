"""A key that somebody brought for this visit pays for what they ask, wherever they ask it, and is written nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from apps import host
from apps.api.routes import api
from engine import Engine, Settings
from engine.comptine.grid import Sweep
from engine.comptine.sweep import submit
from engine.errors import AccessDenied
from engine.person import Person
from engine.quality.asking import ask_questions
from engine.rag.retrieval import Asking
from tests.marks import holding
from tests.patience import JOB_S
from tests.standins.openai_server import KEY, OpenAIStandIn

ROOT = Path(__file__).parents[1]
BODY = {"model": "room/plain", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIStandIn) -> Iterator[Engine]:
    monkeypatch.setenv("ATELIER_HOME", str(tmp_path))  # where the jobs' children look, too
    opened = Engine(Settings(home=tmp_path, model="echo"))
    monkeypatch.setattr(host, "engine", lambda: opened)
    opened.endpoints.add({"id": "room", "base_url": openai_server.base_url, "students": True})
    yield opened
    opened.close()


@pytest.fixture
def ann(desk: Engine) -> Person:
    """A student who has brought a key."""
    person = desk.people.join("Ann", "student")
    desk.visit_keys.put(person.id, "room/plain", KEY)
    return person


def asked_with(server: OpenAIStandIn) -> set[str | None]:
    """The keys of all requests so far."""
    found = {request.headers.get("Authorization", request.headers.get("authorization")) for request in server.requests}
    server.requests.clear()
    return found


def client(person: Person) -> TestClient:
    app = api()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["person"] = person
        await app(scope, receive, send)

    return TestClient(guarded)


def test_the_served_api_spends_the_askers_own_key(desk: Engine, ann: Person, openai_server: OpenAIStandIn) -> None:
    assert client(ann).post("/v1/chat/completions", json=BODY).status_code == 200
    assert asked_with(openai_server) == {f"Bearer {KEY}"}
    bob = desk.people.join("Bob", "student")
    client(bob).post("/v1/chat/completions", json=BODY)
    assert f"Bearer {KEY}" not in asked_with(openai_server)


def test_who_acts_on_loan_spends_no_key_of_the_lender(desk: Engine, openai_server: OpenAIStandIn) -> None:
    lender = desk.people.join("Cem", "teacher")
    desk.visit_keys.put(lender.id, "room/plain", KEY)
    client(lender).post("/v1/chat/completions", json=BODY)
    assert asked_with(openai_server) == {f"Bearer {KEY}"}
    client(lender.as_student()).post("/v1/chat/completions", json=BODY)
    assert f"Bearer {KEY}" not in asked_with(openai_server)


def test_jobs_are_handed_the_key_and_write_it_nowhere(
    desk: Engine, ann: Person, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = Sweep.of({"verses": (3,), "ranges": ((1, 2),), "seeds": (1,), "models": ("room/plain",)})
    one, _ = submit(desk, ann.id, sweep, role="student")
    assert desk.jobs.wait(one.id, JOB_S).state == "done"
    assert asked_with(openai_server) == {f"Bearer {KEY}"}
    line = b'{"id": "1", "question": "2+2?", "choices": ["3", "4"], "answer": 1}\n'
    handed: list[Any] = []
    monkeypatch.setattr(desk.jobs, "submit", lambda *args, secrets, **_: handed.append((args, secrets)))
    ask_questions(desk, ann, line, "room/plain", ["answer"], name="mine.jsonl")
    bob = desk.people.join("Bob", "student")
    ask_questions(desk, bob, line, "room/plain", ["answer"], name="mine.jsonl")
    assert [secrets for _, secrets in handed] == [{"key": KEY}, {"key": None}] and KEY not in repr(handed[0][0])
    desk.close()
    stored = [path for path in desk.settings.home.rglob("*") if path.is_file()]
    assert stored and not any(KEY.encode() in path.read_bytes() for path in stored) and not holding(desk.settings.home)


def test_no_page_opens_an_embedder_but_in_somebodys_name() -> None:
    """`embedders.get` has the teacher's powers and keys."""
    pages = [path for folder in ("apps", "pages") for path in (ROOT / folder).rglob("*.py")]
    assert pages and not [str(path) for path in pages if "embedders.get(" in path.read_text(encoding="utf-8")]


def test_an_embedder_that_is_open_is_no_longer_asked_where_its_endpoint_has_changed(
    desk: Engine, openai_server: OpenAIStandIn
) -> None:
    anne = desk.people.join("Anne", "student").id
    desk.visit_keys.put(anne, "room/plain", KEY)
    opened = desk.embedders.of(anne, "openai:room:plain", Asking("student"))
    assert desk.embedders.of(anne, "openai:room:plain", Asking("student")) is opened
    desk.endpoints.add({"id": "room", "students": False})
    desk.visit_keys.put(anne, "room/plain", KEY)  # the same as before
    with pytest.raises(AccessDenied):  # neither opened to students any more, nor a public address
        desk.embedders.of(anne, "openai:room:plain", Asking("student"))
