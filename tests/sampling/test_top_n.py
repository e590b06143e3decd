"""What servers tell of the next token: arithmetic on lists, the runtime that chats, a stand-in of a remote one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.engine import Engine
from engine.errors import BadParameter, NotSupported, PromptTooLong
from engine.params import Params
from engine.providers import typed_in
from engine.sampling.microscope import lens_of
from engine.sampling.moments import Recipe, judged
from engine.sampling.top_n import Candidate, TopN, remote, served
from engine.types import Message
from tests.standins.openai_server import OpenAIStandIn

HI = [Message("user", "hi")]


def listed(**weights: float) -> TopN:
    pieces = [Candidate(name.encode(), math.log(p), number) for number, (name, p) in enumerate(weights.items())]
    return TopN(tuple(pieces), "test")


def test_logits_by_place_and_by_id() -> None:
    found = listed(a=0.5, b=0.25)
    assert found.told == pytest.approx(0.75) and found.top_n_only
    assert np.exp(found.logits()) == pytest.approx([0.5, 0.25])
    assert np.exp(found.logits(4)) == pytest.approx([0.5, 0.25, 0, 0])
    assert not listed(a=0.5, b=0.5).top_n_only


def test_stages_of_a_list_are_of_the_list_alone() -> None:
    now = judged(listed(a=0.5, b=0.25).logits(), Recipe(Params(seed=1, temperature=0)))
    assert now.stages[0].probabilities == pytest.approx([2 / 3, 1 / 3])
    assert now.dart is not None and now.dart.token == 0


def test_a_piece_of_a_character_is_shown_as_its_bytes() -> None:
    assert Candidate(b"\xc3", -1).shown == "<C3>" and Candidate(b" a\n", -1).shown == "␣a⏎"


def test_a_remote_answer_place_by_place(engine: Engine) -> None:
    places = remote(engine.model("echo"), HI, Params(max_tokens=4))
    assert places and all(place.candidates[0].logprob == pytest.approx(math.log(0.5)) for place in places)
    assert b"".join(place.wrote for place in places)


def test_a_server_that_tells_and_one_that_does_not(engine: Engine, openai_server: OpenAIStandIn) -> None:
    engine.catalog.add(typed_in(openai_server.base_url))
    (place,) = remote(engine.model("endpoint/logprobs", key="sk-x"), HI, Params(max_tokens=1))
    assert (place.wrote, place.candidates[0].shown, place.top_n_only) == (b"Y", "Y", True)
    assert {"logprobs": True, "top_logprobs": 20}.items() <= openai_server.requests[-1].body.items()
    with pytest.raises(NotSupported, match="probabilities"):
        remote(engine.model("endpoint/plain", key="sk-x"), HI, Params(max_tokens=1))


def test_what_is_not_local_has_no_lens(engine: Engine) -> None:
    with pytest.raises(NotSupported):
        lens_of(engine, engine.model("echo"))
    with pytest.raises(NotSupported):
        served(engine.model("echo"), [1], 5)


@pytest.mark.model
def test_the_runtime_that_chats_and_the_microscope_agree_but_for_the_build(engine: Engine) -> None:
    model = engine.model()
    lens = lens_of(engine, model)
    ids = lens.tokens("The capital of France is")
    words = len(lens.vocabulary)
    whole, some = served(model, ids, words), served(model, ids, 10)
    assert not whole.top_n_only and len(whole.candidates) == words
    assert some.top_n_only and [one.id for one in some.candidates] == [one.id for one in whole.candidates[:10]]
    assert whole.candidates[0].piece == b" Paris" and "xllamacpp" in whole.runtime
    ours = judged(lens.logits("ann", ids), Recipe()).stages[0].probabilities
    theirs = judged(whole.logits(words), Recipe()).stages[0].probabilities
    assert np.abs(ours - theirs).max() < 0.05  # DESIGN.md: up to 0.02 between two builds
    with pytest.raises(PromptTooLong):
        served(model, (5,) * 1024, 5)
    with pytest.raises(BadParameter):
        served(model, ids, 0)
