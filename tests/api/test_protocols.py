"""Responses, Anthropic's messages, tokens and vectors over `/v1`, on the echo model: shapes, events, refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from apps import host
from apps.api.routes import api
from engine import Engine, Settings
from engine.person import LOCAL, Person

HI = [{"role": "user", "content": "hello there"}]


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


def events(text: str) -> list[dict[str, Any]]:
    """The data of a stream of named events; each says its name twice."""
    found = []
    for block in text.split("\n\n"):
        if block.startswith("event: "):
            name, _, data = block.partition("\ndata: ")
            found.append(json.loads(data))
            assert found[-1]["type"] == name.removeprefix("event: ")
    return found


# --- responses ------------------------------------------------------------------------------------------------------


def respond(who: TestClient, **body: Any) -> Any:
    return who.post("/v1/responses", json={"input": "hello there", **body})


def test_a_response_has_openais_shape(desk: Engine) -> None:
    body = respond(client(), instructions="Be brief.").json()
    assert body["object"] == "response" and body["status"] == "completed" and body["model"] == "echo"
    [message] = body["output"]
    assert message["type"] == "message" and message["content"][0]["text"] == "hello there"
    assert body["usage"]["total_tokens"] == body["usage"]["input_tokens"] + body["usage"]["output_tokens"]
    assert body["store"] is False and body["instructions"] == "Be brief."


def test_the_events_of_a_response_add_up_to_it(desk: Engine) -> None:
    told = events(respond(client(), stream=True).text)
    assert [one["sequence_number"] for one in told] == list(range(len(told)))
    assert [one["type"] for one in told[:2]] == ["response.created", "response.in_progress"]
    assert "".join(one["delta"] for one in told if one["type"] == "response.output_text.delta") == "hello there"
    last = told[-1]
    assert last["type"] == "response.completed" and last["response"]["output"][0]["content"][0]["text"] == "hello there"
    assert last["response"]["usage"]["output_tokens"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_thought_and_a_call_are_items_of_their_own(desk: Engine, stream: bool) -> None:
    orders = json.dumps({"answer": "x", "reasoning": "hm", "tool": "look"})
    reply = respond(client(), input=orders, stream=stream)
    body = events(reply.text)[-1]["response"] if stream else reply.json()
    kinds = [item["type"] for item in body["output"]]
    assert kinds == ["reasoning", "message", "function_call"]
    assert body["output"][0]["content"][0]["text"] == "hm"
    assert body["output"][2]["name"] == "look" and json.loads(body["output"][2]["arguments"]) == {"text": "x"}
    assert len({item["id"] for item in body["output"]}) == 3


def test_an_answer_that_is_cut_is_incomplete(desk: Engine) -> None:
    body = respond(client(), max_output_tokens=1).json()
    assert body["status"] == "incomplete" and body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert events(respond(client(), max_output_tokens=1, stream=True).text)[-1]["type"] == "response.incomplete"


def test_items_become_messages(desk: Engine) -> None:
    items = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "one "}, {"type": "input_text", "text": "two"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "found it"},
    ]
    assert respond(client(), input=items).json()["output"][0]["content"][0]["text"] == "found it"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"previous_response_id": "resp_1"}, 501, "not_supported"),
        ({"background": True}, 501, "not_supported"),
        ({"input": []}, 400, "invalid_value"),
        ({"input": [{"role": "king", "content": "x"}]}, 400, "invalid_value"),
        ({"input": [{"content": "x"}]}, 400, "invalid_value"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, 400, "unsupported_content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, 400, "unsupported_content"),
        ({"tools": [{"type": "web_search"}]}, 400, "unsupported_tool"),
        ({"text": {"format": {"type": "poem"}}}, 400, "invalid_value"),
        ({"temperature": "hot"}, 400, "invalid_value"),
        ({"model": "nope"}, 404, "model_not_found"),
    ],
)
def test_what_is_no_request_for_a_response(desk: Engine, body: dict[str, Any], status: int, code: str) -> None:
    reply = respond(client(), **body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_a_failure_in_a_stream_of_events_is_an_event(desk: Engine) -> None:
    told = events(respond(client(), input=json.dumps({"answer": "a b c", "fail_after": 1}), stream=True).text)
    assert [one["type"] for one in told[-2:]] == ["error", "response.failed"] and told[-2]["code"] == "server_failed"


# --- messages -------------------------------------------------------------------------------------------------------


def say(who: TestClient, **body: Any) -> Any:
    return who.post("/v1/messages", json={"model": "echo", "max_tokens": 99, "messages": HI, **body})


def test_a_message_has_anthropics_shape(desk: Engine) -> None:
    body = say(client(), system="Be brief.").json()
    assert body["type"] == "message" and body["role"] == "assistant" and body["stop_reason"] == "end_turn"
    assert body["content"] == [{"type": "text", "text": "hello there"}] and body["usage"]["output_tokens"] == 2
    assert say(client(), max_tokens=1).json()["stop_reason"] == "max_tokens"


def test_the_events_of_a_message_come_in_anthropics_order(desk: Engine) -> None:
    told = events(say(client(), stream=True).text)
    kinds = [one["type"] for one in told]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert "".join(one["delta"]["text"] for one in told if one["type"] == "content_block_delta") == "hello there"
    assert told[-2]["delta"]["stop_reason"] == "end_turn" and told[-2]["usage"]["input_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_a_block_with_its_input(desk: Engine, stream: bool) -> None:
    orders = json.dumps({"answer": "x", "reasoning": "hm", "tool": "look"})
    reply = say(client(), messages=[{"role": "user", "content": orders}], stream=stream)
    if not stream:
        blocks = reply.json()["content"]
        assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]
        assert blocks[2]["input"] == {"text": "x"} and reply.json()["stop_reason"] == "tool_use"
        return
    told = events(reply.text)
    begun = [one["content_block"]["type"] for one in told if one["type"] == "content_block_start"]
    assert begun == ["thinking", "text", "tool_use"]
    written = [one["delta"]["partial_json"] for one in told if one.get("delta", {}).get("type") == "input_json_delta"]
    assert json.loads("".join(written)) == {"text": "x"}


def test_blocks_become_messages(desk: Engine) -> None:
    turns = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."},
                                          {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1",
                                      "content": [{"type": "text", "text": "found it"}]}]},
    ]  # fmt: skip
    assert say(client(), messages=turns).json()["content"][0]["text"] == "found it"
    count = client().post("/v1/messages/count_tokens", json={"model": "echo", "messages": turns})
    assert count.json()["input_tokens"] > 6


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"max_tokens": None}, 400, "invalid_request_error"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, 400, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, 400, "invalid_request_error"),
        ({"tools": [{"name": "web_search", "type": "web_search_20250305"}]}, 400, "invalid_request_error"),
        ({"tool_choice": {"type": "nonsense"}, "tools": [{"name": "x", "input_schema": {}}]}, 400,
         "invalid_request_error"),
        ({"model": "nope"}, 404, "not_found_error"),
    ],
)  # fmt: skip
def test_what_is_no_request_for_a_message(desk: Engine, body: dict[str, Any], status: int, kind: str) -> None:
    reply = say(client(), **body)
    assert reply.status_code == status
    assert reply.json()["type"] == "error" and reply.json()["error"]["type"] == kind


def test_a_failure_in_a_message_is_anthropics_error(desk: Engine) -> None:
    orders = [{"role": "user", "content": json.dumps({"answer": "a b c", "fail_after": 1})}]
    assert events(say(client(), messages=orders, stream=True).text)[-1]["error"]["type"] == "api_error"
    assert say(client(), messages=orders).json()["error"]["type"] == "api_error"


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_tokens_of_a_text_and_of_a_chat(desk: Engine) -> None:
    ask = client().post
    for name in ("content", "prompt"):
        told = ask("/v1/tokenize", json={name: "hello there"}).json()
        assert told["count"] == 2 and told["tokens"] == [0, 1] and told["max_model_len"] == 8192
    told = ask("/v1/tokenize", json={"messages": HI, "with_pieces": True}).json()
    assert "".join(token["piece"] for token in told["tokens"]) == "user: hello there\nassistant:"
    counted = ask("/v1/chat/completions/input_tokens", json={"messages": HI}).json()
    assert counted["input_tokens"] == told["count"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("tokenize", {}, 400),
        ("tokenize", {"content": "a", "prompt": "b"}, 400),
        ("tokenize", {"content": 5}, 400),
        ("tokenize", {"content": "x", "model": "nope"}, 404),
        ("detokenize", {"tokens": ["x"]}, 400),
        ("detokenize", {"tokens": [1]}, 501),
    ],
)
def test_what_has_no_tokens(desk: Engine, path: str, body: dict[str, Any], status: int) -> None:
    assert client().post(f"/v1/{path}", json=body).status_code == status


# --- vectors --------------------------------------------------------------------------------------------------------


def test_a_text_has_a_vector_in_both_writings(desk: Engine) -> None:
    ask = client().post
    one = ask("/v1/embeddings", json={"input": ["La tour est à Paris.", "Il pleut."]}).json()
    assert one["object"] == "list" and [row["index"] for row in one["data"]] == [0, 1]
    assert one["usage"]["prompt_tokens"] > 5 and one["model"]
    vector = np.array(one["data"][0]["embedding"], np.float32)
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-3
    short = ask("/v1/embeddings", json={"input": "La tour est à Paris.", "encoding_format": "base64"}).json()
    read = np.frombuffer(base64.b64decode(short["data"][0]["embedding"]), "<f4")
    assert np.allclose(read, vector, atol=1e-3)
    query = ask("/v1/embeddings", json={"input": "La tour est à Paris.", "input_type": "query"}).json()
    assert not np.allclose(query["data"][0]["embedding"], vector, atol=1e-3) or one["model"] == "use"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"input": []}, 400),
        ({"input": [5]}, 400),
        ({"input": [[1, 2]]}, 400),
        ({"input": {"a": 1}}, 400),
        ({"input": "x", "dimensions": 7}, 400),
        ({"input": "x", "encoding_format": "hex"}, 400),
        ({"input": "x" * 1_000_001}, 413),
        ({"input": "x", "model": "text-embedding-3-small"}, 404),
        ({"input": "x", "model": "gguf:nope"}, 404),
        ({"input": "x", "model": "echo"}, 501),
    ],
)
def test_what_has_no_vector(desk: Engine, body: dict[str, Any], status: int) -> None:
    reply = client().post("/v1/embeddings", json=body)
    assert reply.status_code == status and set(reply.json()["error"]) == {"message", "type", "code", "param"}


def test_embedders_are_in_the_list_of_models(desk: Engine) -> None:
    rows = {row["id"]: row for row in client().get("/v1/models").json()["data"]}
    name = next(key for key, row in rows.items() if row["owned_by"] == "embeddings")
    assert client().get(f"/v1/models/{name}").json() == rows[name] and rows["echo"]["meta"]["type"] == "chat"


def test_without_a_reranker_nothing_is_ranked(desk: Engine) -> None:
    reply = client().post("/v1/rerank", json={"query": "x", "documents": ["y"]})
    assert reply.status_code == 501 and reply.json()["error"]["code"] == "not_supported"
    reply = client().post("/v1/rerank", json={"model": "nope", "query": "x", "documents": ["y"]})
    assert reply.status_code == 404


class _Ranks:
    name = "gguf:ranks"

    def scores(self, question: str, texts: Any) -> list[float]:
        return [float(len(text)) for text in texts]


def test_documents_come_in_the_order_of_their_scores(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.api.vectors.reranker_of", lambda call, wanted: _Ranks())
    documents = ["bb", {"text": "dddd"}, "a", "ccc"]
    body = {"query": "x", "documents": documents, "top_n": 2, "return_documents": True}
    told = client().post("/v1/rerank", json=body).json()
    assert [(row["index"], row["relevance_score"]) for row in told["results"]] == [(1, 4.0), (3, 3.0)]
    assert told["results"][0]["document"] == {"text": "dddd"}
