"""`/v1` with a model of Replicate's: OpenAI's chunks of its events, its errors, and no key in any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.marks import marks_in
from tests.standins.app_server import AppServer, app_server
from tests.standins.replicate_server import KEY, PROMPT_TOKENS, WORDS, ReplicateStandIn, replicate_standin

HI = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def replicate() -> Iterator[ReplicateStandIn]:
    with replicate_standin() as server:
        yield server


@pytest.fixture(scope="module")
def app(replicate: ReplicateStandIn) -> Iterator[AppServer]:
    with app_server(environment={"REPLICATE_BASE_URL": replicate.host, "REPLICATE_API_TOKEN": KEY}) as server:
        yield server


def test_an_answer_streamed_and_whole(app: AppServer, replicate: ReplicateStandIn) -> None:
    asked = {"messages": HI, "model": "replicate/meta/plain", "user": "me"}
    whole = app.ask("POST", "/v1/chat/completions", asked).json
    assert whole["choices"][0]["message"]["content"] == "".join(WORDS)
    assert (whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"]) == (PROMPT_TOKENS, len(WORDS))
    streamed = app.ask("POST", "/v1/chat/completions", {**asked, "stream": True}).body.decode()
    chunks = [json.loads(line[6:]) for line in streamed.split("\n") if line.startswith("data: {")]
    words = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    assert [word for word in words if word] == list(WORDS)
    assert "user" not in replicate.jobs[-1].input  # what the model does not take


def test_errors_are_openais(app: AppServer) -> None:
    for name, status, code in (("402", 502, "payment_required"), ("429", 429, "rate_limited")):
        reply = app.ask("POST", "/v1/chat/completions", {"messages": HI, "model": f"replicate/meta/{name}"})
        assert (reply.status, reply.json["error"]["code"]) == (status, code)
        assert not marks_in(reply.body.decode())
