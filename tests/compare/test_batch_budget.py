"""A batch never costs more than its budget, whatever the server does: counted by the server's own bill."""

from __future__ import annotations

import functools
import json
import random
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.compare.batch import BatchRun
from engine.compare.batch_file import BatchFile
from engine.compare.batch_job import TASK
from engine.compare.batch_plan import Batch
from engine.compare.budget import Budget
from engine.compare.prices import Prices
from engine.compare.terms import tokens_at_most
from engine.engine import Engine
from engine.errors import BadInput
from engine.providers import typed_in
from engine.settings import Settings
from engine.tasks import TaskRun
from engine.types import Message
from tests.patience import SOON_S
from tests.standins.busy_server import Bill, Way, busy_server
from tests.standins.openai_server import OpenAIStandIn
from tests.standins.replicate_server import KEY, replicate_standin

INPUT, OUTPUT, CACHED, REQUEST = Decimal(2), Decimal(10), Decimal("0.5"), Decimal("0.0001")
MODELS = ("endpoint/plain", "endpoint/other")


@pytest.fixture
def bill() -> Bill:
    return Bill()


@pytest.fixture
def server(bill: Bill) -> Iterator[OpenAIStandIn]:
    with busy_server(bill) as running:
        yield running


@pytest.fixture
def engine(tmp_path: Path, server: OpenAIStandIn) -> Iterator[Engine]:
    opened = Engine(Settings(home=tmp_path / "home", model="echo"))
    opened.catalog.add(typed_in(server.base_url))
    price = {"input": INPUT, "output": OUTPUT, "cached": CACHED, "request": REQUEST}
    Prices(opened.values).keep(dict.fromkeys(MODELS, price))
    yield opened
    opened.close()


def cost(bill: Bill) -> Decimal:
    """What the server's own bill comes to, by hand."""
    return sum(
        (
            REQUEST + (INPUT * (prompt - cached) + CACHED * cached + OUTPUT * written) / 1_000_000
            for prompt, cached, written in bill.lines
        ),
        Decimal(0),
    )


