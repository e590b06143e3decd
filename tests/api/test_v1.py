"""`/v1` as its clients see it: with the echo model for the shapes, with the real one for counts, timings and slots."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from apps.api.bodies import DEEPEST, MAX_BODY
from tests.standins.app_server import AppServer, Reply, app_server, wait_for

HI = [{"role": "user", "content": "hello there"}]
BUNDLED = "smollm2-135m-instruct"
# The course sheet's request, word for word
SHEET = {
    "model": "smollm2-1.7b-instruct",
    "messages": [
        {"role": "system", "content": "Always answer in rhymes. Today is Thursday"},
        {"role": "user", "content": "What day is it today?"},
    ],
    "temperature": 0.7,
    "max_tokens": -1,
    "stream": False,
}


@pytest.fixture(scope="module")
def echo() -> Iterator[AppServer]:
    """The application with the echo model as default."""
    with app_server() as server:
        yield server


@pytest.fixture(scope="module")
def real() -> Iterator[AppServer]:
    """The application with the real model: two windows of 512 tokens, small batches, one thread beside other tests."""
    size = {"ATELIER_SLOTS": "2", "ATELIER_WINDOW": "512", "ATELIER_BATCH": "32", "ATELIER_THREADS": "1"}
    with app_server(environment={"ATELIER_MODEL": BUNDLED, "ATELIER_PREPARE": "0", **size}) as server:
        server.ask("POST", "/v1/chat/completions", {"messages": HI, "max_tokens": 1})
        yield server


def chat(server: AppServer, **body: Any) -> Reply:
    """An answer to `body`, whose messages say hello unless it has its own."""
    return server.ask("POST", "/v1/chat/completions", {"messages": HI, **body})


def chunks(reply: Reply) -> list[dict[str, Any]]:
    """The data objects of an event stream that must end with `[DONE]`."""
    lines = [line for line in reply.body.decode().split("\n") if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]", reply.body
    return [json.loads(line[6:]) for line in lines[:-1]]


def said(parts: list[dict[str, Any]]) -> str:
    """The text of a stream of chat chunks."""
    return "".join(choice["delta"].get("content") or "" for part in parts for choice in part["choices"])


# --- shapes, with echo ----------------------------------------------------------------------------------------------


def test_models_are_listed_and_found_by_alias(echo: AppServer) -> None:
    listed = echo.ask("GET", "/v1/models").json
    assert listed["object"] == "list" and {BUNDLED, "echo"} <= {row["id"] for row in listed["data"]}
    assert echo.ask("GET", "/v1/models/smollm2-1.7b-instruct").json["id"] == BUNDLED
    missing = echo.ask("GET", "/v1/models/nope")
    assert missing.status == 404 and missing.json["error"]["code"] == "model_not_found"


def test_a_whole_answer_has_openais_shape(echo: AppServer) -> None:
    reply = chat(echo)
    body = reply.json
    assert reply.status == 200 and reply.headers["x-request-id"]
    assert body["object"] == "chat.completion" and body["model"] == "echo"
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "hello there"}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


def test_a_stream_has_openais_shape(echo: AppServer) -> None:
    reply = chat(echo, stream=True, stream_options={"include_usage": True})
    parts = chunks(reply)
    assert reply.headers["content-type"] == "text/event-stream"
    assert parts[0]["choices"][0]["delta"]["role"] == "assistant"
    assert said(parts) == "hello there"
    assert parts[-2]["choices"][0]["finish_reason"] == "stop"
    assert parts[-1]["choices"] == [] and parts[-1]["usage"]["completion_tokens"] == 2


def test_a_completion_has_openais_shape(echo: AppServer) -> None:
    body = echo.ask("POST", "/v1/completions", {"prompt": "hello there"}).json
    assert body["object"] == "text_completion" and body["choices"][0]["text"]


def test_a_model_that_writes_embeds_nothing(echo: AppServer) -> None:
    reply = echo.ask("POST", "/v1/embeddings", {"input": "x", "model": "echo"})
    assert reply.status == 501 and "embeds nothing" in reply.json["error"]["message"]
    assert set(reply.json["error"]) == {"message", "type", "code", "param"}


BAD_BODIES: dict[str, tuple[Any, str | None]] = {
    "role 5": ({"messages": [{"role": 5, "content": "x"}]}, "messages.0.role"),
    "unknown role": ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role"),
    "no role": ({"messages": [{"content": "x"}]}, "messages.0.role"),
    "content 5": ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
    "part without type": ({"messages": [{"role": "user", "content": [{}]}]}, None),
    "no messages": ({}, "messages"),
    "empty messages": ({"messages": []}, "messages"),
    "messages a text": ({"messages": "hi"}, "messages"),
    "temperature a word": ({"messages": HI, "temperature": "hot"}, "temperature"),
    "temperature true": ({"messages": HI, "temperature": True}, "temperature"),
    "temperature negative": ({"messages": HI, "temperature": -1}, "temperature"),
    "top_p 2": ({"messages": HI, "top_p": 2}, "top_p"),
    "n 2": ({"messages": HI, "n": 2}, "n"),
    "n absurd": ({"messages": HI, "n": 10**9}, "n"),
    "max_tokens -7": ({"messages": HI, "max_tokens": -7}, "max_tokens"),
    "max_tokens 1.5": ({"messages": HI, "max_tokens": 1.5}, "max_tokens"),
    "stream a word": ({"messages": HI, "stream": "yes"}, "stream"),
    "stop of numbers": ({"messages": HI, "stop": [5]}, "stop"),
    "logit_bias a text": ({"messages": HI, "logit_bias": "x"}, "logit_bias"),
    "tools 5": ({"messages": HI, "tools": 5}, "tools"),
    "tool without function": ({"messages": HI, "tools": [{"type": "function"}]}, "tools.0.function"),
    "format unknown": ({"messages": HI, "response_format": {"type": "zzz"}}, "response_format.type"),
    "reasoning_format": ({"messages": HI, "reasoning_format": "zz"}, "reasoning_format"),
    "call without type": ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, None),
    "top_logprobs alone": ({"messages": HI, "top_logprobs": 5}, "top_logprobs"),
    "grammar of a megabyte": ({"messages": HI, "grammar": "a" * 2**20}, "grammar"),
    "seed huge": ({"messages": HI, "seed": 2**70}, None),
    "not an object": ([], None),
    "not JSON": (b"{", None),
    "NaN": (b'{"messages": [], "temperature": NaN}', None),
    "infinite": (b'{"messages": [], "temperature": 1e999}', None),
    "half a character": (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', None),
    "not UTF-8": (b'{"messages": "\xff"}', None),
    "nested": (b'{"messages": ' + b"[" * 20000 + b"]" * 20000 + b"}", None),
    "nested objects": (b'{"a": ' * (DEEPEST + 2) + b"1" + b"}" * (DEEPEST + 2), None),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies_are_the_clients_fault(echo: AppServer, name: str) -> None:
    body, param = BAD_BODIES[name]
    reply = echo.ask("POST", "/v1/chat/completions", body)
    error = reply.json["error"]
    assert reply.status == 400 and error["type"] == "invalid_request_error" and error["message"]
    assert param is None or error["param"] == param


@pytest.mark.parametrize("prompt", [5, [], [["a"]], ["a", "b"], {"a": 1}, [1.5], None])
def test_bad_prompts_are_the_clients_fault(echo: AppServer, prompt: Any) -> None:
    assert echo.ask("POST", "/v1/completions", {"prompt": prompt}).status == 400


def test_a_body_has_a_limit(echo: AppServer) -> None:
    reply = echo.ask("POST", "/v1/chat/completions", b" " * (MAX_BODY + 1))
    assert reply.status == 413 and reply.json["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/chat/completions", 405), ("POST", "/v1/models", 405), ("PUT", "/v1/x", 405), ("GET", "/v1/x", 404)],
)
def test_what_is_not_there_says_so_in_openais_shape(echo: AppServer, method: str, path: str, status: int) -> None:
    reply = echo.ask(method, path, b"")
    assert reply.status == status and set(reply.json["error"]) == {"message", "type", "code", "param"}


def test_an_unknown_model_is_404(echo: AppServer) -> None:
    reply = chat(echo, model="gpt-99")
    assert reply.status == 404
    assert reply.json["error"]["code"] == "model_not_found" and reply.json["error"]["param"] == "model"


def test_null_means_default(echo: AppServer) -> None:
    assert chat(echo, temperature=None, max_tokens=None, stop=None, tools=None, model=None).status == 200


def test_openais_own_client_understands_it(echo: AppServer) -> None:
    import openai

    client = openai.OpenAI(base_url=f"{echo.address}/v1", api_key="not-needed", max_retries=0)
    try:
        whole = client.chat.completions.create(model="echo", messages=HI)  # type: ignore[arg-type]
        assert whole.choices[0].message.content == "hello there"
        stream = client.chat.completions.create(model="echo", messages=HI, stream=True)  # type: ignore[arg-type]
        assert "".join(part.choices[0].delta.content or "" for part in stream) == "hello there"
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="nope", messages=HI)  # type: ignore[arg-type]
        assert caught.value.code == "model_not_found"
    finally:
        client.close()


# --- the real model -------------------------------------------------------------------------------------------------


@pytest.mark.model
def test_the_course_sheet_is_answered_by_the_model_that_is_there(real: AppServer) -> None:
    body = real.ask("POST", "/v1/chat/completions", SHEET, {"Content-Type": "application/json"}).json
    assert body["model"] == BUNDLED and body["choices"][0]["message"]["content"]
    assert body["usage"]["prompt_tokens"] > 20 and body["timings"]["predicted_n"] == body["usage"]["completion_tokens"]


@pytest.mark.model
def test_a_stream_keeps_usage_and_timings(real: AppServer) -> None:
    parts = chunks(chat(real, stream=True, max_tokens=5, temperature=0, stream_options={"include_usage": True}))
    assert not any("prompt_progress" in part for part in parts)
    assert parts[-1]["usage"]["completion_tokens"] == 5 and parts[-1]["timings"]["predicted_n"] == 5
    assert {part["model"] for part in parts} == {BUNDLED}
    whole = chat(real, max_tokens=5, temperature=0).json
    assert said(parts) == whole["choices"][0]["message"]["content"]
    assert whole["usage"]["prompt_tokens"] == parts[-1]["usage"]["prompt_tokens"]


@pytest.mark.model
def test_a_stream_without_usage_has_none_but_timings(real: AppServer) -> None:
    parts = chunks(chat(real, stream=True, max_tokens=3))
    assert all(part["choices"] for part in parts) and "usage" not in parts[-1] and parts[-1]["timings"]


@pytest.mark.model
def test_progress_comes_to_who_asks_for_it(real: AppServer) -> None:
    parts = chunks(chat(real, stream=True, max_tokens=1, return_progress=True))
    assert parts[0]["prompt_progress"]["total"] > 0


@pytest.mark.model
def test_logprobs_pass_through(real: AppServer) -> None:
    choice = chat(real, max_tokens=2, logprobs=True, top_logprobs=3).json["choices"][0]
    assert len(choice["logprobs"]["content"]) == 2 and len(choice["logprobs"]["content"][0]["top_logprobs"]) == 3


@pytest.mark.model
def test_completions_take_text_and_token_ids(real: AppServer) -> None:
    text = real.ask(
        "POST", "/v1/completions", {"prompt": "The capital of France is", "max_tokens": 2, "temperature": 0}
    )
    ids = real.ask(
        "POST", "/v1/completions", {"prompt": [504, 3575, 282, 4649, 314], "max_tokens": 2, "temperature": 0}
    )
    assert text.json["choices"][0]["text"] == ids.json["choices"][0]["text"]
    assert text.json["usage"]["prompt_tokens"] == ids.json["usage"]["prompt_tokens"] == 5


@pytest.mark.model
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"prompt": [49152]}),
        ("/v1/completions", {"prompt": [-1]}),
        ("/v1/completions", {"prompt": [10**15]}),
        ("/v1/completions", {"prompt": "x", "logit_bias": {"49152": 1}}),
        ("/v1/chat/completions", {"messages": HI, "logit_bias": [[-5, 1]]}),
        ("/v1/chat/completions", {"messages": HI, "grammar": "root ::= ("}),
        ("/v1/chat/completions", {"messages": HI, "json_schema": {"type": "zzz"}}),
        ("/v1/chat/completions", {"messages": [{"role": "assistant", "content": "a"}] * 2}),
        ("/v1/chat/completions/input_tokens", {"messages": [{**HI[0], "tool_calls": [{"function": {"name": "x"}}]}]}),
        ("/v1/tokenize", {"messages": [{**HI[0], "tool_calls": [{"function": {"name": "x"}}]}]}),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        ),
        ("/v1/chat/completions", {"messages": HI, "min_p": [1]}),
        ("/v1/chat/completions", {"messages": HI, "dynatemp_range": "x"}),
    ],
)
def test_what_the_runtime_cannot_do_is_400(real: AppServer, path: str, body: dict[str, Any]) -> None:
    reply = real.ask("POST", path, {"max_tokens": 2, **body})
    assert reply.status == 400, reply.body
    assert reply.json["error"]["type"] == "invalid_request_error"


@pytest.mark.model
def test_other_protocols_are_answered_by_the_same_model(real: AppServer) -> None:
    said_by_chat = chat(real, max_tokens=4, temperature=0).json["choices"][0]["message"]["content"]
    body = {"messages": HI, "max_tokens": 4, "temperature": 0}
    message = real.ask("POST", "/v1/messages", body).json
    assert message["content"][0]["text"] == said_by_chat and message["stop_reason"] == "max_tokens"
    usage, counted = message["usage"], real.ask("POST", "/v1/messages/count_tokens", {"messages": HI}).json
    assert usage["input_tokens"] + usage.get("cache_read_input_tokens", 0) == counted["input_tokens"]
    asked = {"input": HI, "max_output_tokens": 4, "temperature": 0, "stream": True}
    lines = real.ask("POST", "/v1/responses", asked).body.decode().split("\n")
    told = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert "".join(one["delta"] for one in told if one["type"].endswith("text.delta")) == said_by_chat
    assert told[-1]["response"]["status"] == "incomplete" and told[-1]["response"]["usage"]["output_tokens"] == 4


@pytest.mark.model
def test_tokens_come_and_go_back(real: AppServer) -> None:
    tokens = real.ask("POST", "/v1/tokenize", {"content": "Bonjour été", "with_pieces": True}).json["tokens"]
    ids = [token["id"] for token in tokens]
    assert real.ask("POST", "/v1/detokenize", {"tokens": ids}).json["content"] == "Bonjour été"
    assert real.ask("POST", "/v1/detokenize", {"tokens": [10**6]}).status == 400
    assert real.ask("POST", "/v1/embeddings", {"input": "x", "model": BUNDLED}).status == 501


@pytest.mark.model
def test_private_fields_stay_outside(real: AppServer) -> None:
    reply = chat(real, max_tokens=2, id_slot=1, n_cmpl=2, verbose=True, response_fields=["content"], lora=[{"id": 7}])
    assert reply.status == 200 and len(reply.json["choices"]) == 1 and "__verbose" not in reply.json


@pytest.mark.model
def test_the_window_has_an_exact_edge(real: AppServer) -> None:
    last = real.ask("POST", "/v1/completions", {"prompt": [504] * 511, "max_tokens": 50})
    assert last.status == 200 and last.json["usage"]["completion_tokens"] == 1
    error = real.ask("POST", "/v1/completions", {"prompt": [504] * 512}).json["error"]
    assert error["code"] == "context_length_exceeded" and (error["n_prompt_tokens"], error["n_ctx"]) == (512, 512)


def slots_in_use(server: AppServer) -> int:
    """Slots that the runtime is working on, as it tells an attached process."""
    attach = json.loads((server.home / "attach.json").read_text())
    told = server.ask("GET", f"/runtime/{BUNDLED}/slots", headers={"Authorization": f"Bearer {attach['key']}"})
    return sum(slot["is_processing"] for slot in told.json)


@pytest.mark.model
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reading", [False, True], ids=["writing", "reading the prompt"])
def test_a_client_that_goes_away_frees_its_slot(real: AppServer, stream: bool, reading: bool) -> None:
    text = " ".join(str(number * 7919 + stream) for number in range(55)) if reading else "Tell a long story."
    body = {"messages": [{"role": "user", "content": text}], "stream": stream, "ignore_eos": True, "max_tokens": 400}
    data = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", real.port)) as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        client.sendall(head.encode() + data)
        assert wait_for(lambda: slots_in_use(real) == 1)
    assert wait_for(lambda: slots_in_use(real) == 0)  # half a second on a machine that does nothing else
    assert chat(real, max_tokens=1).status == 200


@pytest.mark.model
def test_more_people_than_slots_are_all_answered(real: AppServer) -> None:
    def one(number: int) -> str:
        messages = [{"role": "user", "content": f"Say {number}."}]
        return said(chunks(chat(real, messages=messages, stream=True, max_tokens=4)))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(8)))


@pytest.mark.model
def test_a_runtime_that_dies_ends_the_stream_with_an_error_and_the_next_request_works(real: AppServer) -> None:
    connection = real.connection()
    try:
        body = {"messages": HI, "stream": True, "max_tokens": 400, "ignore_eos": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        while b'"content":"' not in response.readline():
            pass
        (worker,) = psutil.Process(real.process.pid).children()
        worker.kill()
        rest = response.read().decode()
    finally:
        connection.close()
    assert json.loads(rest.strip().splitlines()[-1][6:])["error"]["code"] == "runtime_died"
    assert "[DONE]" not in rest
    assert chat(real, max_tokens=1).status == 200


@pytest.mark.model
def test_an_answer_leaves_its_trace_under_the_id_that_was_told(real: AppServer) -> None:
    import sqlite3

    trace_id = chat(real, max_tokens=2, stream=True).headers["x-request-id"]

    def kept() -> list[tuple[str, str, str]]:
        with sqlite3.connect(real.home / "atelier.sqlite3") as store:
            return store.execute("SELECT owner, prompt, usage FROM traces WHERE id = ?", (trace_id,)).fetchall()

    assert wait_for(kept)
    owner, prompt, usage = kept()[0]
    assert owner == "local" and "hello there" in prompt and json.loads(usage)["completion_tokens"] == 2


@pytest.mark.model
def test_the_log_has_the_tokens_of_an_answer_whose_client_left_too(real: AppServer) -> None:
    from engine.requestlog import RequestLog, Served
    from engine.store import Store

    store = Store(f"sqlite:///{real.home / 'atelier.sqlite3'}")
    log = RequestLog(store)
    seen = max(row.seq for row in log.list())

    def logged() -> tuple[Served, ...]:
        return tuple(row for row in log.list(after=seen) if row.route == "/v1/chat/completions")

    assert len(chunks(chat(real, stream=True, max_tokens=3, ignore_eos=True))) > 2
    assert wait_for(lambda: len(logged()) == 1)
    connection = real.connection()
    body = {"messages": HI, "stream": True, "max_tokens": 400, "ignore_eos": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    response = connection.getresponse()
    while b'"content":"' not in response.readline():
        pass
    response.close()
    connection.close()
    assert wait_for(lambda: len(logged()) == 2)
    whole, left = logged()
    store.close()
    assert (whole.model, whole.status, whole.completion_tokens) == (BUNDLED, 200, 3)
    assert whole.prompt_tokens == left.prompt_tokens and left.completion_tokens and left.key is None


@pytest.mark.model
def test_the_runtime_serves_attached_processes(real: AppServer) -> None:
    from engine.backends.base import Control
    from engine.runtime.client import LlamaServer

    attach = json.loads((real.home / "attach.json").read_text())
    server = LlamaServer(f"{attach['address']}/runtime/{BUNDLED}", attach["key"])
    try:
        assert server.get("/props")["default_generation_settings"]["n_ctx"] == 512
        assert server.post("/tokenize", {"content": "hi"})["tokens"]
        prompt = server.post("/apply-template", {"messages": HI})["prompt"]
        parts = list(server.stream("/completion", {"prompt": prompt, "n_predict": 3, "stream": True}, Control()))
        assert parts[-1]["stop"] and parts[-1]["tokens_predicted"] == 3
        body = {"messages": HI, "max_tokens": 2, "stream": True}
        assert list(server.stream("/v1/chat/completions", body, Control()))[-1]["timings"]["predicted_n"] == 2
    finally:
        server.close()


# --- off this machine -----------------------------------------------------------------------------------------------


def test_off_this_machine_a_key_is_needed() -> None:
    from engine.keys import Keys
    from engine.people import People
    from engine.store import Store

    with app_server("--class", "--host", "127.0.0.1") as room:
        refused = chat(room)
        assert refused.status == 401 and refused.json["error"]["type"] == "authentication_error"
        cookie = {"Cookie": room.join(room.codes()["student"], "Ada")}
        store = Store(f"sqlite:///{room.home / 'atelier.sqlite3'}")
        ada, keys = People(store).all()[0], Keys(store)
        known, key = keys.create(ada)
        for headers in (cookie, {"Authorization": f"Bearer {key}"}):
            body = {"messages": HI}
            assert room.ask("POST", "/v1/chat/completions", body, headers).status == 200
        assert keys.revoke(known.id)
        store.close()
        assert room.ask("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"}).status == 401
