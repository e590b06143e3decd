"""Counts before a run: tiktoken's, the model's own, the server's, and whether the answer fits."""

from __future__ import annotations

import pytest

from engine.comptine.question import Question, answer_prefix, prompt
from engine.comptine.rhyme import rhyme
from engine.comptine.tokens import Tokens, count
from engine.engine import Engine
from engine.params import Params


@pytest.mark.parametrize(("verses", "cl100k", "o200k"), [(30, 438, 406), (69, 984, 913), (100, 1418, 1316),
                                                         (160, 2258, 2096)])  # fmt: skip
def test_without_a_model_tiktoken_alone(verses: int, cl100k: int, o200k: int) -> None:
    assert count(rhyme(verses)) == Tokens(cl100k, o200k)


@pytest.mark.parametrize(("server", "needed", "window", "fits"), [
    (1500, 548, 2048, True), (1500, 549, 2048, False), (2048, 0, 2048, False), (2047, 0, 2048, True),
    (None, 5, 9, None), (5, None, 9, None), (5, 5, None, None),
])  # fmt: skip
def test_fits(server: int | None, needed: int | None, window: int | None, fits: bool | None) -> None:
    assert Tokens(0, 0, None, server, None, needed, window).fits is fits


@pytest.mark.model
@pytest.mark.parametrize(("verses", "tokens"), [(30, 544), (69, 1246), (100, 1806), (160, 3006)])
def test_the_models_own_counts_of_the_sheets_rhyme(engine: Engine, verses: int, tokens: int) -> None:
    assert count(rhyme(verses), engine.model()).model == tokens


@pytest.mark.model
def test_server_and_template(engine: Engine) -> None:
    model = engine.model()
    asked = prompt(rhyme(10), Question(first=1, last=2))
    found = count(asked, model, virtual_window=300)
    result = model.answer(asked.messages, Params(max_tokens=1))
    assert found.server == result.usage.prompt_tokens
    assert found.template == 30  # with a system message that nobody typed
    assert found.needed == 31  # 15 tokens a verse of one digit, and the newline between
    assert (found.window, found.fits) == (300, True)
    begun = count(prompt(rhyme(10), Question(first=1, last=2, prefix=answer_prefix(Question(first=1)))), model)
    assert (begun.server or 0) > found.server
    assert begun.needed == 18  # " Marin", ".", the newline and verse 2
    assert begun.window == 1024


@pytest.mark.model
def test_where_the_sheets_question_meets_a_window_of_2048(engine: Engine) -> None:
    model = engine.model()
    found = {n: count(prompt(rhyme(n), Question(first=1, last=30)), model) for n in (80, 83, 109, 110)}
    assert (found[109].server or 0) < 2048 <= (found[110].server or 0)
    needed = found[80].needed or 0
    assert (found[80].server or 0) + needed <= 2048 < (found[83].server or 0) + needed
