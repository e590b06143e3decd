"""`rag/<collection>` over `/v1`: passages as citations, streamed or whole, refusals, whose collections these are."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from apps import host
from apps.api.routes import api
from engine import Engine, Settings
from engine.person import Person
from engine.presets import Preset
from engine.published import Offer
from engine.rag import retrieval as searching
from engine.rag.retrieval import Found
from engine.rag.values import Chunk, Passage, Retrieval

HI = [{"role": "user", "content": "Où est la tour ?"}]
TEXTS = ["La tour est à Paris."]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    opened = Engine(Settings(model="echo"))
    monkeypatch.setattr(host, "engine", lambda: opened)
    yield opened
    opened.close()


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every search finds."""
    texts = list(TEXTS)

    def search(engine: Any, owner: str, collections: Any, question: str, retrieval: Any = None, **_: Any) -> Found:
        [collection] = collections
        passages = tuple(
            Passage(
                Chunk(f"c{n}", "f", "tour.pdf", n, text, 0, len(text), 5, 7), {"vector": 0.9}, collection=collection
            )
            for n, text in enumerate(texts)
        )
        return Found(passages, question, retrieval or Retrieval())

    monkeypatch.setattr(searching, "search", search)
    return texts


def client(person: str = "local", role: Any = "teacher", *, lent: bool = False) -> TestClient:
    app = api()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["person"] = Person(person, person, role, lent=lent)
        await app(scope, receive, send)

    return TestClient(guarded)


def ask(who: TestClient, **body: Any) -> Any:
    return who.post("/v1/chat/completions", json={"model": "rag/cours", "messages": HI, **body})


def test_a_whole_answer_has_its_citations(desk: Engine, texts: list[str]) -> None:
    made = desk.collections.create("local", "cours")
    reply = ask(client(), rag={"mode": "documents_and_model"})
    body = reply.json()
    assert reply.status_code == 200 and body["model"] == "rag/cours" and body["object"] == "chat.completion"
    [citation] = body["citations"]
    assert (citation["number"], citation["name"], citation["page"]) == (1, "tour.pdf", 7)
    assert citation["collection"] == made.id and citation["text"] == TEXTS[0] and citation["scores"] == {"vector": 0.9}
    assert "La tour est à Paris." in body["choices"][0]["message"]["content"]  # the echo says what it was asked
    assert body["rag"]["mode"] == "documents_and_model" and body["rag"]["cited"] == [1]
    assert body["usage"]["prompt_tokens"] > 10


def test_a_defect_is_an_error_and_no_empty_answer(
    desk: Engine, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[Any]:
        raise ZeroDivisionError("the answer of a defect")
        yield

    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    monkeypatch.setattr("apps.api.grounded.Answering.__iter__", broken)
    desk.collections.create("local", "cours")
    for stream in (False, True):
        reply = ask(client(), stream=stream)
        assert reply.status_code == 500 and "defect" not in reply.text
        assert reply.json()["error"]["type"] == "server_error" and reply.json()["error"]["code"] == "engine_error"
    for reader in [thread for thread in threading.enumerate() if thread.name == "v1-reader"]:
        reader.join()  # the hook is called after the client has its answer
    assert seen == [ZeroDivisionError] * 2


def test_a_stream_tells_its_citations_first_and_what_was_cited_last(desk: Engine, texts: list[str]) -> None:
    desk.collections.create("local", "cours")
    reply = ask(client(), stream=True)
    parts = [json.loads(line[6:]) for line in reply.text.split("\n") if line.startswith("data: {")]
    assert parts[0]["citations"][0]["number"] == 1 and parts[0]["choices"][0]["delta"]["role"] == "assistant"
    assert not any("citations" in part for part in parts[1:]) and reply.text.endswith("data: [DONE]\n\n")
    last = next(part for part in parts if part["choices"] and part["choices"][0]["finish_reason"])
    assert last["rag"]["cited"] == [1] and last["rag"]["refused"] is False


def test_without_passages_the_refusal_is_the_answer(desk: Engine, texts: list[str]) -> None:
    desk.collections.create("local", "cours")
    texts.clear()
    body = ask(client()).json()
    assert body["choices"][0]["message"]["content"] == "Je ne trouve pas la réponse dans les documents."
    assert body["citations"] == [] and body["rag"]["refused"] and body["rag"]["empty"] and not body["rag"]["asked"]


def test_collections_are_models_of_their_owner_alone(desk: Engine, texts: list[str]) -> None:
    desk.collections.create("local", "cours")
    ids = [row["id"] for row in client().get("/v1/models").json()["data"]]
    assert "rag/cours" in ids and client().get("/v1/models/rag/cours").json()["owned_by"] == "rag"
    other = client(desk.people.join("Bob", "student").id, "student")
    assert "rag/cours" not in [row["id"] for row in other.get("/v1/models").json()["data"]]
    missing = ask(other)
    assert missing.status_code == 404 and missing.json()["error"]["code"] == "model_not_found"
    assert other.get("/v1/models/rag/cours").status_code == 404


def test_a_key_that_was_handed_out_reads_what_is_shared_alone(desk: Engine, texts: list[str]) -> None:
    private, shared = (desk.collections.create("local", name) for name in ("cours", "for all"))
    desk.collections.share("local", shared.id)
    holder = client("local", "student", lent=True)
    listed = [row["id"] for row in holder.get("/v1/models").json()["data"] if row["owned_by"] == "rag"]
    assert listed == ["rag/for all"]
    for name in ("rag/cours", f"rag/{private.id}"):
        for refused in (ask(holder, model=name), holder.get(f"/v1/models/{name}")):
            assert refused.status_code == 404 and refused.json()["error"]["code"] == "model_not_found"
    assert ask(holder, model="rag/for all").json()["citations"][0]["text"] == TEXTS[0]
    desk.published.publish(Offer("course", Preset("course"), "echo", collections=(private.id,)))
    assert ask(holder, model="course").status_code == 200  # to publish it was to lend it


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"rag": {"mode": "nonsense"}}, 400),
        ({"rag": {"retrieval": {"nonsense": 1}}}, 400),
        ({"rag": {"retrieval": {"threshold": "x"}}}, 400),
        ({"rag": {"retrieval": {"files": 5}}}, 400),
        ({"rag": {"retrieval": {"k": 0}, "mode": "summary"}}, 400),
        ({"rag": {"model": "nope"}}, 404),
        ({"rag": 3}, 400),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400),
        ({"model": "rag/nope"}, 404),
        ({"model": "rag/"}, 404),
    ],
)
def test_bad_requests(desk: Engine, texts: list[str], body: dict[str, Any], status: int) -> None:
    desk.collections.create("local", "cours")
    reply = ask(client(), **body)
    assert reply.status_code == status, reply.text


def test_the_search_can_be_changed(desk: Engine, texts: list[str]) -> None:
    desk.collections.create("local", "cours")
    body = ask(client(), rag={"retrieval": {"k": 2, "arm": "text"}, "mode": "retrieval_only"}).json()
    assert body["rag"]["retrieval"]["k"] == 2 and body["choices"][0]["message"]["content"].startswith("[1] tour.pdf")
