"""Published presets: who may publish what, how they answer, and that nobody reads what they hide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from apps import host
from apps.api.routes import api
from engine import Engine, Message, Settings
from engine.errors import AccessDenied, BadInput, NotFound
from engine.person import LOCAL, Person
from engine.presets import Preset
from engine.published import Offer, Speaking, Wish
from engine.rag import retrieval as searching
from engine.rag.retrieval import Found
from engine.rag.values import Chunk, Passage, Retrieval

HIDDEN = "Secret: the treasure lies under the oak."
PIRATE = Preset("Pirate", HIDDEN, {"max_tokens": 3, "temperature": 0.1})


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    opened = Engine(Settings(model="echo"))
    monkeypatch.setattr(host, "engine", lambda: opened)
    yield opened
    opened.close()


def client(person: Person = LOCAL) -> TestClient:
    app = api()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["person"] = person
        await app(scope, receive, send)

    return TestClient(guarded)


def ask(who: TestClient, text: str = "one two three four five", **body: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return who.post("/v1/chat/completions", json={"model": "pirate", "messages": messages, **body})


def test_what_is_published_is_kept_and_withdrawn(desk: Engine) -> None:
    offer = desk.published.publish(Offer("Pirate", PIRATE, "echo"))
    assert desk.published.list() == (offer,) and desk.published.get("pIRATE") == offer and offer.created > 0
    again = desk.published.publish(Offer("pirate", PIRATE, "echo"))
    assert desk.published.list() == (again,)
    desk.published.withdraw("PIRATE")
    assert desk.published.list() == () and desk.published.get("pirate") is None
    with pytest.raises(NotFound):
        desk.published.withdraw("pirate")


@pytest.mark.parametrize("name", ["echo", "ECHO", "smollm2-1.7b-instruct", "a/b", "a@b", "", " x", "x" * 81, "\x00"])
def test_a_name_that_is_none(desk: Engine, name: str) -> None:
    with pytest.raises(BadInput):
        desk.published.publish(Offer(name, PIRATE, "echo"))


def test_a_student_publishes_nothing(desk: Engine) -> None:
    with pytest.raises(AccessDenied):
        desk.published.publish(Offer("mine", PIRATE, "echo"), role="student")
    with pytest.raises(AccessDenied):
        desk.published.withdraw("mine", role="student")


def test_its_prompt_goes_first_and_its_parameters_where_nothing_is_said(desk: Engine) -> None:
    offer = desk.published.publish(Offer("pirate", PIRATE, "echo"))
    said = (Message("system", "In French."), Message("user", "one two three four five"))
    speaking = Speaking(desk, offer, Wish("local", said, {"temperature": 0.9}, sees=True))
    events = list(speaking)
    [line] = desk.traces.list("local")
    trace = desk.traces.get(line.id, "local")
    assert trace.prompt == f"system: {HIDDEN}\n\nIn French.\nuser: one two three four five\nassistant:"
    assert trace.request["temperature"] == 0.9 and trace.request["max_tokens"] == 3
    assert events[-1].outcome == "max_tokens"


def test_it_is_a_model_under_its_own_name(desk: Engine) -> None:
    desk.published.publish(Offer("pirate", PIRATE, "echo"))
    rows = {row["id"]: row for row in client().get("/v1/models").json()["data"]}
    assert rows["pirate"]["owned_by"] == "preset" and "oak" not in json.dumps(rows)
    assert client().get("/v1/models/Pirate").json() == rows["pirate"]
    body = ask(client()).json()
    assert body["model"] == "pirate" and body["choices"][0]["message"]["content"] == "one two three"
    assert ask(client(), max_tokens=5).json()["choices"][0]["finish_reason"] == "stop"
    told = client().post("/v1/responses", json={"model": "pirate", "input": "one two three four five"}).json()
    assert told["output"][0]["content"][0]["text"] == "one two three" and told["model"] == "pirate"
    assert client().post("/v1/completions", json={"model": "pirate", "prompt": "x"}).status_code == 400
    assert client().post("/v1/tokenize", json={"model": "pirate", "content": "one two"}).json()["count"] == 2


def test_an_answer_that_was_begun_goes_on(desk: Engine) -> None:
    desk.published.publish(Offer("pirate", Preset("Pirate", HIDDEN), "echo"))
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "I begin"}]
    body = client().post("/v1/chat/completions", json={"model": "pirate", "messages": messages}).json()
    assert body["choices"][0]["message"]["content"] == "I begin"  # the echo says the last message
    only = [{"role": "system", "content": "x"}]
    assert client().post("/v1/chat/completions", json={"model": "pirate", "messages": only}).status_code == 400


def test_a_student_reads_neither_the_prompt_nor_anybodys_trace(desk: Engine) -> None:
    desk.published.publish(Offer("pirate", PIRATE, "echo"))
    ada, bob = desk.people.join("Ada", "student"), desk.people.join("Bob", "student")
    for stream in (False, True):
        assert "oak" not in ask(client(ada), stream=stream).text
    lines = desk.traces.list(ada.id)
    assert len(lines) == 2 and not desk.traces.list(bob.id) and not desk.traces.list("local")
    trace = desk.traces.get(lines[0].id, ada.id)
    assert "oak" not in json.dumps(trace.to_dict()) and "one two" in json.dumps(trace.request)
    assert trace.response["text"] == "one two three" and trace.model == "pirate"
    with pytest.raises(NotFound):
        desk.traces.get(lines[0].id, bob.id)


def test_its_collections_are_read_with_the_powers_of_who_published(
    desk: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def search(engine: Any, owner: str, collections: Any, question: str, retrieval: Any = None, **_: Any) -> Found:
        asked.append(owner)
        chunk = Chunk("c", "f", "tour.pdf", 0, "La tour est à Paris.", 0, 20, 5, 7)
        return Found((Passage(chunk, {"vector": 0.9}, collection=collections[0]),), question, retrieval or Retrieval())

    monkeypatch.setattr(searching, "search", search)
    made = desk.collections.create("local", "cours")
    offer = Offer("guide", Preset("Guide", HIDDEN), "echo", "local", (made.id,), "documents_only")
    desk.published.publish(offer)
    ada = desk.people.join("Ada", "student")
    messages = [{"role": "user", "content": "Où est la tour ?"}]
    body = client(ada).post("/v1/chat/completions", json={"model": "guide", "messages": messages}).json()
    assert asked == ["local"] and body["citations"][0]["name"] == "tour.pdf" and body["rag"]["asked"]
    assert "La tour est à Paris." in body["choices"][0]["message"]["content"] and "oak" not in json.dumps(body)
    assert "oak" not in json.dumps([desk.traces.get(line.id, ada.id).to_dict() for line in desk.traces.list(ada.id)])


def test_a_model_that_is_gone_is_404(desk: Engine) -> None:
    desk.published.publish(Offer("pirate", PIRATE, "no-such-model"))
    assert ask(client()).status_code == 404


def test_the_command_line_publishes(desk: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from engine.cli import main
    from engine.presets import Presets, write_preset

    Presets(desk.library).save("local", PIRATE)
    desk.collections.create("local", "cours")
    flags = ["--preset", "Pirate", "-m", "echo", "-c", "cours", "--mode", "documents_only", "--max-tokens", "5"]
    assert main(["publish", "add", "pirate", *flags]) == 0
    offer = desk.published.get("pirate")
    assert offer is not None and offer.preset.system == HIDDEN and len(offer.collections) == 1
    assert offer.preset.params == {"max_tokens": 5, "temperature": 0.1} and offer.grounding == "documents_only"
    (tmp_path / "preset.json").write_bytes(write_preset(PIRATE))
    assert main(["publish", "add", "other", "--file", str(tmp_path / "preset.json"), "--system", "Hi."]) == 0
    capsys.readouterr()
    assert main(["publish", "list", "--json"]) == 0
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert told["other"]["preset"]["system"] == "Hi." and told["pirate"]["model"] == "echo"
    assert main(["publish", "list"]) == 0 and "documents: 1" in capsys.readouterr().out
    assert main(["publish", "remove", "other"]) == 0 and main(["publish", "remove", "other"]) == 2
    assert main(["publish", "add", "echo"]) == 2
    assert main(["publish", "add", "x", "--preset", "none"]) == 2
