"""The Gradio mirror on loopback over an engine whose one model is the echo, told by the text itself how to behave."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from apps.gradio_app import application
from apps.options import Options
from engine.backends.base import Backend, Control, Report, Request
from engine.backends.echo import Echo
from engine.engine import Engine
from engine.settings import Settings
from engine.types import Event

ORDERS: dict[str, dict[str, Any]] = {
    "cut": {"fail_after": 3},
    "refuse": {"fail_after": 0},
    "crawl": {"delay": 0.5},  # with some hundred words it cannot end before a test acts, however slow the machine
    "read": {"prompt_delay": 60},
    "think": {"reasoning": "a *thought*"},
}


class Obedient(Echo):
    """An echo that takes its orders from the first word of the last message, and remembers what was stopped when.

    "held" answers wait after their tenth event until `release` is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[tuple[str, float, bool]] = []
        self.held = 0
        self.release = threading.Event()

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        text = request.messages[-1].content
        order = text.partition(" ")[0]
        try:
            events = super().run(replace(request, extra=ORDERS.get(order, {})), control)
            for number, event in enumerate(events):
                yield event
                if order == "held" and number == 10:
                    self._hold(control)
        finally:
            self.ended.append((text, time.monotonic(), control.stopped))

    def stopped(self, text: str) -> bool:
        """Whether the model was told to stop answering this, within a minute."""
        for _ in range(3000):
            if any(said.strip() == text.strip() and by_hand for said, _, by_hand in self.ended):
                return True
            time.sleep(0.02)
        return False

    def _hold(self, control: Control) -> None:
        self.held += 1
        while not (self.release.is_set() or control.wait(0.02)):
            pass
        self.held -= 1


class EchoEngine(Engine):
    """An engine that has an obedient echo for every model."""

    echo: Obedient

    def _backend(self, *_: Any) -> Backend:
        return self.echo


@dataclass
class Site:
    """The running mirror."""

    address: str
    engine: EchoEngine
    server: uvicorn.Server = field(repr=False)

    @property
    def echo(self) -> Obedient:
        return self.engine.echo

    def language(self, lang: str) -> str:
        return f"{self.address}/gradio/{lang}/"


@contextmanager
def serving(home: Path, kind: type[EchoEngine] = EchoEngine, **settings: Any) -> Iterator[Site]:
    """The mirror on a free port, in a thread."""
    engine = kind(Settings(home=home, **{"model": "echo", **settings}), serve=True)
    engine.echo = Obedient()
    bound: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "log_level": "warning", "ws": "none"}
    # an open page's stream would hold it up
    config = uvicorn.Config(application(engine, Options()), **bound, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Site(f"http://127.0.0.1:{port}", engine, server)
    finally:
        server.should_exit = True
        thread.join(30)
        engine.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One mirror for all tests, with two slots."""
    with serving(tmp_path_factory.mktemp("gradio"), slots=2) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_held(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "site" in request.fixturenames:
        echo = request.getfixturevalue("site").echo
        echo.release.set()
        while echo.held:
            time.sleep(0.02)
        echo.release.clear()


FOREIGN = "A file of another program"


def lies_about(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file of another program's lie on that machine, which the teacher has not opened to anybody."""
    cards = engine.catalog.cards()
    found = replace(cards[-1], id="foreign-file", name=FOREIGN, backend="llamacpp", source="ollama")
    monkeypatch.setattr(engine.catalog, "cards", lambda: (*cards, found))
