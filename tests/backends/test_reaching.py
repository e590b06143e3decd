"""A name that leads elsewhere once it was checked: no byte, no key, comes to the other address; real HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from engine import far
from engine.endpoints import Endpoints
from engine.engine import Engine
from engine.errors import AccessDenied, BackendError, BadInput
from engine.rag.embedders import embedder
from engine.settings import Settings
from engine.types import Message
from tests.standins.openai_server import KEY, OpenAIStandIn

PUBLIC, HERE, NAME = "93.184.216.34", "127.0.0.1", "public.example"
HI = [Message("user", "Hi")]


class Ear:
    """A server on loopback that takes down what comes."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.socket = socket.create_server((HERE, 0))
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            with line:
                self.came.append(line.recv(65536))


@pytest.fixture
def ear() -> Iterator[Ear]:
    opened = Ear()
    with closing(opened.socket):
        yield opened


class Names:
    """Names as a hostile name server tells them: public while they are checked, then this machine."""

    def __init__(self, *, checks: int) -> None:
        self.checks = checks
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return [PUBLIC if self.asked <= self.checks else HERE]


@contextmanager
def desk(names: Callable[[str, int], list[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine whose name server is `names`; the system's own says this machine, as a rebinding one would."""
    real = socket.getaddrinfo

    def rebound(host: Any, *more: Any, **named: Any) -> Any:
        return real(HERE if host == NAME else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    with closing(Engine(Settings(model="echo"))) as engine:
        engine.__dict__["endpoints"] = Endpoints(engine.values, resolver=names)
        yield engine


ASKING: dict[str, Callable[[Engine], Any]] = {
    "openai": lambda engine: engine.model("room/plain", KEY).answer(HI),
    "embeddings": lambda engine: embedder("openai:room:plain", engine, key=KEY).query("?"),
    "test": lambda engine: engine.endpoints.test("room", KEY)[0].problem,
    "load": lambda engine: far.load(engine, "room/plain"),
}
KINDS = [
    ("openai", {}),
    ("openai", {"native": "lmstudio"}),
    ("openai", {"native": "ollama"}),
    ("openai", {"protocol": "responses"}),
    ("embeddings", {}),
    ("test", {}),
    ("test", {"native": "lmstudio"}),
    ("test", {"native": "ollama"}),
    ("load", {"native": "lmstudio"}),
    ("load", {"native": "ollama"}),
]


@pytest.mark.parametrize(("asking", "nature"), KINDS)
def test_a_name_that_changes_after_its_check_gets_no_key(
    ear: Ear, monkeypatch: pytest.MonkeyPatch, asking: str, nature: dict[str, Any]
) -> None:
    monkeypatch.setenv("ATELIER_ROOM_KEY", KEY)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)
    names = Names(checks=2)  # when it is typed, and when it is used
    with desk(names, monkeypatch) as engine:
        fields = {"id": "room", "base_url": f"http://{NAME}:{ear.port}/v1", "key_env": "ATELIER_ROOM_KEY"}
        assert engine.endpoints.add({**fields, **nature}, shared=True).public_only
        with pytest.raises(BadInput, match="no public address") as refused:
            if problem := ASKING[asking](engine):
                raise problem
        assert refused.value.details["reason"] == "endpoint_private" and KEY not in repr(refused.value)
    assert names.asked > 2 and not ear.came


def test_a_student_is_not_told_which_private_address_it_was(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(Names(checks=1), monkeypatch) as engine:
        engine.endpoints.add({"id": "room", "base_url": f"http://{NAME}:{ear.port}/v1"})
        with pytest.raises(AccessDenied) as refused:
            engine.model("room/plain", KEY, role="student").answer(HI)
    assert HERE not in str(refused.value) and not ear.came


def test_it_goes_to_the_address_that_was_checked_under_its_own_name(
    openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(openai_server.base_url.rpartition(":")[2].partition("/")[0])
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy would look the name up itself
    with closing(Engine(Settings(model="echo"))) as engine:
        allowed = frozenset({f"{NAME}:{port}"})
        engine.__dict__["endpoints"] = Endpoints(engine.values, private_hosts=allowed, resolver=lambda *_: [HERE])
        engine.endpoints.add({"id": "room", "base_url": f"http://{NAME}:{port}/v1"}, shared=True)
        assert engine.model("room/plain", KEY).answer(HI).text
        assert openai_server.last.headers["host"] == f"{NAME}:{port}"


def test_the_next_address_is_tried_where_the_first_is_silent(
    openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(openai_server.base_url.rpartition(":")[2].partition("/")[0])
    with closing(Engine(Settings(model="echo"))) as engine:
        allowed = frozenset({f"{NAME}:{port}"})
        told = ["127.0.0.2", HERE]  # nobody listens at the first
        engine.__dict__["endpoints"] = Endpoints(engine.values, private_hosts=allowed, resolver=lambda *_: told)
        engine.endpoints.add({"id": "room", "base_url": f"http://{NAME}:{port}/v1"}, shared=True)
        assert engine.model("room/plain", KEY).answer(HI).text
        told.pop()
        with pytest.raises(BackendError):
            engine.model("room/plain", KEY).answer(HI)


def test_one_server_of_several_that_nobody_finds_closes_none_of_the_others(openai_server: OpenAIStandIn) -> None:
    port = int(openai_server.base_url.rpartition(":")[2].partition("/")[0])

    def resolver(host: str, *_: object) -> list[str]:
        if host != NAME:
            raise OSError("unknown")
        return [HERE]

    with closing(Engine(Settings(model="echo"))) as engine:
        allowed = frozenset({f"{NAME}:{port}", f"gone.example:{port}"})
        engine.__dict__["endpoints"] = Endpoints(engine.values, private_hosts=allowed, resolver=lambda *_: [HERE])
        row = {"id": "room", "base_url": f"http://{NAME}:{port}/v1", "addresses": [f"http://gone.example:{port}/v1"]}
        engine.endpoints.add(row, shared=True)
        engine.endpoints._resolver = resolver
        assert engine.model("room/plain", KEY).answer(HI).text
