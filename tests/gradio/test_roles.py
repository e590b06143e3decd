"""What a student may not do in the class tab, and what the sidebar says in a class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apps import gradio_status, host
from apps.gradio_kit import Ui
from apps.gradio_room import Room
from apps.options import Options
from apps.ui.i18n import words
from engine.people import Person
from engine.settings import Settings
from tests.gradio.conftest import EchoEngine, Obedient

ASKED: Any = SimpleNamespace(headers={}, session_hash="s", query_params={}, url="http://h/gradio/en/")


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    engine = EchoEngine(Settings(home=tmp_path, model="echo"), serve=True)
    engine.echo = Obedient()
    yield Ui(engine, "en", Options(class_mode=True))
    engine.close()


@pytest.fixture
def student(ui: Ui, monkeypatch: pytest.MonkeyPatch) -> Person:
    person = ui.engine.people.join("Zoé <b>", "student")
    monkeypatch.setattr(host, "person_of", lambda _: person)
    return person


@pytest.fixture
def teacher(ui: Ui, monkeypatch: pytest.MonkeyPatch) -> Person:
    person = ui.engine.people.join("Prof", "teacher")
    monkeypatch.setattr(host, "person_of", lambda _: person)
    return person


def test_a_student_sees_nothing_of_the_class_and_wipes_nothing(ui: Ui, student: Person) -> None:
    room = Room(ui)
    assert room.shown("echo", ASKED) == ("", "", "")
    assert "access_denied" in room.wipe(ASKED)
    assert ui.engine.people.get(student.id) is not None


def test_the_teacher_sees_people_by_their_escaped_nickname(ui: Ui, student: Person, teacher: Person) -> None:
    _, _, people = Room(ui).shown("echo", ASKED)
    assert "Zoé &lt;b&gt;" in people and "<b>" not in people


def test_the_sidebar_says_who_i_am_and_who_is_here(ui: Ui, student: Person) -> None:
    text, loading = gradio_status.html_of(ui.engine, "echo", words("en"), student)
    assert "You are Zoé &lt;b&gt;." in text and "1 here, 0 waiting" in text and "Reset my page" in text
    assert not loading


def test_alone_it_says_the_model_only(ui: Ui) -> None:
    text, _ = gradio_status.html_of(ui.engine, "echo", words("en"), None)
    assert "ready" in text and "here" not in text and "Reset" not in text
