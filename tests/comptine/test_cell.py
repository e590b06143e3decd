"""One cell: what is sent, what is not, and the strip while it grows. On the echo model, which says what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from engine.backends.echo import Echo
from engine.comptine.cell import METRICS, Cell, CellResult
from engine.comptine.running import CellRun, Strip, prepare, run
from engine.engine import Engine
from engine.errors import BadInput
from engine.model import Model
from engine.settings import Settings


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """The echo model repeats its prompt word by word: every verse, then the question."""
    opened = Engine(Settings(home=tmp_path_factory.mktemp("cell"), model="echo"))
    yield opened.model()
    opened.close()


def test_a_cell_has_a_key_and_survives_json() -> None:
    cell = Cell(5, variant="names", seed=3, prefix="auto")
    again = Cell.from_dict(json.loads(json.dumps(cell.to_dict())))
    assert again == cell and again.key == cell.key != Cell(5).key
    assert cell.prompt().prefix == "Vers 1: Le nom de carnet 1 est"


@pytest.mark.parametrize("wrong", [{"verses": "many"}, {"verses": 5, "shots": 2}, {"verses": 5, "colour": "red"}, {}])
def test_a_wrong_cell_says_where(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput) as caught:
        Cell.from_dict(wrong)
    assert caught.value.details["where"]


def test_an_echo_says_every_verse_and_more(echo: Model) -> None:
    one = CellRun(echo, Cell(20, 1, 3, variant="names", seed=1, max_tokens=2000))
    events = list(one)
    found = one.result
    assert found is events[-1] and found is not None and found.status == "done"
    assert found.score is not None and found.score.strict == 1.0 and found.score.first_drift is None
    assert found.score.out_of_range == 17 and not found.score.obedience
    assert (found.outcome, found.model, found.trace_id is not None) == ("stop", "echo", True)
    assert set(METRICS) <= set(found.row()) and found.row()["strict"] == 1.0
    assert CellResult.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert all(isinstance(event, Strip) for event in events if hasattr(event, "marks") and event is not found)


def test_what_cannot_fit_is_not_run_and_not_scored(echo: Model) -> None:
    whole = prepare(echo, Cell(20, 1, 10))
    assert whole.total and whole.needed and whole.status is None
    budget = run(echo, Cell(20, 1, 10, window=whole.total + whole.needed - 1))
    assert (budget.status, budget.score, budget.answer, budget.trace_id) == ("budget", None, "", None)
    assert budget.row()["budget"] is True and budget.row()["strict"] is None
    refused = run(echo, Cell(20, 1, 10, window=whole.total))
    assert refused.status == "refused" and refused.error is not None
    assert refused.error["details"] == {"prompt_tokens": whole.total, "window": whole.total}
    assert run(echo, Cell(20, 1, 10, max_tokens=3)).status == "budget"  # our own limit is no forgetting either


def test_a_policy_cuts_on_tokens_and_says_which_verses_are_left(echo: Model) -> None:
    whole = prepare(echo, Cell(40, 1, 3, variant="names"))
    assert whole.total and whole.needed
    window = whole.total // 2 + whole.needed
    cut = prepare(echo, Cell(40, 1, 3, variant="names", window=window, policy="keep_end"))
    assert cut.survivors is not None and cut.raw is not None and cut.sent is not None
    assert cut.sent + whole.needed == window and cut.status is None
    assert cut.survivors.verses[0] == "gone" and cut.survivors.verses[-1] == "whole"
    assert cut.survivors.count == sum(verse in cut.raw for verse in Cell(40, variant="names").rhyme().verses)
    found = run(echo, Cell(40, 1, 3, variant="names", window=window, policy="keep_end"))
    assert found.status == "done" and found.score is not None and found.score.strict == 0.0
    assert found.survivors is not None and found.survivors["count"] == cut.survivors.count
    middle = prepare(echo, Cell(40, 1, 3, variant="names", window=window, policy="cut_middle"))
    assert middle.survivors is not None and middle.survivors.verses[0] == middle.survivors.verses[-1] == "whole"
    head = prepare(echo, Cell(40, 1, 3, variant="names", window=window, policy="rolling"))
    assert head.survivors is not None and head.survivors.template == "whole" and head.raw is not None
    assert head.raw.startswith("user: ")


def test_it_stops_and_keeps_what_was_said(echo: Model) -> None:
    slow = Model(
        echo._engine, echo.card, Echo(delay=0.05)
    )  # hundreds of words: it cannot end by itself before the stop
    one = CellRun(slow, Cell(40, max_tokens=5000))
    for event in one:
        if isinstance(event, Strip):
            one.stop()
    found = one.result
    assert found is not None and found.status == "stopped" and found.answer and found.score is None
    assert found.marks[0].state in ("not_reached", "exact") and not found.settled


def test_nothing_to_ask_is_said_at_once(echo: Model) -> None:
    with pytest.raises(BadInput):
        run(echo, Cell(5, 9, 10))
