"""The Streamlit application over an engine whose every model is an echo that takes orders from the question itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps import host
from apps.options import Options
from apps.streamlit_sidebar import PARAMETERS
from apps.ui.controls import GROUPS
from engine.backends.base import Backend, Control, Report, Request
from engine.backends.echo import Echo
from engine.conversation import Conversation
from engine.engine import Engine
from engine.people import Person
from engine.settings import Settings
from engine.types import Event

ROOT = Path(__file__).parents[2]
ORDERS: dict[str, dict[str, Any]] = {
    "cut": {"fail_after": 3},
    "refuse": {"fail_after": 0},
    "slow": {"delay": 0.05},
    "think": {"reasoning": "a *thought*"},
}


class Obedient(Echo):
    """An echo whose first word is an order, and which keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        self.asked.append(request)
        order = request.messages[-1].content.partition(" ")[0]
        return super().run(replace(request, extra=ORDERS.get(order, {})), control)


class EchoEngine(Engine):
    """An engine that has one obedient echo for every model."""

    echo: Obedient

    def _backend(self, *_: Any) -> Backend:
        return self.echo


@pytest.fixture
def engine(isolation: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EchoEngine]:
    """The engine that the pages find in `apps.host`, on loopback."""
    made = EchoEngine(Settings(home=isolation, model="echo"), serve=True)
    made.echo = Obedient()
    monkeypatch.setattr(host, "engine", lambda: made)
    monkeypatch.setattr(host, "options", Options)
    yield made
    made.close()


@pytest.fixture
def app(engine: EchoEngine) -> AppTest:
    """The application, not yet run, as an English browser opens it; all parameters unfolded."""
    made = AppTest.from_file(str(ROOT / "apps" / "streamlit_app.py"), default_timeout=240)
    unfold(made, True)
    return made


def unfold(app: AppTest, wanted: bool) -> None:
    """Open or close the parameters of the left column."""
    for name in (PARAMETERS, *(f"{PARAMETERS}.{group}" for group in GROUPS)):
        app.session_state[name] = wanted


@pytest.fixture
def in_class(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A student in a class, who is the one that asks."""
    person = engine.people.join("Zoé [x](http://a.example)", "student")
    monkeypatch.setattr(host, "options", lambda: Options(class_mode=True))
    monkeypatch.setattr(host, "person_of", lambda headers: engine.people.get(person.id))
    return person


def conversation(app: AppTest) -> Conversation:
    """The conversation that is open in this tab."""
    found: Conversation = app.session_state["chat.open"].conversation
    return found


def said(app: AppTest) -> list[tuple[str, str]]:
    """Role and text of each message on the branch that is shown."""
    return [(node.role, node.content) for node in conversation(app).path()]


def texts(app: AppTest) -> str:
    """Everything that can be read on the page."""
    kinds = (app.title, app.markdown, app.caption, app.text, app.error, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)
