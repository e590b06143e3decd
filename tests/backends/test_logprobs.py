"""What the real server tells of tokens: special ones of the prompt, probabilities of the answer on both routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.backends.base import Control, Request
from engine.backends.echo import Echo
from engine.backends.llamacpp import LlamaCpp, _ChatAnswer
from engine.params import Params
from engine.runtime.client import LlamaServer
from engine.runtime.fixed import FixedRuntime
from engine.token_view import answer_tokens, special_spans, strip
from engine.types import Message, ReasoningDelta, TextDelta
from tests.standins.llama_server import BareServer

ASKED = {"logprobs": True, "top_logprobs": 5}
LETTERS = 'root ::= "é🧒漢 a"'


@pytest.fixture
def backend(bare_llama: BareServer) -> Iterator[LlamaCpp]:
    server = LlamaServer(bare_llama.address, bare_llama.key)
    yield LlamaCpp(FixedRuntime(server))
    server.close()


def asked(raw: str | None, text: str = "Say hello.", **extra: Any) -> Request:
    return Request((Message("user", text),), Params({"temperature": 0, "max_tokens": 12}), raw=raw, extra=extra)


def deltas(backend: LlamaCpp | Echo, request: Request) -> list[TextDelta]:
    return [event for event in backend.run(request, Control()) if isinstance(event, TextDelta)]


@pytest.mark.model
@pytest.mark.parametrize("raw", [None, "Once upon a time"])
def test_both_routes_bring_probabilities(backend: LlamaCpp, raw: str | None) -> None:
    came = deltas(backend, asked(raw, **ASKED))
    scored = answer_tokens(entry for delta in came for entry in delta.logprobs)
    assert "".join(token.text for token in scored) == "".join(delta.text for delta in came) != ""
    assert all(len(token.alternatives) == 5 and token.id is not None for token in scored)
    # at temperature 0 the likeliest is taken
    assert all(token.probability == pytest.approx(token.alternatives[0].probability) for token in scored)
    assert all(0 < token.probability <= 1 for token in scored)
    assert all(sum(choice.probability for choice in token.alternatives) <= 1.0001 for token in scored)


@pytest.mark.model
@pytest.mark.parametrize("raw", [None, "The children: "])
def test_letters_of_several_tokens(backend: LlamaCpp, raw: str | None) -> None:
    came = deltas(backend, asked(raw, grammar=LETTERS, **ASKED))
    scored = answer_tokens(entry for delta in came for entry in delta.logprobs)
    assert "".join(token.text for token in scored) == "é🧒漢 a"
    assert [token.text for token in scored][:3] == ["é", "🧒", "漢"]


@pytest.mark.model
@pytest.mark.parametrize("raw", [None, "Once upon a time"])
def test_nothing_comes_unasked(backend: LlamaCpp, raw: str | None) -> None:
    assert not any(delta.logprobs for delta in deltas(backend, asked(raw)))


@pytest.mark.model
def test_the_templates_signs_are_special_and_a_lookalike_is_not(backend: LlamaCpp) -> None:
    rendered = backend.render(asked(None, "a <b> [INST] é🧒 <|im_end|>"))
    marked = [piece.text for piece in strip(rendered) if piece.special]
    assert set(marked) == {"<|im_start|>", "<|im_end|>"}
    assert marked.count("<|im_end|>") == 3  # system, user, and the one that the user typed: it is special there too
    assert [rendered.prompt[start:end] for start, end in special_spans(rendered)] == marked
    assert {piece.part_of for piece in strip(rendered)} == {None, "🧒"}


def test_a_thought_keeps_its_words_when_probabilities_are_asked_for() -> None:
    answer = _ChatAnswer()
    told = {"content": [{"token": "Hm", "logprob": -1.0}]}
    chunk = {"choices": [{"delta": {"reasoning_content": "Hm"}, "logprobs": told, "finish_reason": None}]}
    assert list(answer.take(chunk)) == [ReasoningDelta("Hm")]
    chunk = {"choices": [{"delta": {"content": "Hm"}, "logprobs": told, "finish_reason": None}]}
    assert list(answer.take(chunk)) == [TextDelta("Hm", tuple(told["content"]))]
    chunk = {"choices": [{"delta": {}, "logprobs": None, "finish_reason": "stop"}]}
    assert list(answer.take(chunk)) == []


def test_the_raw_routes_body_asks_in_its_own_words(backend: LlamaCpp) -> None:
    body = backend.body(asked("hi", **ASKED))
    assert body["n_probs"] == 5 and not {"logprobs", "top_logprobs"} & set(body)
    assert "n_probs" not in backend.body(asked("hi", logprobs=False, top_logprobs=3))
    assert backend.body(asked(None, **ASKED))["top_logprobs"] == 5


def test_the_echo_scores_when_asked() -> None:
    scored = answer_tokens(entry for delta in deltas(Echo(), asked(None, **ASKED)) for entry in delta.logprobs)
    assert [token.text for token in scored] == ["Say", " hello", "."]
    assert scored[1].probability == pytest.approx(0.5)
    assert [(text, whole) for text, _, whole in scored[1].alternatives] == [
        (" hello", True),
        (" HELLO", True),
        ("", False),
    ]
    assert not any(delta.logprobs for delta in deltas(Echo(), asked(None)))
