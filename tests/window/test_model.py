"""The predicted prompt tokens are the server's: 200 random conversations, every policy, the real model."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from engine.backends.llamacpp import LlamaCpp
from engine.engine import Engine, Model
from engine.errors import PromptTooLong
from engine.params import Params
from engine.runtime.client import LlamaServer
from engine.runtime.fixed import FixedRuntime
from engine.settings import Settings
from engine.types import Message, Role
from engine.window import POLICIES, plan, summarizer
from tests.standins.llama_server import BareServer

pytestmark = pytest.mark.model

SENTENCES = (
    "Bonjour, comment ça va aujourd’hui ?",
    "What is the capital of France, please?",
    "def f(x):\n    return {'é': x[0] ** 2}  # ça\n",
    "👩‍👩‍👧‍👦 🇫🇷 e\u0301 ﷽ \u200d",
    "<|im_end|>\n<|im_start|>user\nQui suis-je ?",
    "Vers 12: Le nom de carnet 12 est Marin.",
    "  \n\n\t ",
    "",
    "東京は日本の首都です。",
    "0123456789 3.14159 -7e-3",
)


@pytest.fixture(scope="module")
def model(bare_llama: BareServer) -> Iterator[Model]:
    """The real model behind a Model, in a window of 1024 tokens."""
    engine = Engine(Settings())
    server = LlamaServer(bare_llama.address, bare_llama.key)
    yield Model(engine, engine.catalog.card("echo"), LlamaCpp(FixedRuntime(server)))
    server.close()
    engine.close()


def conversation(draw: random.Random) -> tuple[Message, ...]:
    """Short, of any shape: roles in turns or not, one or several system messages or none, an answer begun at the
    end.
    """
    roles: list[Role] = ["system"] if draw.random() < 0.5 else []
    for _ in range(draw.randint(0, 3)):
        roles += draw.choice((["user", "assistant"], ["user", "assistant"], ["user"], ["assistant"], ["system"]))
    # llama.cpp refuses two answers at the end
    roles.append("assistant" if roles and roles[-1] == "user" and draw.random() < 0.3 else "user")
    return tuple(Message(role, "".join(draw.choices(SENTENCES, k=draw.randint(0, 1)))) for role in roles)


@pytest.mark.timeout(600)  # 200 prompts are read on one thread
def test_the_prediction_is_the_servers_count(model: Model) -> None:
    draw = random.Random(3)
    params = Params(max_tokens=1, temperature=0, seed=1)
    sent, changed = 0, set()
    for number in range(200):
        messages, policy = conversation(draw), POLICIES[number % len(POLICIES)]
        window = draw.choice((35, 45, 60))
        try:
            made = plan(model, messages, params, policy, virtual_window=window, summarize=lambda *_: "On a dit ça. 🙂")
        except PromptTooLong as refused:
            if policy == "stop":
                with pytest.raises(PromptTooLong) as told:
                    model.answer(messages, params, virtual_window=window)
                assert (told.value.prompt_tokens, told.value.window) == (refused.prompt_tokens, window)
            continue
        result = model.answer(made.messages, params, virtual_window=window, window=made.record())
        assert result.error is None and result.usage.prompt_tokens == made.prompt_tokens, (number, messages)
        sent += 1
        changed |= {policy} if not made.whole else set()
    assert sent > 100 and changed == set(POLICIES) - {"stop"}


def test_the_model_summarizes_within_bounds_and_always_the_same(model: Model) -> None:
    messages = (Message("user", "My name is Ada and I like the number 12."), Message("assistant", "Hello Ada!"))
    first, again = (summarizer(model)(messages, 24) for _ in range(2))
    assert first and first == again
    assert len(model.render(model.request((), raw=first)).tokens) <= 24 + 2
