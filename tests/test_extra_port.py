"""The second address of a running server: opened and closed by the teacher, with real requests."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import anyio
import pytest
import uvicorn

from apps.extra_port import ExtraPort
from apps.listening import Server
from apps.options import Options
from engine.errors import AccessDenied, BadInput, NotSupported
from engine.person import LOCAL, Person
from tests.patience import SOON_S
from tests.standins.app_server import free_port

STUDENT = Person("s", "Ann", "student")


class Doors:
    """An application that says at which port it was asked; `/slow` waits for its gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/slow":
            self.asked.set()
            await anyio.to_thread.run_sync(self.gate.wait, SOON_S)
        await send({"type": "http.response.body", "body": json.dumps(scope["server"][1]).encode()})


class Running:
    """A server of ours in a thread, with its second address."""

    def __init__(self, *ports: int) -> None:
        self.extra, self.doors, self.begun = ExtraPort(), Doors(), threading.Event()
        self.port = free_port()
        config = uvicorn.Config(self.doors, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
        self.server = Server(config, self.extra, self.begun.set)
        sockets = [socket.create_server(("127.0.0.1", port)) for port in (self.port, *ports)]
        self.thread = threading.Thread(target=self.server.run, args=(sockets,), daemon=True)
        self.thread.start()
        assert self.begun.wait(SOON_S)


@pytest.fixture
def running() -> Iterator[Running]:
    found = Running()
    yield found
    found.server.should_exit = True
    found.thread.join(SOON_S)
    assert not found.thread.is_alive() and found.extra.open_port == 0


def ask(port: int, path: str = "/", kept: HTTPConnection | None = None) -> int:
    """The port that the server says it was asked at."""
    connection = kept or HTTPConnection("127.0.0.1", port, timeout=SOON_S)
    try:
        connection.request("GET", path)
        return int(json.loads(connection.getresponse().read()))
    finally:
        if kept is None:
            connection.close()


def test_it_is_opened_moved_and_closed_while_the_server_runs(running: Running) -> None:
    extra, first, second = running.extra, free_port(), free_port()
    assert extra.open_port == 0 and extra.shown(Options()).lmstudio_port == 0
    assert extra.open(LOCAL, first) == first == extra.open_port
    assert extra.open(LOCAL, first) == first  # again, quietly
    assert ask(first) == first and ask(running.port) == running.port
    assert extra.shown(Options()).lmstudio_port == first
    assert extra.open(LOCAL, second) == second and ask(second) == second
    with pytest.raises(OSError):
        ask(first)
    extra.close(LOCAL)
    extra.close(LOCAL)
    assert extra.open_port == 0 and ask(running.port) == running.port
    with pytest.raises(OSError):
        ask(second)
    assert extra.open(LOCAL, second) == second and ask(second) == second  # the port is free again


def test_an_answer_under_way_is_written_to_its_end(running: Running) -> None:
    port = running.extra.open(LOCAL, free_port())
    told: list[int] = []
    asking = threading.Thread(target=lambda: told.append(ask(port, "/slow")))
    asking.start()
    assert running.doors.asked.wait(SOON_S)
    kept = HTTPConnection("127.0.0.1", port, timeout=SOON_S)
    assert ask(port, kept=kept) == port
    running.extra.close(LOCAL)
    running.doors.gate.set()
    asking.join(SOON_S)
    assert told == [port]
    with pytest.raises(OSError):  # a connection that was kept for later is closed
        kept.auto_open = 0
        ask(port, kept=kept)
    kept.close()


def test_who_may_and_which_ports(running: Running) -> None:
    for act in (lambda: running.extra.open(STUDENT, free_port()), lambda: running.extra.close(STUDENT)):
        with pytest.raises(AccessDenied):
            act()
    port = running.extra.open(LOCAL, free_port())
    for wrong, reason in ((80, "range"), (70_000, "range"), (running.port, "taken")):
        with pytest.raises(BadInput) as refused:
            running.extra.open(LOCAL, wrong)
        assert refused.value.details["reason"] == f"extra_port_{reason}"
    assert running.extra.open_port == port and ask(port) == port  # what was open stays
    with pytest.raises(NotSupported):
        ExtraPort().open(LOCAL, free_port())


def test_one_that_is_open_from_the_start_can_be_closed() -> None:
    port = free_port()
    found = Running(port)
    assert found.extra.open_port == port and ask(port) == port
    found.extra.close(LOCAL)
    with pytest.raises(OSError):
        ask(port)
    found.server.should_exit = True
    found.thread.join(SOON_S)
    assert not found.thread.is_alive()
