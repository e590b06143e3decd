"""Remote endpoints: every pitfall of langchain-openai and of the servers, over real HTTP on loopback."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
import traceback
from typing import Any

import pytest

from engine.backends.base import Request
from engine.backends.http_errors import retry_after
from engine.backends.openai_compat import OpenAICompat
from engine.errors import (
    BadParameter,
    EngineError,
    NotSupported,
    PaymentRequired,
    PromptTooLong,
    RateLimited,
    ServerFailed,
    StreamCut,
    TimedOut,
    Unauthorized,
    UnknownModel,
    Unreachable,
)
from engine.generation import Generation
from engine.params import Params
from engine.providers import Provider
from engine.types import Message, ReasoningDelta, Result, TextDelta, ToolCall
from tests.patience import SOON_S
from tests.standins.openai_server import KEY, PROMPT_TOKENS, TOO_LONG, OpenAIStandIn

HI = (Message("system", "Be brief."), Message("user", "Hi"))
EVERYTHING = frozenset(Params())


def row(**changes: Any) -> Provider:
    """A provider that takes every parameter of ours."""
    return Provider(**{"id": "test", "name": "Test", "base_url": "http://unused", "params": EVERYTHING, **changes})


def backend(server: OpenAIStandIn, model: str = "plain", *, key: str | None = KEY, **changes: Any) -> OpenAICompat:
    return OpenAICompat(server.base_url, model, key, row(**changes))


def asked(**params: Any) -> Request:
    return Request(HI, Params(params))


def start(opened: OpenAICompat, request: Request | None = None) -> Generation:
    return Generation(opened, request or asked(), model=opened.model)


def answer(opened: OpenAICompat, request: Request | None = None) -> Result:
    """The result, also when iterating raised: on a slow machine a Heartbeat comes first, and then nothing is raised."""
    generation = start(opened, request)
    with contextlib.suppress(EngineError):
        list(generation)
    return generation.result


def failure(server: OpenAIStandIn, model: str) -> EngineError:
    """The error that this model's answer ends with; nothing of an answer came before it."""
    result = answer(backend(server, model))
    assert result.outcome == "failed"
    assert not result.text
    assert result.error is not None
    return result.error


