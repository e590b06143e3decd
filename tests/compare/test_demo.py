"""Recorded answers: they come as they came, say what they are, and need neither weights nor key nor network."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.ui.i18n import LANGUAGES, words
from apps.ui.present import error_text
from engine import Engine, Message, Settings
from engine.backends.recorded import Recorded, Tape, from_dict, to_dict
from engine.catalog import ModelCard
from engine.compare import Comparison, Side, demo
from engine.errors import BadInput, NotSupported, UnknownModel
from engine.model import Model
from engine.support import unsupported
from engine.types import Stats, TextDelta, Usage


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine(Settings(home=tmp_path / "empty"))
    yield opened
    opened.close()


TAPE = Tape(
    "Why?", 0.3, ((0.6, "Be"), (0.9, "cause"), (1.2, ".")), 1.3, "stop", Usage(5, 3, 0), Stats(7.5, source="server")
)


def player(desk: Engine, *tapes: Tape) -> Model:
    return Model(desk, ModelCard("recorded/x", "X", "recorded"), Recorded("recorded/x", tapes))


def test_the_recordings_are_real_answers_of_one_model_and_say_so() -> None:
    found = demo.recorded()
    assert 3 <= len(found) <= 6 and len({one.id for one in found}) == len(found)
    for one in found:
        assert one.model == "smollm2-135m-instruct" and one.id.startswith("recorded/") and one.quantization in one.name
        assert one.machine["cpu"] and one.date.startswith("20") and one.threads and one.load >= 0
        for tape in one.tapes:
            moments = [moment for moment, _ in tape.pieces]
            assert moments == sorted(moments) and 0 < tape.read <= moments[0] and moments[-1] <= tape.end
            assert tape.stats.source == "server" and tape.usage.prompt_tokens and tape.usage.completion_tokens
        assert demo.recording_of(json.loads(json.dumps(one.to_dict()))) == one
    assert all(question in demo.questions() for question in found[0].questions)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_example_of_the_pages_is_a_recorded_question(lang: str) -> None:
    assert words(lang).typed("compare.example.recorded_question") in demo.questions()


def test_an_answer_comes_at_the_times_of_then(desk: Engine) -> None:
    began = time.monotonic()
    generation = player(desk, TAPE).stream([Message("user", "  why? ")])
    came = [(event.text, time.monotonic() - began) for event in generation if isinstance(event, TextDelta)]
    assert "".join(text for text, _ in came) == TAPE.text == generation.result.text
    for (_, moment), (expected, _) in zip(came, TAPE.pieces, strict=True):
        assert moment >= expected - 0.01  # never early; late where the machine is busy
    result = generation.result
    assert (result.outcome, result.usage, result.model) == ("stop", TAPE.usage, "recorded/x")
    assert (result.stats.tokens_per_second, result.stats.source) == (7.5, "server")


def test_a_question_that_was_not_recorded_is_refused_with_those_that_were(desk: Engine) -> None:
    with pytest.raises(BadInput) as refused:
        player(desk, TAPE).answer([Message("user", "who?")])
    for lang in LANGUAGES:
        told = error_text(refused.value, words(lang))
        assert "Why?" in told.todo and told.what != told.todo


def test_a_recording_is_stopped_like_any_answer(desk: Engine) -> None:
    endless = Tape("Why?", 0.0, ((0.0, "now"), (3600.0, "later")), 3601.0, "length", Usage(5, 2, 0), Stats())
    generation = player(desk, endless).stream([Message("user", "why?")])
    for event in generation:
        if isinstance(event, TextDelta):
            generation.stop()
    result = generation.result
    assert (result.text, result.outcome, result.usage.completion_tokens) == ("now", "user_stopped", 1)


def test_the_recordings_are_compared_without_weights_and_cost_nothing(desk: Engine) -> None:
    shortest = min(demo.recorded()[0].tapes, key=lambda tape: tape.end)
    sides = [Side(one.id) for one in demo.recorded()[:2]]
    comparison = Comparison(desk, sides)
    comparison.ask(shortest.question)
    first = comparison.views()[0]
    assert first.recorded and first.status == "running"
    assert comparison.wait(240)
    views = comparison.views()
    assert views[0].live.text == shortest.text and views[0].error is None and views[1].live.text
    assert all(view.recorded and view.card and view.card.backend == "recorded" for view in views)
    assert all(view.cost and view.cost.total is None and view.cost.kind == "local" for view in views)
    assert all(side["recorded"] for side in comparison.report().sides)
    assert not list(desk.settings.home.rglob("*.gguf"))


def test_recordings_are_models_that_are_asked_for_by_name_and_listed_nowhere(desk: Engine) -> None:
    known = desk.catalog.card(demo.recorded()[0].id)
    assert known.source.startswith("recorded 20") and not known.files
    assert not [card for card in desk.models() if card.id.startswith("recorded/")]
    with pytest.raises(UnknownModel, match="no recording"):
        desk.catalog.card("recorded/nothing")
    model = desk.model(known.id, role="student", owner="somebody")
    assert model.window() is None and model.state().name == "ready"
    assert set(unsupported(model)) >= {"temperature", "max_tokens", "vision"}
    request = model.request([Message("user", "hi")])
    for unknown in (model.render, model.count):
        with pytest.raises(NotSupported):
            unknown(request)


def test_a_tape_goes_into_json_and_comes_back() -> None:
    assert from_dict(json.loads(json.dumps(to_dict(TAPE)))) == TAPE
