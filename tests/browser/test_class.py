"""A class in two browsers: one code, one nickname, two people who see nothing of each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apps.classroom import grouped
from engine.engine import Engine
from engine.settings import Settings
from tests.browser.tabs import GradioTab, StreamlitTab, Tab
from tests.standins.app_server import AppServer

pytestmark = pytest.mark.browser


@contextmanager
def joined(face: type[Tab], browser: Any, room: AppServer, code: str, nickname: str = "Alex") -> Iterator[Tab]:
    """A tab of a person who came in through the code page."""
    tab = face(browser, room.address)
    tab.page.goto(room.address + face.path)
    assert "/join?next=" in tab.page.url
    tab.page.fill("#code", grouped(code).upper())
    tab.page.fill("#nickname", nickname)
    tab.page.get_by_role("button", name=tab.words.t("join.enter")).click()
    tab.ready()
    yield tab
    tab.close()
    assert tab.hosts == {f"127.0.0.1:{room.port}"} and tab.complaints == []


@pytest.mark.parametrize("face", [StreamlitTab, GradioTab])
def test_one_nickname_two_people_nothing_in_common(face: type[Tab], chromium: Any, room: AppServer) -> None:
    code = room.codes()["student"]
    name, secrets = f"Alex-{face.__name__}", ["ananas bleu", "cerise noire"]
    with joined(face, chromium, room, code, name) as one, joined(face, chromium, room, code, name) as two:
        for tab, secret in zip((one, two), secrets, strict=True):
            tab.say(secret)
            assert tab.answered().count(secret) == 2
        for tab, foreign in ((one, secrets[1]), (two, secrets[0])):
            assert foreign not in tab.page.content()
        one.page.reload()
        one.ready()
        one.complaints.clear()  # leaving a page cuts its streams, which Gradio writes to the console
        assert secrets[1] not in one.page.content()
    owners = [owner for owner in _traces(room, name) if owner]
    assert sorted(owners) == sorted([[secrets[0]], [secrets[1]]])


def _traces(room: AppServer, nickname: str) -> list[list[str]]:
    """What each person of that nickname has asked, as the store holds it."""
    engine = Engine(Settings(home=room.home, model="echo"))
    try:
        people = [person for person in engine.people.all() if person.nickname == nickname]
        kept = [[engine.traces.get(line.id, person.id) for line in engine.traces.list(person.id)] for person in people]
        return [[trace.request["messages"][-1]["content"] for trace in traces] for traces in kept]
    finally:
        engine.close()


def test_the_room_is_the_teachers(chromium: Any, room: AppServer) -> None:
    codes = room.codes()
    with joined(StreamlitTab, chromium, room, codes["student"], "Nour") as student:
        page = student.page
        assert page.get_by_text("Vous êtes Nour.").count() == 1
        assert page.get_by_role("link", name=student.words.t("section.room")).count() == 0
        page.goto(f"{room.address}/room")
        page.get_by_role("dialog").wait_for()  # Streamlit knows no such page, and shows the first one behind
        page.keyboard.press("Escape")
        student.ready()
        student.complaints.clear()  # which it writes to the console as well
        assert student.words.t("question.room") not in page.inner_text("body")
        assert codes["teacher"] not in page.content() and grouped(codes["teacher"]) not in page.content()
        student.say("un secret de Nour")
        student.answered()
        with joined(StreamlitTab, chromium, room, codes["teacher"], "Prof") as teacher:
            teacher.page.get_by_role("link", name=teacher.words.t("section.room")).click()
            teacher.page.get_by_text(teacher.words.t("question.room")).wait_for()
            teacher.page.get_by_text(grouped(codes["student"])).wait_for()
            assert grouped(codes["teacher"]) not in teacher.page.inner_text("body")  # shown on demand: it is projected
            assert "un secret de Nour" not in teacher.page.content()