class TestBody:
    def test_what_is_sent_is_what_body_says(self, openai_server: OpenAIStandIn) -> None:
        opened, request = backend(openai_server), asked(seed=3, stop=["x"], top_k=5)
        answer(opened, request)
        assert openai_server.last.body == opened.body(request)
        assert openai_server.last.path == "/v1/chat/completions"

    def test_usage_is_asked_for(self, openai_server: OpenAIStandIn) -> None:
        result = answer(backend(openai_server))
        assert openai_server.last.body["stream_options"] == {"include_usage": True}
        assert result.usage.to_dict() == {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": 5,
            "total_tokens": 12,
            "cached_tokens": 4,
            "reasoning_tokens": None,
        }

    def test_usage_is_not_asked_for_where_it_always_comes(self, openai_server: OpenAIStandIn) -> None:
        answer(backend(openai_server, quirks=frozenset({"usage_always"})))
        assert "stream_options" not in openai_server.last.body

    @pytest.mark.parametrize("spelling", ["max_tokens", "max_completion_tokens"])
    def test_max_tokens_is_spelled_as_the_host_wants_it(self, openai_server: OpenAIStandIn, spelling: Any) -> None:
        result = answer(backend(openai_server, token_field=spelling), asked(max_tokens=2))
        sent = openai_server.last.body
        assert {name: sent[name] for name in sent if "tokens" in name} == {spelling: 2}
        assert (result.text, result.outcome) == ("Hello from", "max_tokens")

    def test_no_limit_sends_no_field(self, openai_server: OpenAIStandIn) -> None:
        answer(backend(openai_server), asked(max_tokens=-1))
        assert not [name for name in openai_server.last.body if "tokens" in name]

    def test_a_strict_host_gets_only_what_it_knows(self, openai_server: OpenAIStandIn) -> None:
        known = frozenset({"temperature", "max_tokens", "top_p", "stop"})
        assert answer(backend(openai_server, "strict", params=known), asked(seed=1, top_k=3)).text
        refused = answer(backend(openai_server, "strict", params=known, token_field="max_completion_tokens"))
        assert isinstance(refused.error, BadParameter)
        assert refused.error.details["name"] == "max_completion_tokens"

    def test_llamacpp_fields_lie_on_the_top_level(self, openai_server: OpenAIStandIn) -> None:
        answer(backend(openai_server), Request(HI, Params(min_p=0.1), extra={"grammar": 'root ::= "a"'}))
        assert (openai_server.last.body["min_p"], openai_server.last.body["grammar"]) == (0.1, 'root ::= "a"')

    def test_reasoning_models_of_a_strict_provider_get_no_sampling(self, openai_server: OpenAIStandIn) -> None:
        strict = frozenset({"reasoning_strict"})
        answer(backend(openai_server, "o3-mini", quirks=strict))
        assert set(openai_server.last.body) == {"model", "messages", "stream", "stream_options", "max_tokens"}
        answer(backend(openai_server, "gpt-4.1", quirks=strict))
        assert "temperature" in openai_server.last.body

    def test_fields_that_langchain_would_route_elsewhere_stay(self, openai_server: OpenAIStandIn) -> None:
        extra = {"reasoning": {"effort": "low"}, "tools": [{"type": "web_search"}], "response_format": {"type": "text"}}
        answer(backend(openai_server, "gpt-6"), Request(HI, Params(), extra=extra))
        assert openai_server.last.path == "/v1/chat/completions"
        assert openai_server.last.body["tools"] == [{"type": "web_search"}]

    def test_a_raw_prompt_is_not_supported(self, openai_server: OpenAIStandIn) -> None:
        refused = answer(backend(openai_server), Request(HI, Params(), raw="Once"))
        assert isinstance(refused.error, NotSupported)
        assert refused.error.details["capability"] == "raw_completion"
        for look in (backend(openai_server).render, backend(openai_server).count):
            with pytest.raises(NotSupported):
                look(asked())


class TestSecrets:
    def test_the_key_goes_to_the_host_and_nowhere_else(self, openai_server: OpenAIStandIn) -> None:
        opened = backend(openai_server)
        result = answer(opened)
        assert openai_server.last.headers["Authorization"] == f"Bearer {KEY}"
        assert KEY not in json.dumps(opened.body(asked())) + repr(opened) + repr(vars(result))

    def test_an_answer_that_repeats_the_key_is_masked(self, openai_server: OpenAIStandIn) -> None:
        error = failure(openai_server, "401")
        assert isinstance(error, Unauthorized)
        assert KEY not in "".join(traceback.format_exception(error)) + repr(error) + json.dumps(error.to_dict())

    def test_without_a_key_none_is_sent(self, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin")
        answer(backend(openai_server, key=None))
        assert "Authorization" not in openai_server.last.headers

    def test_the_environment_changes_nothing(
        self, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "LANGSMITH_GATEWAY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9/elsewhere")
        for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ORGANIZATION"):
            monkeypatch.setenv(name, "org-secret")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: 1")
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", openai_server.base_url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_secret")
        assert answer(backend(openai_server)).text == "Hello from the stand-in."
        assert {name.lower() for name in openai_server.last.headers} <= {
            "host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent",
            "authorization",
        }  # fmt: skip
        time.sleep(0.2)
        assert len(openai_server.requests) == 1


