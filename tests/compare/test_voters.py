"""Forty people of a class vote at once over HTTP: no vote is lost, none counts twice, nobody votes for another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.compare.arena import Arena
from engine.people import People
from engine.settings import Settings
from engine.store import Store
from engine.values import Values
from tests.standins.app_server import AppServer

VOTERS = 40
API = "/gradio/en/gradio_api/call"
VOTES = ("left", "right", "tie", "both_bad")


@pytest.fixture
def store(room: AppServer) -> Iterator[Store]:
    """The store of the running class, without a vote again afterwards."""
    opened = Store(Settings(home=room.home).url)
    yield opened
    Arena(opened, Values(opened)).clear()
    opened.close()


def called(room: AppServer, cookie: str, name: str, *data: str) -> tuple[str, dict[str, object]]:
    """How a call of a named endpoint ended (complete, error), and what came back."""
    asked = {"Cookie": cookie, "Content-Type": "application/json"}
    begun = room.ask("POST", f"{API}/{name}", {"data": list(data)}, asked)
    assert begun.status == 200, begun.body
    text = room.ask("GET", f"{API}/{name}/{begun.json['event_id']}", headers=asked).body.decode()
    event, told = text.strip().split("\n\n")[-1].split("\n", 1)
    found = json.loads(told.removeprefix("data: "))
    return event.removeprefix("event: "), found[0] if isinstance(found, list) else {"error": found}


def test_forty_people_vote_at_once(room: AppServer, store: Store) -> None:
    code, arena = room.codes()["student"], Arena(store, Values(store))
    cookies = [room.join(code, f"Voter {number}") for number in range(VOTERS)]
    ids = {person.nickname: person.id for person in People(store).all()}
    owners = [ids[f"Voter {number}"] for number in range(VOTERS)]
    tokens = [arena.keep(owner, f"Where is {owner}?", ("ant", "bee"), ("Here.", "There.")) for owner in owners]
    # each votes as they like, some twice at the same time, some on their neighbour's pair besides
    orders = [(cookie, tokens[n], VOTES[n % 4]) for n, cookie in enumerate(cookies)]
    foreign = [(cookie, tokens[n + 1], "left") for n, cookie in enumerate(cookies[:4])]
    with ThreadPoolExecutor(VOTERS) as pool:
        told = list(
            pool.map(lambda one: called(room, one[0], "arena_vote", *one[1:]), [*orders, *orders[:10], *foreign])
        )
    for event, vote in told[: VOTERS + 10]:
        assert event == "complete" and vote["counted"] is True, vote
    assert [event for event, _ in told[VOTERS + 10 :]] == ["error"] * len(foreign)
    event, board = called(room, cookies[0], "arena_board", "")
    assert event == "complete" and board["votes"] == VOTERS and board["uncounted"] == 0
    kept = arena.all()
    assert Counter(vote.winner for vote in kept) == dict.fromkeys(VOTES, VOTERS // 4)
    assert {vote.owner: vote.id for vote in kept} == dict(zip(owners, tokens, strict=True))
    assert not any(owner in json.dumps(board) for owner in owners)
