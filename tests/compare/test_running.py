"""Sides at once: each its own thread, clock, error and conversation; real HTTP where a server answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from engine import Engine, Params, Settings
from engine.compare import Comparison, Side
from engine.errors import BadInput
from engine.providers import Provider, typed_in
from tests.marks import marks_in
from tests.standins.openai_server import KEY, OpenAIStandIn

PATIENCE_S = 240.0
ENDLESS = {"answer": "one " + "and more " * 2000, "delay": 0.1}  # it cannot end before it is stopped


@pytest.fixture
def desk() -> Iterator[Engine]:
    opened = Engine(Settings())
    yield opened
    opened.close()


def orders(**how: Any) -> str:
    return json.dumps(how)


def until(holds: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def asked(comparison: Comparison, question: str) -> Comparison:
    comparison.ask(question)
    assert comparison.wait(PATIENCE_S)
    return comparison


def echoes(desk: Engine, number: int = 2) -> Comparison:
    return Comparison(desk, [Side("echo")] * number)


def remote(desk: Engine, server: OpenAIStandIn, model: str) -> str:
    desk.catalog.add(typed_in(server.base_url))
    return f"endpoint/{model}"


def test_two_sides_answer_one_question_each_with_its_own_numbers(desk: Engine) -> None:
    comparison = asked(echoes(desk), "Bonjour à tous")
    for view in comparison.views():
        assert (view.status, view.live.text, view.error) == ("done", "Bonjour à tous", None)
        assert view.result is not None and view.result.outcome == "stop"
        assert view.usage.completion_tokens == 3 and view.stats.source == "server"
        assert view.ttft is not None and view.ttft == view.stats.time_to_first_token
        assert view.card is not None and view.card.id == "echo"
        assert view.cost is not None and view.cost.kind == "local" and view.cost.total is None
        assert view.live.finished is not None and view.live.finished.outcome == "stop"


def test_before_the_first_question_all_sides_are_idle(desk: Engine) -> None:
    comparison = echoes(desk, 6)
    assert [view.status for view in comparison.views()] == ["idle"] * 6
    assert not comparison.running and comparison.turns == () and comparison.wait(0)
    comparison.stop()


def test_a_side_that_does_not_end_delays_no_other_and_is_stopped_alone(desk: Engine) -> None:
    comparison = Comparison(desk, [Side("echo"), Side("endpoint/plain"), Side("echo")])
    comparison.ask(orders(**ENDLESS))
    until(lambda: all("and" in comparison.views()[index].live.text for index in (0, 2)))
    assert comparison.views()[1].status == "done" and comparison.views()[1].error is not None
    assert comparison.views()[0].ttft is not None and comparison.running
    comparison.stop(0)
    until(lambda: comparison.views()[0].status == "done")
    stopped, _, other = comparison.views()
    assert stopped.result is not None and stopped.result.outcome == "user_stopped"
    assert stopped.live.text.startswith("one and") and stopped.error is None
    assert other.status == "running"
    comparison.stop()
    assert comparison.wait(PATIENCE_S)


def test_errors_are_each_sides_own(desk: Engine, openai_server: OpenAIStandIn) -> None:
    remote(desk, openai_server, "")
    wanted = {"endpoint/401": "unauthorized", "endpoint/429": "rate_limited", "endpoint/cut": "stream_cut",
              "nobody/model": "unknown_model", "endpoint/plain": None, "echo": None}  # fmt: skip
    comparison = asked(Comparison(desk, [Side(model) for model in wanted]), "hello")
    told = {view.side.model: view.error and view.error.code for view in comparison.views()}
    assert told == wanted
    cut = comparison.views()[2]
    assert cut.live.text and cut.result is not None and cut.result.outcome == "failed"  # the partial text is kept
    never = comparison.views()[3]
    assert never.result is not None and never.result.error is never.error and never.card is None
    assert comparison.views()[4].live.text == "Hello from the stand-in."


def test_every_side_has_its_own_conversation(desk: Engine, openai_server: OpenAIStandIn) -> None:
    remote(desk, openai_server, "")
    sides = [Side("endpoint/plain", system="Be brief."), Side("endpoint/500")]
    comparison = asked(asked(Comparison(desk, sides), "first"), "second")
    sent = {(seen.body["model"], len(seen.body["messages"])): seen.body["messages"] for seen in openai_server.requests}
    assert [message["content"] for message in sent["plain", 4]] == [
        "Be brief.", "first", "Hello from the stand-in.", "second",
    ]  # fmt: skip
    assert [message["content"] for message in sent["500", 1]] == ["second"]  # an answer that never came is no turn
    assert [turn.question for turn in comparison.turns] == ["first", "second"]
    assert all(turn.views[0].live.text == "Hello from the stand-in." for turn in comparison.turns)


def test_each_side_is_asked_with_its_own_parameters(desk: Engine, openai_server: OpenAIStandIn) -> None:
    model = remote(desk, openai_server, "plain")
    asked(Comparison(desk, [Side(model, Params(max_tokens=1)), Side(model, Params(max_tokens=2))]), "hi")
    assert sorted(seen.body["max_tokens"] for seen in openai_server.requests) == [1, 2]


def test_one_side_is_asked_again_while_the_others_stay(desk: Engine) -> None:
    comparison = asked(echoes(desk), "one two three")
    kept = comparison.views()[1]
    comparison.regenerate(0, Side("echo", Params(max_tokens=2)))
    assert comparison.wait(PATIENCE_S)
    assert comparison.views()[0].live.text == "one two" and comparison.views()[1] == kept
    assert comparison.sides[0].params["max_tokens"] == 2
    assert len(comparison.turns) == 1
    asked(comparison, "four five six")
    assert comparison.views()[0].live.text == "four five"


def test_asked_again_while_it_still_answers_the_first_answer_is_dropped(desk: Engine) -> None:
    comparison = echoes(desk)
    comparison.ask(orders(**ENDLESS))
    until(lambda: all(view.live.text for view in comparison.views()))
    comparison.regenerate(1, Side("echo", Params(max_tokens=1)))
    until(lambda: comparison.views()[1].status == "done")
    assert comparison.views()[1].live.text == "one" and comparison.views()[0].status == "running"
    comparison.stop()
    assert comparison.wait(PATIENCE_S)


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_comparison_has_two_to_six_sides(desk: Engine, number: int) -> None:
    with pytest.raises(BadInput, match="2 to 6 sides"):
        echoes(desk, number)


def test_what_cannot_be_asked_is_refused(desk: Engine) -> None:
    comparison = echoes(desk)
    with pytest.raises(BadInput, match="nothing was asked"):
        comparison.ask("  \n")
    with pytest.raises(BadInput, match="nothing was asked yet"):
        comparison.regenerate(0)
    comparison.ask(orders(**ENDLESS))
    with pytest.raises(BadInput, match="no side 2"):
        comparison.stop(2)
    with pytest.raises(BadInput, match="still answering"):
        comparison.ask("another")
    comparison.stop()
    assert comparison.wait(PATIENCE_S) and len(comparison.turns) == 1


def test_looks_come_while_it_runs_and_the_last_is_of_the_end(desk: Engine) -> None:
    comparison = echoes(desk)
    comparison.ask(orders(answer="a b c d e f", delay=0.15))
    looks = list(comparison.looks())
    assert len(looks) > 3 and all(view.status == "done" for view in looks[-1])
    lengths = [len(look[0].live.text) for look in looks]
    assert lengths == sorted(lengths) and looks[-1][0].live.text == "a b c d e f"
    assert comparison.changed(comparison.version, 0.01) == comparison.version


def test_nobody_looks_any_more_and_all_is_stopped(desk: Engine) -> None:
    comparison = Comparison(desk, [Side("echo")] * 2, wanted=lambda: False)
    comparison.ask(orders(**ENDLESS))
    assert comparison.wait(PATIENCE_S)
    assert {view.result and view.result.outcome for view in comparison.views()} == {"user_stopped"}


def test_a_student_opens_no_more_than_the_engine_admits(desk: Engine, openai_server: OpenAIStandIn) -> None:
    desk.catalog.add(Provider(id="lent", name="Lent", base_url=openai_server.base_url, price="local"))
    sides = [Side("echo"), Side("lent/plain")]
    comparison = asked(Comparison(desk, sides, role="student", owner="somebody"), "hi")
    assert [view.error and view.error.code for view in comparison.views()] == [None, "access_denied"]
    assert not openai_server.requests


def test_a_key_opens_its_own_side_and_no_report_holds_it(desk: Engine, openai_server: OpenAIStandIn) -> None:
    remote(desk, openai_server, "")
    keys = {"endpoint": KEY}
    sides = [Side("endpoint/plain"), Side("endpoint/401"), Side("echo")]
    comparison = asked(Comparison(desk, sides, keys=keys), f"my key is {KEY}")
    sent = [seen.headers["Authorization"] for seen in openai_server.requests]
    assert sent == [f"Bearer {KEY}"] * 2
    assert KEY in comparison.views()[2].live.text  # the echo says what it was told
    told = json.dumps(comparison.report().to_dict())
    assert not marks_in(told) and KEY not in told and "[hidden]" in told.casefold()


def test_the_report_has_texts_numbers_cost_outcome_and_machine(desk: Engine) -> None:
    told = asked(asked(echoes(desk), "one two"), "three").report().to_dict()
    assert told["questions"] == ["one two", "three"] and told["machine"]["cores"] and told["date"].endswith("Z")
    side = told["sides"][0]
    assert (side["model"], side["text"], side["outcome"], side["error"]) == ("echo", "three", "stop", None)
    assert side["stats"]["stopReason"] == "eosFound" and side["usage"]["completion_tokens"] == 1
    assert side["cost"]["kind"] == "local" and side["cost"]["total"] is None and not side["recorded"]
    assert [turn["text"] for turn in side["turns"]] == ["one two", "three"]
    assert json.loads(json.dumps(told)) == told


def test_a_report_before_any_question_has_its_sides(desk: Engine) -> None:
    told = echoes(desk).report().to_dict()
    assert [side["text"] for side in told["sides"]] == ["", ""] and told["questions"] == []


def test_a_side_goes_into_json_and_comes_back() -> None:
    side = Side("echo", Params(temperature=0.2, stop=("a",)), "Be brief.")
    assert Side.from_dict(json.loads(json.dumps(side.to_dict()))) == side
    assert Side.from_dict({"model": "echo"}) == Side("echo")


def test_a_report_holds_the_key_of_no_model_that_was_asked_in_any_turn(
    desk: Engine, openai_server: OpenAIStandIn
) -> None:
    model, secret = remote(desk, openai_server, "plain"), "correct horse battery staple"  # it looks like no key
    desk.visit_keys.put("Zoé", model, secret)
    comparison = asked(Comparison(desk, [Side("echo"), Side(model)], owner="Zoé"), f"I wrote {secret}")
    comparison.change(1, Side("echo"))
    told = json.dumps(asked(comparison, f"again {secret}").report().to_dict())
    assert "I wrote" in told and "again" in told and secret not in told


def test_who_asks_in_anothers_name_spends_no_key_of_theirs(desk: Engine, openai_server: OpenAIStandIn) -> None:
    model = remote(desk, openai_server, "plain")
    desk.visit_keys.put("Zoé", model, "a key of the visit")
    for lent in (False, True):
        asked(Comparison(desk, [Side("echo"), Side(model)], owner="Zoé", lent=lent), "hi")
    sent = [seen.headers.get("Authorization", "") for seen in openai_server.requests]
    assert [told.endswith("a key of the visit") for told in sent] == [True, False]