class TestStream:
    @pytest.mark.parametrize("model", ["plain", "crlf", "slow", "unknown-fields", "no-usage", "paced"])
    def test_the_text_comes_whole(self, openai_server: OpenAIStandIn, model: str) -> None:
        result = answer(backend(openai_server, model))
        assert (result.text, result.outcome, result.model) == ("Hello from the stand-in.", "stop", model)

    def test_no_usage_is_unknown_and_not_zero(self, openai_server: OpenAIStandIn) -> None:
        result = answer(backend(openai_server, "no-usage"))
        assert set(result.usage.to_dict().values()) == {None}
        assert result.stats.tokens_per_second is None

    def test_speed_is_measured_where_the_server_tells_none(self, openai_server: OpenAIStandIn) -> None:
        stats = answer(backend(openai_server, "paced")).stats
        assert stats.source == "measured"
        assert 0.2 < stats.total_time < SOON_S  # from the first of five words to the last, 0.2 s apart
        assert stats.tokens_per_second == pytest.approx(4 / stats.total_time)

    def test_timings_of_a_llamacpp_server_are_kept(self, openai_server: OpenAIStandIn) -> None:
        stats = answer(backend(openai_server, "unknown-fields")).stats
        assert (stats.source, stats.tokens_per_second, stats.total_time) == ("server", 10.0, 0.5)

    def test_reasoning_alone_is_no_text(self, openai_server: OpenAIStandIn) -> None:
        generation = start(backend(openai_server, "reasoning-only"))
        assert [event for event in generation if isinstance(event, ReasoningDelta)] == [
            ReasoningDelta("Let me"),
            ReasoningDelta(" think."),
        ]
        result = generation.result
        assert (result.text, result.reasoning, result.outcome) == ("", "Let me think.", "max_tokens")
        assert result.usage.reasoning_tokens == 2
        assert result.stats.time_to_first_token is not None

    def test_reasoning_under_its_other_name(self, openai_server: OpenAIStandIn) -> None:
        result = answer(backend(openai_server, "reasoning-openrouter"))
        assert (result.reasoning, result.text) == ("Let me", "Yes")

    def test_tool_calls_come_complete(self, openai_server: OpenAIStandIn) -> None:
        result = answer(backend(openai_server, "tools"))
        assert result.tool_calls == (
            ToolCall("call_1", "add", '{"a": 1, "b": 2}'),
            ToolCall("call_2", "weather", '{"city": "Lyon"}'),
        )
        assert result.outcome == "tool_calls"

    def test_tool_messages_are_sent_as_they_are(self, openai_server: OpenAIStandIn) -> None:
        call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
        messages = (
            *HI,
            Message("assistant", "", {"tool_calls": [call]}),
            Message("tool", "3", {"tool_call_id": "call_1"}),
        )
        answer(backend(openai_server), Request(messages, Params()))
        assert openai_server.last.body["messages"] == [message.to_dict() for message in messages]

    def test_logprobs_are_kept(self, openai_server: OpenAIStandIn) -> None:
        generation = start(backend(openai_server, "logprobs"), Request(HI, Params(), extra={"logprobs": True}))
        assert [event.logprobs[0]["logprob"] for event in generation if isinstance(event, TextDelta)] == [-0.5]

    def test_a_connection_is_used_again(self, openai_server: OpenAIStandIn) -> None:
        opened = backend(openai_server)
        answer(opened)
        line = opened._idle.queue[0]
        answer(opened)
        assert list(opened._idle.queue) == [line]
        opened.close()
        assert opened._idle.empty()


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "kind", "details"),
        [
            ("401", Unauthorized, {"status": 401}),
            ("403", Unauthorized, {"status": 403}),
            ("402", PaymentRequired, {"status": 402}),
            ("429", RateLimited, {"status": 429, "retry_after": 2.5}),
            ("429-date", RateLimited, {"status": 429, "retry_after": 0.0}),
            ("429-quota", PaymentRequired, {"status": 429}),
            ("500", ServerFailed, {"status": 500}),
            ("503", ServerFailed, {"status": 503}),
            ("html", ServerFailed, {"status": 502}),
            ("404", UnknownModel, {"model": "404"}),
            ("408", TimedOut, {"seconds": None}),
        ],
    )
    def test_refusals(self, openai_server: OpenAIStandIn, model: str, kind: type[EngineError], details: Any) -> None:
        error = failure(openai_server, model)
        assert (type(error), error.details) == (kind, details)
        assert len(openai_server.requests) == 1  # no hidden second try

    def test_a_refused_parameter_is_named(self, openai_server: OpenAIStandIn) -> None:
        error = failure(openai_server, "bad-parameter")
        assert isinstance(error, BadParameter)
        assert error.details["name"] == "temperature"

    @pytest.mark.parametrize("model", sorted(TOO_LONG))
    def test_a_long_prompt_in_every_dialect(self, openai_server: OpenAIStandIn, model: str) -> None:
        error = failure(openai_server, model)
        assert isinstance(error, PromptTooLong)
        told = (None, None) if model == "too-long-unnumbered" else (9000, 8192)
        assert (error.prompt_tokens, error.window) == told

    @pytest.mark.parametrize("model", ["cut", "cut-clean"])
    def test_a_cut_keeps_what_came(self, openai_server: OpenAIStandIn, model: str) -> None:
        result = answer(backend(openai_server, model))
        assert (result.text, result.outcome) == ("Hello from", "failed")
        assert isinstance(result.error, StreamCut)
        assert result.error.details["received"] == len("Hello from")

    @pytest.mark.parametrize("model", ["error-in-stream", "garbage"])
    def test_an_error_inside_the_stream_keeps_what_came(self, openai_server: OpenAIStandIn, model: str) -> None:
        result = answer(backend(openai_server, model))
        assert (result.text, result.outcome) == ("Hello from", "failed")
        assert isinstance(result.error, ServerFailed)

    def test_nobody_listens(self, openai_server: OpenAIStandIn) -> None:
        opened = backend(openai_server)
        openai_server.close()
        result = answer(opened)
        assert isinstance(result.error, Unreachable)
        assert result.error.details == {"address": opened.base_url}

    def test_silence_ends(self, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("engine.backends.line.READ_S", 1.5)
        silent = failure(openai_server, "silent")
        assert isinstance(silent, TimedOut)
        assert silent.details == {"seconds": 1.5}
        stalled = answer(backend(openai_server, "stall"))
        assert (stalled.text, type(stalled.error)) == ("Hello from", TimedOut)

    def test_a_failure_does_not_spoil_the_next_call(self, openai_server: OpenAIStandIn) -> None:
        opened = backend(openai_server, "cut")
        answer(opened)
        opened.model = "plain"
        assert answer(opened).outcome == "stop"

    def test_retry_after(self) -> None:
        assert retry_after({}) is None
        assert retry_after({"retry-after": "7"}) == 7.0
        assert retry_after({"retry-after": "-7"}) == 0.0


class TestStop:
    @pytest.mark.parametrize("model", ["silent", "stall"])
    def test_a_blocked_read_ends_at_once(self, openai_server: OpenAIStandIn, model: str) -> None:
        """`silent` sends no header at all, `stall` two words: neither may hold the stop button."""
        generation = start(backend(openai_server, model))
        while not openai_server.requests:
            time.sleep(0.01)
        threading.Timer(0.3, generation.stop).start()
        started = time.monotonic()
        events = list(generation)
        assert time.monotonic() - started < SOON_S
        assert generation.result.outcome == "user_stopped"
        assert generation.result.error is None
        assert openai_server.gone.wait(SOON_S)  # the server knows, too
        assert len([event for event in events if type(event).__name__ == "Finished"]) == 1

    def test_a_late_stop_reaches_nobody_else(self, openai_server: OpenAIStandIn) -> None:
        opened = backend(openai_server, "paced")
        first = start(opened)
        list(first)
        second = start(opened)
        time.sleep(0.1)
        first.stop()
        list(second)
        assert second.result.outcome == "stop"


def test_the_first_answers_clock_counts_no_imports(openai_server: OpenAIStandIn) -> None:
    code = """
import sys
from engine.backends.base import Control, Request
from engine.backends.openai_compat import OpenAICompat
from engine.params import Params
from engine.providers import typed_in
from engine.types import Message
opened = OpenAICompat(sys.argv[1], "plain", sys.argv[2], typed_in(sys.argv[1]))
before = set(sys.modules)
list(opened.run(Request((Message("user", "Hi"),), Params()), Control()))
print(len(set(sys.modules) - before))
"""
    order = [sys.executable, "-c", code, openai_server.base_url, KEY]
    assert int(subprocess.run(order, capture_output=True, text=True, check=True).stdout) == 0
