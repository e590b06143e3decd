"""Several servers for one model: the least busy one, one retry elsewhere before the first word and none after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from engine.backends.base import Control, Report, Request
from engine.backends.openai_compat import OpenAICompat
from engine.backends.pool import Balance, Pool
from engine.errors import BadParameter, RateLimited, StreamCut, UnknownModel, Unreachable
from engine.generation import Generation
from engine.params import Params
from engine.providers import Provider
from engine.types import Message
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.standins.openai_server import OpenAIStandIn, openai_standin

NOWHERE = "http://127.0.0.1:9/v1"
HI = Request((Message("user", "hi"),), Params())


@pytest.fixture
def two() -> Iterator[tuple[OpenAIStandIn, OpenAIStandIn]]:
    with openai_standin() as first, openai_standin() as second:
        yield first, second


@pytest.fixture
def balance() -> Iterator[Balance]:
    opened = Balance(every_s=0.05)
    yield opened
    opened.close()


def pool(balance: Balance, *members: tuple[str, str], check: bool = False) -> Pool:
    """A pool of (address, model) pairs; the model chooses what goes wrong there."""
    row = Provider(id="room", name="Room", base_url=members[0][0])
    backends = {address: OpenAICompat(address, model, None, row) for address, model in members}
    return Pool(dict(backends), balance, lambda _: check)


def text(opened: Pool) -> str:
    generation = Generation(opened, HI, model="m")
    list(generation)
    return generation.result.text


def test_they_take_turns_when_nobody_is_busy(balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]) -> None:
    opened = pool(balance, (two[0].base_url, "plain"), (two[1].base_url, "plain"))
    for _ in range(4):
        text(opened)
    assert [len(server.requests) for server in two] == [2, 2]


def test_the_least_busy_one_is_asked(balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]) -> None:
    opened = pool(balance, (two[0].base_url, "plain"), (two[1].base_url, "plain"))
    with balance.busy(two[1].base_url), balance.busy(two[1].base_url):
        for _ in range(3):
            text(opened)
        assert balance.members([two[1].base_url])[0].busy == 2
    assert [len(server.requests) for server in two] == [3, 0]


@pytest.mark.parametrize("model", ["503", "429", "404", "html"])
def test_one_retry_elsewhere_before_the_first_word(
    balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn], model: str
) -> None:
    opened = pool(balance, (two[0].base_url, model), (two[1].base_url, "plain"))
    came = list(opened.run(HI, Control()))
    assert isinstance(came[-1], Report) and came[-1].response["address"] == two[1].base_url
    assert [len(server.requests) for server in two] == [1, 1]


def test_no_second_retry(balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]) -> None:
    opened = pool(balance, (two[0].base_url, "503"), (two[1].base_url, "429"), (NOWHERE, "plain"))
    with pytest.raises(RateLimited):
        list(opened.run(HI, Control()))
    assert [len(server.requests) for server in two] == [1, 1]


def test_none_after_the_first_word(balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]) -> None:
    """The reader would see another answer begin."""
    opened = pool(balance, (two[0].base_url, "cut"), (two[1].base_url, "plain"))
    generation = Generation(opened, HI, model="m")
    list(generation)
    assert isinstance(generation.result.error, StreamCut) and generation.result.text
    assert [len(server.requests) for server in two] == [1, 0]


def test_none_for_what_another_would_refuse_too(balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]) -> None:
    opened = pool(balance, (two[0].base_url, "bad-parameter"), (two[1].base_url, "plain"))
    with pytest.raises(BadParameter):
        list(opened.run(HI, Control()))
    assert not two[1].requests


def test_who_fails_is_asked_last_until_a_check_finds_them_well(
    balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]
) -> None:
    well = threading.Event()
    row = Provider(id="room", name="Room", base_url=NOWHERE)
    members = {url: OpenAICompat(url, "plain", None, row) for url in (NOWHERE, two[0].base_url)}
    opened = Pool(dict(members), balance, lambda _: well.is_set())
    assert text(opened) and balance.members([NOWHERE])[0].down_s is not None
    assert balance.order([NOWHERE, two[0].base_url])[0] == two[0].base_url
    text(opened)
    assert len(two[0].requests) == 2
    well.set()
    assert wait_for(lambda: balance.members([NOWHERE])[0].down_s is None, SOON_S)


def test_a_check_that_breaks_does_not_end_the_watch(balance: Balance) -> None:
    asked = threading.Event()

    def check() -> bool:
        if asked.is_set():
            return True
        asked.set()
        raise RuntimeError("what nobody foresaw")

    balance.down(NOWHERE, check)
    assert wait_for(lambda: balance.members([NOWHERE])[0].down_s is None, SOON_S) and asked.is_set()


def test_busy_or_without_the_model_is_not_ill(balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]) -> None:
    for model, kind in (("429", RateLimited), ("404", UnknownModel)):
        with pytest.raises(kind):
            list(pool(balance, (two[0].base_url, model), (two[1].base_url, model)).run(HI, Control()))
    assert all(member.down_s is None for member in balance.members([server.base_url for server in two]))


def test_all_down_are_tried_all_the_same(balance: Balance) -> None:
    opened = pool(balance, (NOWHERE, "plain"), ("http://127.0.0.1:10/v1", "plain"))
    for _ in range(2):
        with pytest.raises(Unreachable):
            list(opened.run(HI, Control()))


def test_stopped_it_asks_nobody_else(balance: Balance, two: tuple[OpenAIStandIn, OpenAIStandIn]) -> None:
    opened = pool(balance, (two[0].base_url, "silent"), (two[1].base_url, "plain"))
    generation = Generation(opened, HI, model="m")
    assert wait_for(lambda: len(two[0].requests) == 1, SOON_S)
    generation.stop()
    assert generation.result.outcome == "user_stopped" and not two[1].requests
    assert balance.members([two[0].base_url])[0].busy == 0
