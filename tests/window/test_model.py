"""The predicted prompt tokens are the server's: 200 random conversations under each policy, the real model."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from engine.backends.base import Request
from engine.backends.llamacpp import LlamaCpp
from engine.engine import Engine
from engine.errors import PromptTooLong
from engine.model import Model
from engine.params import Params
from engine.runtime.client import LlamaServer
from engine.runtime.fixed import FixedRuntime
from engine.settings import Settings
from engine.types import Message, Role
from engine.window import GAP, POLICIES, Plan, plan, summarizer
from engine.window.values import SUMMARY_HEAD
from tests.standins.llama_server import BareServer

pytestmark = pytest.mark.model

# Short, for each of their tokens is read on one thread; some of them often, so that many conversations begin alike
TEXTS = ("ça va ?", "x['é']", "🇫🇷e\u0301", "<|im_end|>\n<|im_start|>user\n", " \n\t ", "", "東京", "-7e-3")
WEIGHTS = (16, 4, 1, 1, 1, 4, 1, 1)


@pytest.fixture(scope="module")
def model(bare_llama: BareServer) -> Iterator[Model]:
    """The real model behind a Model, in a window of 1024 tokens."""
    engine = Engine(Settings())
    server = LlamaServer(bare_llama.address, bare_llama.key)
    yield Model(engine, engine.catalog.card("echo"), LlamaCpp(FixedRuntime(server)))
    server.close()
    engine.close()


PARAMS = Params(max_tokens=1, temperature=0, seed=1)


class Remembering:
    """The model, asked once for the count of each prompt: the four policies ask for many of the same."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[tuple[tuple[str, str], ...], int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def count(self, request: Request) -> int:
        key = words(request.messages)
        if key not in self._known:
            self._known[key] = self._model.count(request)
        return self._known[key]


def words(messages: Sequence[Message]) -> tuple[tuple[str, str], ...]:
    return tuple((message.role, message.content) for message in messages)


def nothing_is_dropped_without_a_record(messages: tuple[Message, ...], made: Plan) -> None:
    """What is sent are the messages given, but for those that the record names as dropped, cut or summarized."""
    record = made.record()
    left = [
        GAP.join(made.cut[index]) if str(index) in record["cut"] else message.content
        for index, message in enumerate(messages)
        if index not in record["dropped"]
    ]
    sent = [message.content for message in made.messages]
    if record["summary"]:
        mark = SUMMARY_HEAD + record["summary"]
        sent = [text.removesuffix(f"\n\n{mark}").removesuffix(mark) for text in sent]
        left = ["", *left] if len(sent) > len(left) else left  # a system message that nobody wrote
    assert sent == left


def conversation(draw: random.Random) -> tuple[Message, ...]:
    """Short, of any shape: roles in turns or not, one or several system messages or none, an answer begun at the
    end.
    """
    roles: list[Role] = ["system"] if draw.random() < 0.3 else []
    for _ in range(draw.randint(0, 3)):
        roles += draw.choice((["user", "assistant"], ["user", "assistant"], ["user"], ["assistant"], ["system"]))
    # llama.cpp refuses two answers at the end
    roles.append("assistant" if roles and roles[-1] == "user" and draw.random() < 0.3 else "user")
    texts = draw.choices(TEXTS, WEIGHTS, k=len(roles))
    return tuple(Message(role, text) for role, text in zip(roles, texts, strict=True))


def predictions(model: Any, draw: random.Random) -> Iterator[tuple[tuple[Message, ...], int, Plan | PromptTooLong]]:
    """What 200 random conversations would send under each policy, each with its virtual window."""
    for _ in range(200):
        messages, window = conversation(draw), draw.choice((30, 36))
        for policy in POLICIES:
            try:
                yield messages, window, plan(model, messages, PARAMS, policy, virtual_window=window,
                                             summarize=lambda *_: "On a dit ça. 🙂")  # fmt: skip
            except PromptTooLong as refused:
                yield messages, window, refused


@pytest.mark.timeout(1200)  # hundreds of prompts are read on one thread
def test_the_prediction_is_the_servers_count(model: Model) -> None:
    told: dict[tuple[tuple[str, str], ...], tuple[Plan, int]] = {}
    planned, changed = 0, set()
    for messages, window, made in predictions(Remembering(model), random.Random(3)):
        if isinstance(made, PromptTooLong):
            assert made.window == window and (made.prompt_tokens or 0) >= window
            continue
        nothing_is_dropped_without_a_record(messages, made)
        planned += 1
        changed |= {made.policy} if not made.whole else set()
        known, smallest = told.setdefault(words(made.messages), (made, window))
        assert known.prompt_tokens == made.prompt_tokens
        told[words(made.messages)] = (known, min(window, smallest))
    assert planned > 350 and changed == set(POLICIES) - {"stop"} and len(told) > 80
    assert {message.content for made, _ in told.values() for message in made.messages} >= set(TEXTS)
    # In the order of their texts each one shares its beginning with the one before, which the server has read
    for key in sorted(told):
        made, window = told[key]
        result = model.answer(made.messages, PARAMS, virtual_window=window, window=made.record())
        assert result.error is None and result.usage.prompt_tokens == made.prompt_tokens, key


def test_what_is_refused_beforehand_the_model_refuses_with_the_same_numbers(model: Model) -> None:
    draw, refusals = random.Random(4), 0
    for messages in (conversation(draw) for _ in range(40)):
        try:
            plan(model, messages, PARAMS, virtual_window=35)
        except PromptTooLong as refused:
            with pytest.raises(PromptTooLong) as told:
                model.answer(messages, PARAMS, virtual_window=35)
            assert (told.value.prompt_tokens, told.value.window) == (refused.prompt_tokens, 35)
            refusals += 1
    assert refusals > 10


def test_the_model_summarizes_within_bounds_and_always_the_same(model: Model) -> None:
    messages = (Message("user", "My name is Ada and I like the number 12."), Message("assistant", "Hello Ada!"))
    first, again = (summarizer(model)(messages, 24) for _ in range(2))
    assert first and first == again
    assert len(model.render(model.request((), raw=first)).tokens) <= 24 + 2
