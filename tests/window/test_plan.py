"""Window policies with the echo model, whose tokens are words: by hand, and properties over any conversation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, Settings
from engine.backends.base import Request
from engine.backends.echo import Echo
from engine.errors import PromptTooLong
from engine.model import Model
from engine.params import Params
from engine.types import ROLES, Capability, Message, Rendered
from engine.window import GAP, POLICIES, Plan, Segments, plan, reserved, summarizer


@dataclass
class Small:
    """The echo model with a window of its own; `counts` is how often it was asked to count."""

    size: int | None
    counts: int = 0
    capabilities: frozenset[Capability] = Echo.capabilities

    def request(self, messages: Any, params: Params | None = None, **options: Any) -> Request:
        return Request(tuple(messages), params or Params(), **options)

    def count(self, request: Request) -> int:
        self.counts += 1
        return Echo().count(request)

    def render(self, request: Request) -> Rendered:
        return Echo().render(request)

    def window(self) -> int | None:
        return self.size


def talk(*texts: str, system: str | None = None) -> tuple[Message, ...]:
    """Questions and answers in turns."""
    roles = ("user", "assistant")
    start = () if system is None else (Message("system", system),)
    return (*start, *(Message(roles[place % 2], text) for place, text in enumerate(texts)))  # type: ignore[arg-type]


def shown(made: Plan) -> list[str]:
    return [message.content for message in made.messages]


# Echo's prompt is "role: content\n" per message, then "assistant:": three tokens per message ("user", ":", and the line
# end, which joins a following word) and two at the end.


def test_echo_counts_as_this_file_thinks() -> None:
    assert plan(Small(99), talk("one")).prompt_tokens == 2 + 1 + 2
    assert plan(Small(99), talk("one two", "three", "four")).prompt_tokens == 4 + 3 + 3 + 2


SEVEN = talk("a", "b c", "d", "e f", "g", "h i", "j", system="S")  # tokens: 3 | 3 4 | 3 4 | 3 4 | 3 | 2 = 29


@pytest.mark.parametrize(
    ("policy", "window", "sent", "dropped"),
    [
        ("stop", 30, ["S", "a", "b c", "d", "e f", "g", "h i", "j"], ()),
        ("rolling", 31, ["S", "a", "b c", "d", "e f", "g", "h i", "j"], ()),
        ("rolling", 30, ["S", "d", "e f", "g", "h i", "j"], (1, 2)),
        ("rolling", 24, ["S", "d", "e f", "g", "h i", "j"], (1, 2)),
        ("rolling", 23, ["S", "g", "h i", "j"], (1, 2, 3, 4)),
        ("rolling", 10, ["S", "j"], (1, 2, 3, 4, 5, 6)),
        ("rolling", 9, ["S", "j"], (1, 2, 3, 4, 5, 6)),
        ("truncate_middle", 31, ["S", "a", "b c", "d", "e f", "g", "h i", "j"], ()),
        ("truncate_middle", 30, ["S", "a", "d", "e f", "g", "h i", "j"], (2,)),
        ("truncate_middle", 27, ["S", "a", "d", "e f", "g", "h i", "j"], (2,)),
        ("truncate_middle", 26, ["S", "a", "e f", "g", "h i", "j"], (2, 3)),
        ("truncate_middle", 13, ["S", "a", "j"], (2, 3, 4, 5, 6)),
        ("summarize", 31, ["S", "a", "b c", "d", "e f", "g", "h i", "j"], ()),
    ],
)
def test_by_hand(policy: Any, window: int, sent: list[str], dropped: tuple[int, ...]) -> None:
    made = plan(Small(window), SEVEN, Params(max_tokens=2), policy)
    assert (made.needed, shown(made), made.dropped) == (29, sent, dropped)


@pytest.mark.parametrize(("policy", "window", "smallest"), [("stop", 29, 29), ("rolling", 8, 8), ("summarize", 8, 8)])
def test_what_cannot_fit_is_refused_with_the_numbers(policy: Any, window: int, smallest: int) -> None:
    with pytest.raises(PromptTooLong) as refused:
        plan(Small(window), SEVEN, Params(max_tokens=2), policy)
    assert (refused.value.prompt_tokens, refused.value.window) == (smallest, window)
    assert plan(Small(window + 1), SEVEN, Params(max_tokens=2), policy).prompt_tokens == smallest


def test_segments_add_up_to_the_window() -> None:
    messages = (Message("system", "be brief"), Message("user", "x y z"), Message("user", "hi"))
    made = plan(Small(100), messages, Params(max_tokens=20), retrieved=frozenset({1}))
    assert made.segments is not None and made.prompt_tokens == made.segments.prompt_tokens
    assert (made.segments.system, made.segments.retrieved, made.segments.history) == (2, 3, 1)
    assert made.segments.template == made.prompt_tokens - 6 == 3 * 2 + 2
    assert made.segments.reserved == 20 and made.segments.free == 100 - made.prompt_tokens - 20


def test_a_virtual_window_counts_when_it_is_smaller() -> None:
    assert plan(Small(100), SEVEN, virtual_window=50).window == 50
    assert plan(Small(100), SEVEN, virtual_window=500).window == 100
    with pytest.raises(PromptTooLong) as refused:
        plan(Small(100), SEVEN, virtual_window=29)
    assert refused.value.window == 29


def test_the_reserve_is_never_more_than_a_quarter() -> None:
    assert [reserved(wanted, 100) for wanted in (0, 10, 25, 26, 131072, -1)] == [0, 10, 25, 25, 25, 25]
    assert plan(Small(40), SEVEN, Params(max_tokens=-1), "rolling").dropped == ()
    assert plan(Small(37), SEVEN, Params(max_tokens=-1), "rolling").dropped == (1, 2)


def test_the_reserve_shrinks_before_anything_is_refused() -> None:
    made = plan(Small(9), SEVEN, Params(max_tokens=2), "rolling")
    assert made.segments is not None and (made.segments.reserved, made.segments.free) == (1, 0)


def test_a_single_message_that_is_too_long_loses_its_middle() -> None:
    text = " ".join(f"w{number}" for number in range(50))
    made = plan(Small(40), talk(text, system="S"), Params(max_tokens=5), "truncate_middle")
    head, tail = made.cut[1]
    assert made.dropped == () and not made.whole
    assert text.startswith(head) and text.endswith(tail) and head and tail
    assert shown(made) == ["S", head + GAP + tail]
    assert made.prompt_tokens is not None and 33 <= made.prompt_tokens <= 35  # of the 40, 5 are the answer's
    assert made.record()["cut"] == {"1": {"head": len(head), "tail": len(tail)}}


def test_the_longer_of_two_messages_gives_first() -> None:
    long, short = " ".join("long" for _ in range(60)), " ".join("short" for _ in range(10))
    made = plan(Small(60), talk(long, "dropped", short), Params(max_tokens=5), "truncate_middle")
    assert (made.dropped, set(made.cut)) == ((1,), {0})
    assert made.messages[-1].content == short


def test_characters_are_never_torn(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bytes(Small):
        def render(self, request: Request) -> Rendered:
            data = (request.raw or "").encode()
            return Rendered(request.raw or "", tuple(data), tuple((byte,) for byte in data))

    text = "😀é" * 40
    made = plan(Bytes(12), talk(text), Params(max_tokens=1), "truncate_middle")
    head, tail = made.cut[0]
    assert text.startswith(head) and text.endswith(tail) and "\ufffd" not in head + tail


def test_a_template_that_needs_a_question_first_gets_one() -> None:
    made = plan(Small(20), (Message("assistant", "welcome to you"), *talk("a b c d e f g", "b", "c")), None, "rolling")
    assert [message.role for message in made.messages] == ["user"] and made.dropped == (0, 1, 2)


def test_tool_results_go_with_their_question() -> None:
    call = {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    messages = (
        Message("user", "q " * 20),
        Message("assistant", "", call),
        Message("tool", "42", {"tool_call_id": "1"}),
    )
    messages += (Message("assistant", "a"), *talk("next"))
    assert shown(plan(Small(30), messages, Params(max_tokens=4), "rolling")) == ["next"]
    assert "tool" not in {m.role for m in plan(Small(30), messages, Params(max_tokens=1), "truncate_middle").messages}


def test_passages_stay_with_their_question() -> None:
    messages = (*talk("a b c d e f g h", "b"), Message("user", "passage"), Message("user", "question"))
    made = plan(Small(14), messages, Params(max_tokens=1), "rolling", retrieved=frozenset({2}))
    assert shown(made) == ["passage", "question"]
    assert made.segments is not None and made.segments.retrieved == 1


def test_system_messages_stay_wherever_they_are() -> None:
    messages = (*talk("a b c d e", "b"), Message("system", "late"), *talk("c"))
    assert shown(plan(Small(13), messages, Params(max_tokens=1), "rolling")) == ["late", "c"]


# --- summarize


def test_a_summary_takes_the_place_of_the_oldest() -> None:
    asked: list[tuple[tuple[Message, ...], int]] = []

    def summary(messages: tuple[Message, ...], most: int) -> str:
        asked.append((messages, most))
        return " they said letters "

    long = talk(*(f"q{n} " + "w " * 10 for n in range(20)), "last", system="S")
    made = plan(Small(200), long, Params(max_tokens=20), "summarize", summarize=summary)
    assert made.summary == "they said letters" and made.record()["summary"] == made.summary
    assert made.dropped and asked == [(tuple(long[index] for index in made.dropped), 25)]
    assert made.messages[0].content == "S\n\nSummary of the earlier conversation:\nthey said letters"
    assert made.messages[1:] == tuple(long[index] for index in range(1, len(long)) if index not in made.dropped)
    assert made.prompt_tokens is not None and made.prompt_tokens <= 180
    assert made.segments is not None and made.segments.system == 1  # the summary is history


def test_a_summary_without_system_prompt_gets_one_and_a_preview_makes_none() -> None:
    long = talk(*(f"q{n} " + "w " * 10 for n in range(20)), "last")
    made = plan(Small(200), long, Params(max_tokens=20), "summarize", summarize=lambda *_: "short")
    before = plan(Small(200), long, Params(max_tokens=20), "summarize")
    assert made.messages[0].role == "system" and made.messages[0].content.endswith("\nshort")
    assert (before.dropped, before.summary) == (made.dropped, None)
    assert before.messages == made.messages[1:]


def test_a_summary_that_is_too_long_is_cut() -> None:
    long = talk(*(f"q{n} " + "w " * 10 for n in range(20)), "last")
    made = plan(Small(200), long, Params(max_tokens=20), "summarize", summarize=lambda *_: "never ending " * 500)
    assert made.summary and made.prompt_tokens is not None and 170 < made.prompt_tokens <= 180


def test_nothing_is_summarized_when_it_fits_or_cannot_fit() -> None:
    def never(messages: tuple[Message, ...], most: int) -> str:
        raise AssertionError(messages)

    plan(Small(99), SEVEN, Params(max_tokens=5), "summarize", summarize=never)
    with pytest.raises(PromptTooLong):
        plan(Small(6), SEVEN, Params(max_tokens=1), "summarize", summarize=never)


# --- how much it costs, and models that cannot count


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_five_hundred_messages_cost_few_counts(policy: Any) -> None:
    model = Small(2000)
    made = plan(model, talk(*(f"message {n}" for n in range(500)), "last", system="S"), None, policy)
    assert made.dropped and model.counts <= 16


def test_a_plan_of_what_fits_costs_three_counts() -> None:
    model = Small(2000)
    plan(model, SEVEN, None, "rolling")
    assert model.counts == 3


def test_a_raw_prompt_is_history_and_refused_when_too_long() -> None:
    made = plan(Small(10), (), Params(max_tokens=2), "rolling", raw="a b c")
    assert made.segments == Segments(0, 0, 3, 0, 2, 5)
    with pytest.raises(PromptTooLong):
        plan(Small(3), (), None, "truncate_middle", raw="a b c")


REMOTE: frozenset[Capability] = frozenset({"cancel"})


def test_a_model_that_cannot_count_gets_everything() -> None:
    for policy in POLICIES:
        made = plan(Small(None, capabilities=REMOTE), SEVEN, None, policy)
        assert (made.window, made.prompt_tokens, made.needed, made.segments) == (None, None, None, None)
        assert made.messages == SEVEN and made.record()["exact"] is False and made.estimate


def test_a_guess_is_called_a_guess() -> None:
    made = plan(Small(None, capabilities=REMOTE), SEVEN, Params(max_tokens=2), "rolling", virtual_window=30)
    record = made.record()
    assert made.dropped and made.messages[0].content == "S" and made.messages[-1].content == "j"
    assert (record["exact"], record["prompt_tokens"], record["needed"], record["segments"]) == (False, None, None, None)
    assert record["estimate"] == made.estimate


# --- properties

CONTENT = st.text(alphabet="ab é😀\n.<", max_size=40)
CONVERSATION = st.lists(st.builds(Message, st.sampled_from(ROLES), CONTENT), max_size=25)


@settings(deadline=None)
@given(CONVERSATION, st.sampled_from(POLICIES), st.integers(1, 200), st.integers(-1, 60))
def test_nothing_is_dropped_without_a_record(
    messages: list[Message], policy: Any, window: int, max_tokens: int
) -> None:
    try:
        made = plan(Small(window), messages, Params(max_tokens=max_tokens), policy, summarize=lambda *_: "told before")
    except PromptTooLong as refused:
        assert refused.prompt_tokens is not None and refused.prompt_tokens >= window
        return
    kept = [index for index in range(len(messages)) if index not in made.dropped]
    sent = list(made.messages)[1:] if len(made.messages) > len(kept) else list(made.messages)
    assert len(sent) == len(kept) and len(made.messages) - len(kept) in (0, 1 if made.summary else 0)
    assert all(messages[index].role != "system" for index in (*made.dropped, *made.cut))
    for index, message in zip(kept, sent, strict=True):
        _kept_as_recorded(made, index, messages[index], message)
    assert made.prompt_tokens == Echo().count(Request(made.messages, Params())) < window
    assert made.segments is not None and min(vars(made.segments).values()) >= 0
    assert made.segments.prompt_tokens == made.prompt_tokens
    assert made.segments.prompt_tokens + made.segments.reserved + made.segments.free == window
    assert json.loads(json.dumps(made.record()))["dropped"] == list(made.dropped)
    assert made.whole or policy != "stop"


def _kept_as_recorded(made: Plan, index: int, asked: Message, sent: Message) -> None:
    if index in made.cut:
        head, tail = made.cut[index]
        assert asked.content.startswith(head) and asked.content.endswith(tail)
        assert len(head) + len(tail) <= len(asked.content) and sent == replace(asked, content=head + GAP + tail)
    elif asked.role == "system" and made.summary:
        assert sent.content.startswith(asked.content)
    else:
        assert sent == asked


@settings(deadline=None)
@given(CONVERSATION, st.integers(1, 200))
def test_the_oldest_go_first(messages: list[Message], window: int) -> None:
    try:
        made = plan(Small(window), messages, Params(max_tokens=5), "rolling")
    except PromptTooLong:
        return
    others = [index for index, message in enumerate(messages) if message.role != "system"]
    assert list(made.dropped) == others[: len(made.dropped)]


# --- the model itself summarizes, and traces keep the record


@pytest.fixture
def engine() -> Any:
    opened = Engine(Settings())
    yield opened
    opened.close()


def test_the_record_goes_into_the_trace(engine: Engine) -> None:
    model = engine.model("echo")
    made = plan(model, SEVEN, Params(max_tokens=2), "rolling", virtual_window=24)
    result = model.answer(made.messages, Params(max_tokens=2), virtual_window=24, window=made.record())
    assert result.trace_id and engine.traces.get(result.trace_id, "local").window == made.record()
    assert result.usage.prompt_tokens == made.prompt_tokens
    plain = model.answer(SEVEN)
    assert plain.trace_id and engine.traces.get(plain.trace_id, "local").window is None


def parts_of(model: Model, messages: Sequence[Message], most: int) -> list[str]:
    """What the model was asked, part by part."""
    summarizer(model)(tuple(messages), most)
    engine = model._engine
    lines = engine.traces.list("local")[::-1]
    return [engine.traces.get(line.id, "local").request["messages"][-1]["content"] for line in lines]


def test_a_short_conversation_is_summarized_in_one_question(engine: Engine) -> None:
    assert parts_of(engine.model("echo"), talk("hi", "hello"), 30) == ["user: hi\n\nassistant: hello"]
    assert summarizer(engine.model("echo"))(talk("hi", "hello"), 3) == "user: hi"


def test_a_long_one_is_read_in_parts_each_with_the_summary_so_far(engine: Engine) -> None:
    model = Model(engine, engine.catalog.card("echo"), Echo(window=300))
    numbers = [f"n{number}" for number in range(400)]
    parts = parts_of(model, talk(" ".join(numbers)), 20)
    assert 1 < len(parts) <= 8 and parts[1].startswith("Summary of what came before:\nuser: n0 n1")
    assert all(any(number in part.split() for part in parts) for number in numbers)


def test_a_very_long_one_costs_at_most_a_few_questions(engine: Engine) -> None:
    model = Model(engine, engine.catalog.card("echo"), Echo(window=300))
    parts = parts_of(model, talk(" ".join(f"n{number}" for number in range(5000))), 20)
    assert len(parts) <= 9 and any(GAP in part for part in parts)
