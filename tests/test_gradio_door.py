"""The door before Gradio is behind it: it opens when it is told to, not before, and a failure closes only itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from apps.gradio_door import App, Apps, GradioDoor
from tests.patience import SOON_S


def built() -> Iterator[App]:
    yield "/gradio/en", Starlette()


def routed(apps: Apps) -> Any:
    paths = ["/gradio", *(f"{path}/" for path, _ in apps)]
    return Starlette(routes=[Route(path, lambda _: PlainTextResponse("open")) for path in paths])


def told(door: GradioDoor, path: str = "/gradio/en/", **headers: str) -> Any:
    return TestClient(door).get(path, headers=headers)


def test_the_first_question_may_be_what_opens_it() -> None:
    door = GradioDoor(built, routed)

    async def day() -> tuple[bool, Any, Any]:
        end = asyncio.Event()
        running = asyncio.create_task(door.run(door.asked, end))
        await asyncio.sleep(0.1)
        opened = door.open.is_set()
        before = await asyncio.to_thread(told, door)
        await asyncio.wait_for(door.open.wait(), SOON_S)
        after = await asyncio.to_thread(told, door)
        end.set()
        await running
        return opened, before, after

    opened, before, after = asyncio.run(day())
    assert not opened
    assert before.status_code == 503 and before.headers["retry-after"] == "1"
    assert after.text == "open"


def test_a_gradio_that_cannot_be_had_says_so_and_nobody_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[App]:
        raise ImportError("no gradio")

    door = GradioDoor(broken, routed)

    async def day() -> Any:
        begin, end = asyncio.Event(), asyncio.Event()
        begin.set()
        await door.run(begin, end)
        return await asyncio.to_thread(told, door)

    reply = asyncio.run(day())
    assert reply.status_code == 503 and "retry-after" not in reply.headers
    assert "Gradio could not be loaded" in caplog.text


def test_an_end_before_the_beginning_builds_nothing() -> None:
    def never() -> Iterator[App]:
        raise AssertionError

    async def day() -> None:
        end = asyncio.Event()
        end.set()
        await GradioDoor(never, routed).run(asyncio.Event(), end)

    asyncio.run(day())


def test_the_language_that_was_asked_for_opens_before_the_others_are_built() -> None:
    on, seen = Event(), []

    def each() -> Iterator[App]:
        seen.append(door.wanted)
        yield "/gradio/fr", Starlette()
        on.wait(SOON_S)
        yield "/gradio/en", Starlette()

    door = GradioDoor(each, routed)

    async def day() -> list[int]:
        end = asyncio.Event()
        running = asyncio.create_task(door.run(door.asked, end))
        codes = [(await asyncio.to_thread(told, door, "/gradio", **{"accept-language": "fr"})).status_code]
        await asyncio.wait_for(door.open.wait(), SOON_S)
        codes += [(await asyncio.to_thread(told, door, f"/gradio/{one}/")).status_code for one in ("fr", "en")]
        codes += [(await asyncio.to_thread(told, door, "/gradio", **{"accept-language": "en"})).status_code]
        on.set()
        while (code := (await asyncio.to_thread(told, door)).status_code) == 503:
            await asyncio.sleep(0.05)
        end.set()
        await running
        return [*codes, code]

    assert asyncio.run(day()) == [503, 200, 503, 200, 200]
    assert seen == ["/gradio/fr"]
