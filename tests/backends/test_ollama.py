"""Ollama through its own protocol: the window that counts, the overflow that is an error, and each of its quirks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from engine.backends.base import Control, Report, Request
from engine.backends.ollama import Ollama, OllamaServer
from engine.backends.windows import Windows
from engine.errors import (
    EngineError,
    NotSupported,
    PromptTooLong,
    ServerFailed,
    StreamCut,
    Unauthorized,
    UnknownModel,
    Unreachable,
)
from engine.generation import Generation
from engine.params import Params
from engine.providers import provider
from engine.types import Message, Result, TextDelta, ToolCall
from tests.patience import SOON_S
from tests.standins.ollama_server import TRAINED, OllamaStandIn, ollama_standin
from tests.standins.openai_server import KEY

HI = (Message("system", "Be brief."), Message("user", "Hi"))


@pytest.fixture
def ollama() -> Iterator[OllamaStandIn]:
    with ollama_standin() as server:
        yield server


def backend(server: OllamaStandIn, model: str = "plain", window: int = 4096, key: str | None = None) -> Ollama:
    windows = Windows(ask_s=SOON_S)
    return Ollama(server.base_url, model, key, provider("ollama"), window=window, windows=windows)


def asked(text: str = "Hi there", **params: Any) -> Request:
    return Request((Message("user", text),), Params(params))


def answer(opened: Ollama, request: Request | None = None) -> Result:
    generation = Generation(opened, request or asked(), model=opened.model)
    with contextlib.suppress(EngineError):
        list(generation)
    return generation.result


def test_what_is_sent(ollama: OllamaStandIn) -> None:
    opened, request = backend(ollama), Request(HI, Params(seed=3, max_tokens=2, top_k=5, mirostat=2, stop=["x"]))
    result = answer(opened, request)
    sent = ollama.chats()[-1].body
    assert sent == opened.body(request)
    assert (sent["truncate"], sent["shift"], sent["stream"]) == (False, False, True)
    assert sent["options"]["num_ctx"] == 4096 and sent["options"]["num_predict"] == 2
    assert (sent["options"]["top_k"], sent["options"]["seed"], sent["options"]["stop"]) == (5, 3, ["x"])
    assert "mirostat" not in sent["options"] and "max_tokens" not in sent["options"]
    assert (result.text, result.outcome) == ("Hello from", "max_tokens")


def test_counts_and_times_are_the_servers(ollama: OllamaStandIn) -> None:
    result = answer(backend(ollama))
    assert (result.usage.prompt_tokens, result.usage.completion_tokens, result.usage.cached_tokens) == (2, 5, None)
    assert (result.stats.tokens_per_second, result.stats.total_time, result.stats.source) == (10.0, 0.5, "server")
    assert (result.text, result.outcome) == ("Hello from the stand-in.", "stop")


def test_a_count_that_an_old_version_leaves_out_is_unknown(ollama: OllamaStandIn) -> None:
    assert answer(backend(ollama, "cached")).usage.prompt_tokens is None


def test_the_window_is_the_one_wanted_and_at_most_the_trained_one(ollama: OllamaStandIn) -> None:
    assert backend(ollama, window=2048).window() == 2048
    assert backend(ollama, window=100_000).window() == TRAINED
    far = Ollama("http://127.0.0.1:9/v1", "plain", None, provider("ollama"), window=2048)
    assert far.window() == 2048  # who does not answer is asked for what was wanted


def test_a_full_window_is_told_from_a_limit(ollama: OllamaStandIn) -> None:
    result = answer(backend(ollama, window=64), asked("w " * 62, max_tokens=2))
    assert (result.outcome, result.usage.total_tokens) == ("window_full", 64)


@pytest.mark.parametrize("model", ["plain", "old"])
def test_a_prompt_that_is_too_long_is_an_error_whatever_the_version(ollama: OllamaStandIn, model: str) -> None:
    """Not a silence: the words alone are too many. An old version would cut to half the window and answer."""
    result = answer(backend(ollama, model, window=64), asked("word " * 64))
    assert isinstance(result.error, PromptTooLong)
    assert (result.error.prompt_tokens, result.error.window, result.text) == (None, 64, "")
    assert not ollama.chats()


def test_an_answer_to_a_prompt_that_was_cut_in_silence_is_an_error(ollama: OllamaStandIn) -> None:
    """An old version reads 34 tokens of 80 and answers; the 40 words say that this cannot have been all."""
    result = answer(backend(ollama, "old", window=64), asked("word " * 40))
    assert isinstance(result.error, PromptTooLong) and result.error.window == 64
    assert result.text and len(ollama.chats()) == 1  # what came stays to be seen
    whole = answer(backend(ollama, "old", window=64), asked("word " * 30))
    assert whole.error is None and whole.usage.prompt_tokens == 60


def test_the_servers_own_refusal_names_our_window(ollama: OllamaStandIn) -> None:
    """A sign by itself is a token and no word: what only the server can know."""
    result = answer(backend(ollama, window=64), asked("! " * 80))
    assert isinstance(result.error, PromptTooLong) and result.error.window == 64
    assert len(ollama.chats()) == 1


def test_thoughts_calls_and_probabilities(ollama: OllamaStandIn) -> None:
    thinking = answer(backend(ollama, "thinking"))
    assert (thinking.reasoning, thinking.text) == ("Let me think.", "Hello from the stand-in.")
    tools = answer(backend(ollama, "tools"))
    assert tools.tool_calls == (ToolCall("call_0", "add", '{"a": 1, "b": 2}'),) and tools.outcome == "tool_calls"
    scored = answer(backend(ollama, "logprobs"), Request(HI, Params(), extra={"logprobs": True, "top_logprobs": 2}))
    assert scored.logprobs[0]["token"] == "Hello"
    assert ollama.chats()[-1].body["top_logprobs"] == 2


def test_forms_and_calls_in_its_own_words(ollama: OllamaStandIn) -> None:
    schema = {"type": "object"}
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    messages = (Message("assistant", "", {"tool_calls": [call]}), Message("tool", "3", {"tool_call_id": "1"}))
    opened = backend(ollama)
    for extra in ({"json_schema": schema},
                  {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}):  # fmt: skip
        assert opened.body(Request(HI, Params(), extra=extra))["format"] == schema
    assert opened.body(Request(HI, Params(), extra={"reasoning_effort": "none"}))["think"] is False
    sent = opened.body(Request(messages, Params()))["messages"]
    assert sent[0]["tool_calls"] == [{"function": {"name": "add", "arguments": {"a": 1}}}]
    with pytest.raises(NotSupported):
        opened.body(Request(HI, Params(), extra={"grammar": "root ::= x"}))


def test_what_it_cannot_do_is_refused(ollama: OllamaStandIn) -> None:
    opened = backend(ollama)
    for request in (Request(HI, Params(), raw="x"), Request(HI, Params(), virtual_window=99)):
        with pytest.raises(NotSupported):
            opened.body(request)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("refused", Unauthorized),
        ("missing", UnknownModel),
        ("busy", ServerFailed),
        ("cut", StreamCut),
        ("cut-clean", StreamCut),
        ("error-in-stream", ServerFailed),
        ("garbage", ServerFailed),
    ],
)
def test_what_goes_wrong(ollama: OllamaStandIn, model: str, kind: type[EngineError]) -> None:
    result = answer(backend(ollama, model, key=KEY))
    assert isinstance(result.error, kind)
    assert KEY not in str(result.error.to_dict())


def test_nobody_there() -> None:
    far = Ollama("http://127.0.0.1:9/v1", "plain", None, provider("ollama"))
    assert isinstance(answer(far).error, Unreachable)


def test_the_key_goes_along_and_is_in_no_body(ollama: OllamaStandIn) -> None:
    opened = backend(ollama, key=KEY)
    answer(opened)
    assert ollama.chats()[-1].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str(opened.body(asked()))


def test_a_slow_first_byte_is_waited_for(ollama: OllamaStandIn) -> None:
    came = list(backend(ollama, "slow").run(asked(), Control()))
    assert isinstance(came[-1], Report) and isinstance(came[0], TextDelta)


def test_the_routes_beside_chat(ollama: OllamaStandIn) -> None:
    server = OllamaServer(ollama.base_url)
    assert server.version() == "0.33.0" and "plain:latest" in server.tags() and server.ps() == ()
    server.load("plain", 2048)
    assert [(one.name, one.window) for one in server.ps()] == [("plain:latest", 2048)]
    shown = server.show("plain")
    assert (shown.trained, shown.quantization, shown.architecture) == (TRAINED, "Q8_0", "llama")
    server.unload("plain")
    assert server.ps() == ()
    steps = list(server.pull("plain"))
    assert steps[-1][0] == "success" and ("pulling abc", 500, 1000) in steps
    with pytest.raises(ServerFailed, match="file does not exist"):
        list(server.pull("nowhere"))
    with pytest.raises(UnknownModel):
        server.show("missing")
