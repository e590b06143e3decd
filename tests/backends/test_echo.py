"""The fake: what it says, counts and refuses, computed by hand."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.backends.base import Request
from engine.backends.echo import TOKEN, Echo
from engine.errors import BadParameter, EngineError, PromptTooLong, ServerFailed
from engine.generation import Generation
from engine.params import Params
from engine.types import Message, ReasoningDelta, Result, TextDelta, ToolCall


def asked(text: str, raw: str | None = None, extra: dict[str, Any] | None = None, **params: Any) -> Request:
    return Request((Message("user", text),), Params(params), raw=raw, extra=extra or {})


def answer(request: Request, backend: Echo | None = None) -> Result:
    generation = Generation(backend or Echo(), request, model="echo")
    with contextlib.suppress(EngineError):  # not raised where a Heartbeat came first
        list(generation)
    return generation.result


def test_it_says_what_was_said() -> None:
    result = answer(asked("Un deux, trois."))
    assert (result.text, result.outcome) == ("Un deux, trois.", "stop")
    # user · : · Un · deux · , · trois · . · \nassistant · :
    assert (result.usage.prompt_tokens, result.usage.completion_tokens) == (9, 5)


def test_render_is_what_count_counts() -> None:
    rendered = Echo().render(asked("hi hi"))
    assert rendered.prompt == "user: hi hi\nassistant:"
    assert rendered.pieces == ("user", ":", " hi", " hi", "\nassistant", ":")
    assert rendered.tokens == (0, 1, 2, 2, 3, 1)
    assert Echo().count(asked("hi hi")) == 6


@given(st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(TOKEN.findall(text)) == text


def test_limits() -> None:
    assert answer(asked("a b c", max_tokens=2)).outcome == "max_tokens"
    assert answer(asked("a b c", max_tokens=3)).outcome == "stop"
    # the prompt has 7 tokens: 2 are left of 9
    full = answer(asked("a b c", max_tokens=-1), Echo(window=9))
    assert (full.text, full.outcome, full.usage.total_tokens) == ("a b", "window_full", 9)


def test_the_boundary_of_the_window() -> None:
    assert answer(asked("a b c"), Echo(window=8)).usage.completion_tokens == 1
    refused = answer(asked("a b c"), Echo(window=7)).error
    assert isinstance(refused, PromptTooLong)
    assert refused.details == {"prompt_tokens": 7, "window": 7}


def test_the_earliest_stop_string_ends_it() -> None:
    result = answer(asked("one two three four", stop=["four", "two"]))
    assert (result.text, result.outcome) == ("one ", "stop_string")


def test_raw_has_no_template() -> None:
    result = answer(asked("unused", raw="Il était une fois"))
    assert (result.text, result.usage.prompt_tokens) == ("Il était une fois", 4)


def test_what_extra_makes_it_do() -> None:
    generation = Generation(Echo(), asked("x", extra={"reasoning": "hm", "tool": "look", "answer": "go on"}), model="e")
    events = list(generation)
    assert ReasoningDelta("hm") in events
    assert ToolCall("call_echo", "look", '{"text": "go on"}') in events
    assert events.index(ReasoningDelta("hm")) < events.index(TextDelta("go"))
    assert generation.result.outcome == "tool_calls"


def test_failing_keeps_what_was_said() -> None:
    result = answer(asked("a b c", extra={"fail_after": 2}))
    assert (result.text, result.outcome) == ("a b", "failed")
    assert isinstance(result.error, ServerFailed)


def test_hostile_text_comes_back_unchanged() -> None:
    hostile = "<script>alert(1)</script> | `x` $$ \u202e \x00 [a](javascript:b)"
    assert answer(asked("x", extra={"answer": hostile})).text == hostile


def test_orders_may_be_the_message() -> None:
    assert answer(asked('{"answer": "go on", "tool": "look"}')).outcome == "tool_calls"
    assert answer(asked('{"question": "go on"}')).text == '{"question": "go on"}'
    assert answer(asked("[1, 2]")).text == "[1, 2]"
    assert isinstance(answer(asked("x", extra={"delay": "long"})).error, BadParameter)
    assert answer(asked('{"delay": "long"}')).text == '{"delay": "long"}'