def test_a_thousand_random_batches_stay_within_their_budgets(
    engine: Engine, bill: Bill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each counts tokens up to its bounds, some requests fail in every way that is billed; caps from nothing to all."""
    draw = random.Random(8)
    lock = threading.Lock()

    def way(body: dict[str, Any]) -> Way:
        with lock:
            most = tokens_at_most([Message(one["role"], one["content"]) for one in body["messages"]])
            prompt = draw.choice((most, draw.randint(1, most)))
            fault = draw.choices(("", "429", "500", "cut"), (20, 2, 1, 1))[0]
            written = draw.choice((body["max_tokens"], draw.randint(1, body["max_tokens"])))
            return Way(prompt, written, draw.choice((0, prompt // 2)), fault)

    bill.way = way
    # opened once: to make a client takes longer than all that it is asked here
    monkeypatch.setattr(engine, "model", functools.cache(engine.model))
    stopped = full = 0
    for number in range(1000):
        bill.lines.clear()
        rows = [{"prompt": f"{number} " + "x" * draw.randint(0, 300)} for _ in range(draw.choice((1, 1, 2, 3)))]
        cap = Decimal(draw.randint(1, 60)) / 5000
        limits = [{"max_tokens": draw.randint(1, 400)}]
        batch = Batch.of({"rows": rows, "models": [MODELS[number % 2]], "params": limits, "budget": cap})
        run = BatchRun(engine, batch, at_once=draw.randint(1, 3))
        for _ in run:
            pass
        assert cost(bill) <= run.budget.spent <= cap, number
        stopped += bool(run.over)
        full += not run.over
    assert stopped > 100 and full > 100  # both happen often enough to be tried


def test_two_models_side_by_side_share_one_budget(engine: Engine, bill: Bill) -> None:
    bill.way = lambda body: Way(prompt=600, written=body["max_tokens"])
    batch = {"rows": [{"prompt": str(n)} for n in range(20)], "models": MODELS, "params": [{"max_tokens": 100}]}
    run = BatchRun(engine, Batch.of({**batch, "budget": Decimal("0.02")}), at_once=8)
    assert 0 < len(list(run)) < 40 and run.over and len(run.results) + len(run.over) <= 40
    assert cost(bill) <= run.budget.spent <= Decimal("0.02")
    assert Decimal("0.02") - run.budget.spent < Decimal("0.005")  # and it is not stopped long before


def test_a_resumed_batch_knows_what_was_spent(engine: Engine, bill: Bill, tmp_path: Path) -> None:
    file = BatchFile(tmp_path / "b.jsonl")
    bill.way = lambda body: Way(prompt=600, written=body["max_tokens"])
    asked = {"rows": [{"prompt": str(n)} for n in range(10)], "models": [MODELS[0]], "params": [{"max_tokens": 100}]}
    first = BatchRun(engine, Batch.of({**asked, "budget": Decimal("0.01"), "date": "2026-11-22"}), file, at_once=1)
    done = len(list(first))
    assert 0 < done < 10 and file.read().spent == first.budget.spent == cost(bill)
    again = BatchRun(engine, first.batch, file)
    assert not list(again) and len(again.over) == 10 - done and again.budget.spent == first.budget.spent
    dearer = BatchRun(engine, Batch.of({**asked, "budget": Decimal("0.1"), "date": "2026-11-22"}), file)
    assert len(list(dearer)) == 10 - done and not dearer.over
    assert file.read().spent == cost(bill)


def test_what_a_crash_left_open_counts_as_spent(tmp_path: Path, engine: Engine) -> None:
    file = BatchFile(tmp_path / "b.jsonl")
    batch = Batch.of({"rows": [{"prompt": "a"}], "models": [MODELS[0]], "params": [{"max_tokens": 5}], "budget": "1"})
    file.begin(batch)
    file.note("hold", "one", Decimal("0.4"))
    file.note("hold", "two", Decimal("0.3"))
    file.note("paid", "one", Decimal("0.1"))
    assert file.read().spent == Decimal("0.4")
    run = BatchRun(engine, batch, file)
    list(run)
    assert run.budget.spent > Decimal("0.4")


def test_what_a_killed_run_held_for_the_same_question_stays_spent(tmp_path: Path) -> None:
    file = BatchFile(tmp_path / "b.jsonl")
    file.begin(Batch.of({"rows": [{"prompt": "a"}], "models": [MODELS[0]], "budget": "1"}))
    for what, amount, spent in (("hold", ".5", ".5"), ("hold", ".4", ".9"), ("hold", ".2", "1.1"), ("paid", ".1", "1")):
        file.note(what, "cell", Decimal(amount))
        assert file.read().spent == Decimal(spent)


def test_however_often_a_killed_batch_is_resumed_the_bill_stays_within_the_budget(
    engine: Engine, server: OpenAIStandIn, bill: Bill, tmp_path: Path
) -> None:
    model, cap, came, killed = "busy/plain", Decimal("0.008"), threading.Semaphore(0), threading.Event()
    engine.endpoints.add({"id": "busy", "name": "Busy", "base_url": server.base_url}, role="teacher")
    Prices(engine.values).keep({model: {"input": INPUT, "output": OUTPUT, "request": REQUEST}})

    def way(body: dict[str, Any]) -> Way:
        came.release()
        killed.wait(SOON_S)
        return Way(prompt=577, written=body["max_tokens"])  # all that it may cost: three of them fit

    bill.way, file = way, BatchFile(tmp_path / "b.jsonl")
    rows = [{"prompt": str(n)} for n in range(5)]
    batch = Batch.of({"rows": rows, "models": [model], "params": [{"max_tokens": 100}], "budget": cap})
    file.begin(batch)
    args = {"home": str(engine.settings.home), "path": str(file.path), "owner": "local", "role": "teacher"}
    work = TaskRun(TASK, {**args, "at_once": 1}, nice=0)
    watcher = threading.Thread(target=lambda: list(work))
    watcher.start()
    assert came.acquire(timeout=SOON_S)
    work.cancel()
    watcher.join(SOON_S)
    killed.set()
    for done in (2, 0):  # the first is asked again, under the name of what is still held
        run = BatchRun(engine, batch, file, at_once=1)
        assert len(list(run)) == done and len(run.over) == 3
        assert run.budget.spent == file.read().spent
    end = time.monotonic() + SOON_S
    while len(bill.lines) < 3 and time.monotonic() < end:
        time.sleep(0.05)  # the server's own threads are late, at worst
    assert len(bill.lines) == 3 and cost(bill) <= file.read().spent <= cap


@pytest.mark.parametrize(
    ("prices", "params", "currency", "reason"),
    [
        ({}, {}, "USD", "batch_no_price"),
        ({MODELS[0]: {"input": "1", "output": "1", "currency": "EUR"}}, {}, "USD", "batch_other_currency"),
        ({MODELS[0]: {"input": "1", "output": "1"}}, {"max_tokens": -1}, "USD", "batch_no_limit"),
        ({MODELS[0]: {"second": "0.001"}}, {}, "USD", "batch_no_bound"),
    ],
)
def test_what_nobody_can_say_beforehand_is_refused(
    engine: Engine, bill: Bill, prices: dict[str, Any], params: dict[str, Any], currency: str, reason: str
) -> None:
    Prices(engine.values).keep(prices)
    asked = {"rows": [{"prompt": "a"}], "models": [MODELS[0]], "params": [params], "currency": currency}
    with pytest.raises(BadInput) as refused:
        list(BatchRun(engine, Batch.of({**asked, "budget": "1"})))
    assert refused.value.details["reason"] == reason and not bill.lines
    assert len(list(BatchRun(engine, Batch.of(asked)))) == 1  # without a budget it is asked
    json.dumps(refused.value.to_dict())


def test_a_budget_needs_a_model_of_replicates_that_takes_a_bound(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("replicate/meta/plain", "replicate/meta/boundless", "replicate/meta/schema-less")
    Prices(engine.values).keep({name: {"input": "1", "output": "1"} for name in names})
    with replicate_standin() as server:
        monkeypatch.setenv("REPLICATE_BASE_URL", server.host)
        monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
        asked = {"rows": [{"prompt": "a"}], "params": [{"max_tokens": 2}], "budget": "1"}
        BatchRun(engine, Batch.of({**asked, "models": names[:1]})).prepare()
        judge = {"kind": "judge", "value": "good", "model": names[1]}
        for fields in ({"models": names[1:2]}, {"models": names[2:]}, {"models": ["echo"], "checks": [judge]}):
            with pytest.raises(BadInput) as refused:
                list(BatchRun(engine, Batch.of({**asked, **fields})))
            assert refused.value.details["reason"] == "batch_no_bound"
        assert not server.seen("POST", "/predictions")


def test_what_is_billed_by_the_second_has_its_cost(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    Prices(engine.values).keep({"replicate/meta/plain": {"second": "0.001"}})
    with replicate_standin() as server:
        monkeypatch.setenv("REPLICATE_BASE_URL", server.host)
        monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
        run = BatchRun(engine, Batch.of({"rows": [{"prompt": "a"}], "models": ["replicate/meta/plain"]}))
        (step,) = run
    assert step.result.cost is not None and step.result.cost["total"] == "0.00125"  # 1.25 s of prediction


def test_what_nobody_bills_is_asked_when_the_money_is_gone(engine: Engine, bill: Bill) -> None:
    asked = {"rows": [{"prompt": str(n)} for n in range(3)], "models": [MODELS[0], "echo"], "budget": "0.000001"}
    run = BatchRun(engine, Batch.of(asked))
    assert {step.result.model for step in run} == {"echo"} and len(run.results) == 3 and not bill.lines
    assert {run.results[cell.key].cost["kind"] for cell in run.cells if cell.key in run.results} == {"local"}  # type: ignore[index]


def test_a_hold_waits_for_what_may_make_room() -> None:
    budget = Budget(Decimal(10))
    assert budget.hold("a", Decimal(7))
    told: list[bool] = []
    second = threading.Thread(target=lambda: told.append(budget.hold("b", Decimal(7))))
    second.start()
    budget.pay("a", Decimal(2))
    second.join()
    assert told == [True] and budget.spent == 2
    assert not Budget(Decimal(1)).hold("c", Decimal("1.01"))
