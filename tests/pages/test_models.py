"""The pages about models and about the class."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps import host
from apps.classroom import Classroom
from apps.options import Options
from tests.pages.conftest import ROOT, EchoEngine, texts


def page(name: str, **state: Any) -> AppTest:
    """A page by itself."""
    app = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=240)
    for key, value in state.items():
        app.session_state[key] = value
    return app.run()


@pytest.mark.parametrize(("lang", "title"), [("en", "Models"), ("fr", "Modèles")])
def test_all_models_and_the_card_of_the_chosen_one(engine: EchoEngine, lang: str, title: str) -> None:
    app = page("models", lang=lang, model="smollm2-135m-instruct")
    assert not app.exception and not app.error and app.title[0].value == title
    assert app.markdown[0].value.count("\n") == 1 + len(engine.models())
    shown = texts(app)
    assert "Q4_1" in shown and "apache-2.0" in shown.lower()


def test_a_student_may_not_load(engine: EchoEngine, in_class: Any) -> None:
    assert not page("models", model="smollm2-135m-instruct").button


@pytest.mark.parametrize(("name", "button"), [("models", 0), ("room", "room.wipe")])
def test_a_button_of_the_teachers_does_nothing_in_a_students_hands(
    engine: EchoEngine, in_class: Any, monkeypatch: pytest.MonkeyPatch, isolation: Any, name: str, button: int | str
) -> None:
    """As if a browser sent the click of a button that it has seen, or knows of."""
    isolation.mkdir(parents=True, exist_ok=True)
    room = Classroom(isolation / "class.json")
    teacher = engine.people.join("Prof", "teacher")
    done: list[str] = []
    monkeypatch.setattr(host, "classroom", lambda: room)
    monkeypatch.setattr(engine, "runtime", lambda _: done.append("loaded"))
    monkeypatch.setattr(engine, "unload", lambda _: done.append("unloaded"))
    monkeypatch.setattr(host, "person_of", lambda headers: teacher)
    app = page(name, model="smollm2-135m-instruct")
    pressed = app.button[button] if isinstance(button, int) else app.button(key=button)
    monkeypatch.setattr(host, "person_of", lambda headers: in_class)
    pressed.click().run()
    assert not app.exception and not app.button
    assert done == [] and len(engine.people.all()) == 2
    monkeypatch.setattr(host, "person_of", lambda headers: teacher)
    assert page(name, model="smollm2-135m-instruct").button  # there was something to press


def test_the_class_page_is_the_teachers(engine: EchoEngine, in_class: Any) -> None:
    app = page("room")
    assert not app.exception and "access_denied" in app.error[0].value
    assert not app.markdown and not app.toggle


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_teacher_sees_people_and_codes_and_can_wipe(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch, isolation: Any, lang: str
) -> None:
    isolation.mkdir(parents=True, exist_ok=True)
    room = Classroom(isolation / "class.json")
    monkeypatch.setattr(host, "options", lambda: Options(class_mode=True))
    monkeypatch.setattr(host, "classroom", lambda: room)
    teacher = engine.people.join("Prof", "teacher")
    engine.people.join("Ada", "student")
    monkeypatch.setattr(host, "person_of", lambda headers: teacher)
    app = page("room", lang=lang)
    assert not app.exception and not app.error
    assert "| Ada |" in texts(app)
    assert room.codes.student[:3] in texts(app) and room.codes.teacher[:3] not in texts(app)
    app.toggle[0].set_value(True).run()
    assert room.codes.teacher[:3] in texts(app)
    app.button(key="room.wipe").click().run()
    assert [person.nickname for person in engine.people.all()] == ["Prof"]
