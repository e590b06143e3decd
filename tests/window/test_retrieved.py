"""Passages are a message of their own for the plan and a part of the question for the model."""

from __future__ import annotations

from engine.backends.base import Request
from engine.backends.echo import Echo
from engine.params import Params
from engine.types import Message
from engine.window import Plan
from engine.window.retrieved import Joining, Retrieved, joined, placed, places, sent

TALK = (Message("system", "s"), Message("user", "q1"), Message("assistant", "a1"), Message("user", "q2"))


def test_passages_stand_before_the_last_question_and_are_sent_in_it() -> None:
    messages = placed(TALK, "found")
    assert places(messages) == {3} and isinstance(messages[3], Retrieved)
    assert [message.content for message in joined(messages)] == ["s", "q1", "a1", "found\n\nq2"]
    assert joined(TALK) == TALK and places(TALK) == frozenset()
    prefilled = (*messages, Message("assistant", "begun"))
    assert joined(prefilled)[-1].content == "begun" and len(joined(prefilled)) == 5


def test_pictures_stay_with_the_question() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    question = Message("user", "q", {"content": [{"type": "text", "text": "q"}, picture]})
    [one] = joined(placed((question,), "found"))
    assert one.extra["content"] == [{"type": "text", "text": "found\n\nq"}, picture]


def test_without_a_question_they_are_one() -> None:
    assert joined(placed((Message("assistant", "a"),), "found")) == (
        Message("assistant", "a"),
        Message("user", "found"),
    )


def test_a_plan_speaks_of_the_messages_that_were_typed() -> None:
    messages = placed(TALK, "found")
    plan = Plan("rolling", 100, 50, 40, None, (messages[0], *messages[3:]), dropped=(1, 2), cut={4: ("a", "b")})
    told = sent(plan, places(messages))
    assert told.dropped == (1, 2) and told.cut == {3: ("a", "b")}
    assert [message.content for message in told.messages] == ["s", "found\n\nq2"]
    assert sent(plan, frozenset()) is plan


def test_what_is_counted_is_what_is_sent() -> None:
    class Model:
        capabilities = Echo.capabilities
        backend = Echo()

        def request(self, messages: object, params: Params | None = None, **options: object) -> Request:
            return Request(tuple(messages), params or Params())  # type: ignore[arg-type]

        def count(self, request: Request) -> int:
            return self.backend.count(request)

        def render(self, request: Request) -> object:
            return self.backend.render(request)

        def window(self) -> int:
            return 100

    model = Joining(Model())  # type: ignore[arg-type]
    request = model.request(placed(TALK, "found"))
    assert request.messages == joined(placed(TALK, "found")) and model.window() == 100
    assert model.count(request) == len(model.render(request).tokens)
