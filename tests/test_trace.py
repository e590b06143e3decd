"""Traces keep what happened, without secrets, within bounds, and never cost an answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backends.base import Report, Request
from engine.errors import NotFound, RuntimeDied
from engine.params import Params
from engine.people import People
from engine.store import Store
from engine.tables import dumps
from engine.trace import BODY_MAX, HIDDEN, Traces, bounded, fair_share, redact
from engine.types import Message, Result, Stats, ToolCall, Usage
from tests.databases import KINDS, fresh_store

KEY = "sEcReT-typed-in-by-hand-91"
NOW = 1_790_000_000.0


class Limits:
    trace_mb = 1
    trace_days = 30


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with fresh_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def traces(store: Store) -> Traces:
    return Traces(store, Limits)


RESULT = Result("Hello", "stop", Usage(11, 2, 3), Stats(100.0, 0.2, 0.02, 0.25, 0, "server"), "smollm2")
REPORT = Report("stop", prompt="<|im_start|>hi", response={"timings": {"prompt_n": 8}, "tokens": [1, 2]})
BODY = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.7, "max_tokens": 512, "seed": 1}


def keep(traces: Traces, owner: str = "local", text: str = "hi", **more: Any) -> str:
    request = Request((Message("user", text),), Params(seed=1), owner=owner)
    given = {"report": REPORT, "result": RESULT, "backend": "llamacpp", "model": "smollm2", "body": BODY, **more}
    trace_id = traces.record(request, given.pop("report"), given.pop("result"), **given)
    assert trace_id
    return trace_id


def test_a_trace_tells_everything(store: Store) -> None:
    traces = Traces(store, Limits, clock=lambda: NOW)
    trace = traces.get(keep(traces), "local")
    assert trace.request == BODY
    assert trace.prompt == "<|im_start|>hi"
    assert trace.response == {"text": "Hello", "server": {"timings": {"prompt_n": 8}}}
    assert (trace.backend, trace.model, trace.outcome, trace.error_code) == ("llamacpp", "smollm2", "stop", None)
    assert (trace.started, trace.duration) == (NOW - 0.25, 0.25)
    assert trace.usage == RESULT.usage.to_dict()
    assert trace.stats["stopReason"] == "eosFound" and trace.stats["timeToFirstTokenSec"] == 0.2
    assert trace.cut == ()
    assert json.loads(json.dumps(trace.to_dict()))["request"] == BODY


def test_a_failure_keeps_the_partial_text(traces: Traces) -> None:
    error = RuntimeDied("the worker ended", model="smollm2", exit_code=-9)
    failed = replace(RESULT, text="Hel", outcome="failed", error=error)
    trace = traces.get(keep(traces, report=None, result=failed), "local")
    assert (trace.outcome, trace.error_code, trace.prompt) == ("failed", "runtime_died", None)
    assert trace.response["text"] == "Hel" and trace.response["error"]["details"]["exit_code"] == -9


def test_tool_calls_and_thinking(traces: Traces) -> None:
    result = replace(RESULT, reasoning="hm", tool_calls=(ToolCall("1", "add", '{"a":1}'),))
    response = traces.get(keep(traces, result=result), "local").response
    assert response["reasoning"] == "hm" and response["tool_calls"] == [
        {"id": "1", "name": "add", "arguments": '{"a":1}'}
    ]


def test_odd_characters_come_back(traces: Traces) -> None:
    odd = "é \0 \ud83d \udc80 \u2028 😀 \\u0000"
    trace = traces.get(keep(traces, result=replace(RESULT, text=odd), body={odd: odd}), "local")
    assert trace.response["text"] == odd and trace.request == {odd: odd}


def test_a_raw_prompt_is_the_prompt(traces: Traces) -> None:
    request = Request((), Params(seed=1), raw="Once upon")
    trace_id = traces.record(request, None, RESULT, backend="b", model="m", body={})
    assert trace_id and traces.get(trace_id, "local").prompt == "Once upon"


def test_list_and_tail(traces: Traces, store: Store) -> None:
    other = People(store).join("o", "student").id
    ids = [keep(traces) for _ in range(5)]
    keep(traces, owner=other)
    newest = traces.list("local", limit=2)
    assert [line.id for line in newest] == ids[:2:-1]
    assert [line.id for line in traces.list("local", limit=9, before=newest[-1].seq)] == ids[2::-1]
    seen = traces.tail("local", limit=3)
    assert [line.id for line in seen] == ids[2:]
    assert traces.tail("local", after=seen[-1].seq) == ()
    late = [keep(traces) for _ in range(3)]
    assert [line.id for line in traces.tail("local", after=seen[-1].seq, limit=2)] == late[:2]  # none is left out
    assert len(traces.list(other)) == 1


def test_anothers_trace_is_not_there(traces: Traces, store: Store) -> None:
    other = People(store).join("o", "student").id
    mine = keep(traces)
    errors = []
    for trace_id, owner in ((mine, other), ("nothing", other), ("\ud800\0", other)):
        with pytest.raises(NotFound) as failure:
            traces.get(trace_id, owner)
        errors.append((failure.value.code, sorted(failure.value.details)))
    assert errors[0] == errors[1] == errors[2]


def test_a_key_is_in_no_byte_of_the_store(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    traces = Traces(store, Limits)
    shaped = "sk-proj-" + "MARKEDkey0123456789abcdef"
    body = {
        "api_key": f"x{KEY}",
        "headers": {"Authorization": f"Bearer {KEY}", "X-Api-Key": KEY, "Cookie": [KEY]},
        "messages": [{"role": "user", "content": f"my key is {shaped}"}],
        f"odd {KEY}": 1,
    }
    error = RuntimeDied(f"Incorrect API key provided: {KEY}.", model="m", told={"body": KEY})
    result = replace(RESULT, text=f"You said {KEY} and {shaped}", outcome="failed", error=error)
    report = replace(REPORT, prompt=f"<|im_start|>{KEY}", response={"echo": [KEY, {"set-cookie": "a=b"}]})
    trace = traces.get(keep(traces, body=body, result=result, report=report, secrets=[KEY]), "local")
    assert trace.request["api_key"] == HIDDEN and trace.request["messages"][0]["content"] == f"my key is {HIDDEN}"
    assert trace.response["error"]["message"] == f"Incorrect API key provided: {HIDDEN}."
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["store.sqlite3", "store.sqlite3-shm", "store.sqlite3-wal"]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"You said" in written
    assert KEY.encode() not in written and b"MARKEDkey" not in written
    store.close()


def test_what_is_no_secret_stays() -> None:
    body = {
        "max_tokens": 5,
        "stop_token": "</s>",
        "n_keep": 0,
        "key": "value",
        "tokens": [1],
        "author": "x",
        "secretary": "y",
        "tools": [{"function": {"parameters": {"properties": {"password": {"type": "string"}}}}}],
        "text": "a risky sk-short and a Bearer of news, token 5",
        "nothing": {"api_key": None},
    }
    assert redact(body) == body
    assert redact("lm", ["lm"]) == "lm"  # too short to be one, too common to be hidden


def test_redaction_reads_what_is_no_plain_json() -> None:
    assert redact({"a": ("x", KEY), "b": Path(KEY), "c": float("inf")}, [KEY]) == {
        "a": ["x", HIDDEN],
        "b": HIDDEN,
        "c": float("inf"),
    }
    deep: Any = KEY
    for _ in range(3000):
        deep = [deep]
    assert KEY not in dumps(redact(deep, [KEY]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=30), inner, max_size=5),
    max_leaves=30,
)


@given(JSON, st.integers(64, 2000))
def test_bounded_keeps_within_its_limit(value: Any, limit: int) -> None:
    short = bounded(value, limit)
    assert len(dumps(short).encode()) <= limit
    assert short is value or len(dumps(value).encode()) > limit


def test_long_bodies_are_cut_and_say_so(traces: Traces) -> None:
    body = {"messages": [{"role": "user", "content": "verse " * 200_000}, {"role": "user", "content": "hi"}]}
    trace = traces.get(keep(traces, body=body), "local")
    assert trace.cut == ("request",)
    assert len(dumps(trace.request).encode()) <= BODY_MAX
    first, last = trace.request["messages"]
    assert first["content"].startswith("verse verse") and first["content"].endswith("characters cut]")
    assert last["content"] == "hi"


def test_too_many_small_things_are_cut_too(traces: Traces) -> None:
    trace = traces.get(keep(traces, body={"ids": list(range(100_000))}), "local")
    assert trace.cut == ("request",) and trace.request["cut"].startswith('{"ids":[0,1,2')


def kept(traces: Traces, owner: str) -> int:
    return len(traces.list(owner, limit=10_000))


def test_old_traces_go(store: Store) -> None:
    now = [NOW]
    traces = Traces(store, Limits, clock=lambda: now[0])
    keep(traces)
    now[0] = NOW + 29 * 86400
    young = keep(traces)
    assert kept(traces, "local") == 2
    now[0] = NOW + 30 * 86400 + 1
    assert traces.prune() == 1
    assert [line.id for line in traces.list("local")] == [young]


def test_size_is_bounded_and_nobody_pushes_others_out(store: Store) -> None:
    traces, members = Traces(store, Limits), People(store)
    quiet, middle, greedy = (members.join(name, "student").id for name in ("q", "m", "g"))
    first = [keep(traces, owner=quiet, body={"text": "x" * 10_000}) for _ in range(3)]
    for _ in range(20):
        keep(traces, owner=middle, body={"text": "x" * 10_000})
    for number in range(150):
        last = keep(traces, owner=greedy, body={"text": f"{number}" + "x" * 20_000})
    assert [line.id for line in traces.tail(quiet)] == first
    assert kept(traces, middle) == 20
    assert 25 <= kept(traces, greedy) <= 45 and traces.list(greedy)[0].id == last
    traces.prune()
    size = sum(line["bytes"] for line in rows(store))
    assert 0.8 * 2**20 <= size <= 2**20


def rows(store: Store) -> Any:
    with store.read() as connection:
        return connection.exec_driver_sql("SELECT bytes FROM traces").mappings().all()


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(0, 5000))
def test_a_fair_share(sizes: list[int], limit: int) -> None:
    share = fair_share(sizes, limit)
    total = sum(min(size, share) for size in sizes)
    assert total <= limit or not sizes
    if sum(sizes) <= limit:
        assert all(size <= share for size in sizes)  # nothing to take
    else:
        assert total > limit - len(sizes)  # nothing wasted but the rounding


def test_a_fair_share_by_hand() -> None:
    assert fair_share([10, 20, 100], 60) == 30
    assert fair_share([100, 100], 60) == 30
    assert fair_share([5, 5], 60) >= 5
    assert fair_share([], 60) == 0


def test_a_store_that_fails_costs_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    with store.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only=1")  # this connection goes back to the pool and is used again
    request = Request((Message("user", "my private words"),), Params(seed=1))
    with caplog.at_level(logging.WARNING):
        found = Traces(store, Limits).record(request, None, RESULT, backend="b", model="m", body={"k": KEY})
    assert found is None
    (told,) = caplog.messages
    assert "permission_denied" in told and KEY not in told and "private" not in caplog.text
    store.close()


def test_a_trace_of_nobody_is_not_kept(traces: Traces) -> None:
    request = Request((), Params(seed=1), owner="nobody")
    assert traces.record(request, None, RESULT, backend="b", model="m", body={}) is None


def test_eight_threads_record(traces: Traces) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: keep(traces), range(80)))
    assert {line.id for line in traces.list("local", limit=100)} == set(ids)
