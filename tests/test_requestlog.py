"""The log of the served API: numbers and names of ours, bounded, worst first when asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.people import People
from engine.requestlog import RequestLog, Served, totals
from engine.store import Store
from tests.databases import KINDS, fresh_store


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with fresh_store(request.param, tmp_path) as opened:
        yield opened


def served(status: int = 200, **fields: object) -> Served:
    return Served(**{"owner": "local", "route": "/v1/models", "status": status, "duration": 0.5, **fields})  # type: ignore[arg-type]


def test_it_keeps_what_was_served(store: Store) -> None:
    log = RequestLog(store)
    one = served(key="k1", model="echo", prompt_tokens=3, completion_tokens=4, time=1.5)
    log.add(one)
    log.add(served(404, error="unknown_url"))
    first, second = log.list()
    assert (first.seq, second.seq) == (1, 2) and first.tokens == 7 and second.tokens == 0
    assert Served(**{**vars(first), "seq": 0}) == one
    assert (first.level, second.level, served(503).level) == ("info", "warning", "error")


def test_it_is_filtered_by_owner_key_level_and_number(store: Store) -> None:
    log, ada = RequestLog(store), People(store).join("Ada", "student")
    for one in (served(), served(429, key="k1"), served(502, owner=ada.id), served(200, key="k1")):
        log.add(one)

    def found(**how: object) -> list[int]:
        return [one.seq for one in log.list(**how)]  # type: ignore[arg-type]

    assert found() == [1, 2, 3, 4] and found(limit=2) == [3, 4] and found(after=2) == [3, 4]
    assert found(owner=ada.id) == [3] and found(key="k1") == [2, 4]
    assert found(level="warning") == [2, 3] and found(level="error") == [3]
    assert totals(log.list(), lambda one: one.key) == {None: (2, 0), "k1": (2, 0)}


def test_it_is_bounded(store: Store) -> None:
    log = RequestLog(store, kept=10, prune_every=5)
    for _ in range(33):
        log.add(served())
    assert [one.seq for one in log.list()] == list(range(21, 34))  # three since the last pruning


def test_a_store_that_fails_costs_no_answer(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog(store)
    with caplog.at_level(logging.WARNING):
        log.add(served(owner="nobody"))
    assert log.list() == () and "unknown_owner" in caplog.text
