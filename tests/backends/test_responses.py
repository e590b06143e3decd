"""Endpoints that speak OpenAI's Responses: what is sent, what comes, what goes wrong."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from engine.backends.base import Request
from engine.backends.responses import Responses
from engine.errors import EngineError, NotSupported, PromptTooLong, RateLimited, ServerFailed, StreamCut, Unauthorized
from engine.generation import Generation
from engine.params import Params
from engine.providers import provider
from engine.types import Message, Result
from tests.standins.openai_server import KEY, OpenAIStandIn

HI = (Message("system", "Be brief."), Message("user", "Hi"))


def backend(server: OpenAIStandIn, model: str = "plain") -> Responses:
    return Responses(server.base_url, model, KEY, provider("perplexity"))


def answer(opened: Responses, **params: Any) -> Result:
    generation = Generation(opened, Request(HI, Params(params)), model=opened.model)
    with contextlib.suppress(EngineError):
        list(generation)
    return generation.result


def test_what_is_sent_and_what_comes(openai_server: OpenAIStandIn) -> None:
    result = answer(backend(openai_server), max_tokens=2, temperature=0.5, seed=3)
    sent = openai_server.last
    assert (sent.path, sent.headers["Authorization"]) == ("/v1/responses", f"Bearer {KEY}")
    assert sent.body == {"model": "plain", "input": [message.to_dict() for message in HI], "temperature": 0.5,
                         "top_p": 0.95, "max_output_tokens": 2, "stream": True}  # fmt: skip
    assert (result.text, result.outcome) == ("Hello from", "max_tokens")
    assert (result.usage.prompt_tokens, result.usage.completion_tokens, result.usage.cached_tokens) == (7, 2, 4)


def test_thoughts(openai_server: OpenAIStandIn) -> None:
    result = answer(backend(openai_server, "reasoning-only"))
    assert (result.reasoning, result.text, result.outcome) == ("Let me think.", "Hello from the stand-in.", "stop")


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("401", Unauthorized),
        ("429", RateLimited),
        ("500", ServerFailed),
        ("failed", ServerFailed),
        ("too-long-openai", PromptTooLong),
        ("too-long-late", PromptTooLong),
        ("cut", StreamCut),
        ("cut-clean", StreamCut),
        ("garbage", ServerFailed),
    ],
)
def test_what_goes_wrong(openai_server: OpenAIStandIn, model: str, kind: type[EngineError]) -> None:
    error = answer(backend(openai_server, model)).error
    assert isinstance(error, kind) and KEY not in str(error.to_dict())


def test_what_it_cannot_do_is_refused(openai_server: OpenAIStandIn) -> None:
    for request in (Request(HI, Params(), raw="x"), Request(HI, Params(), virtual_window=99)):
        with pytest.raises(NotSupported):
            backend(openai_server).body(request)
