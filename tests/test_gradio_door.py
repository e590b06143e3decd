"""The door before Gradio is behind it: it opens when it is told to, not before, and a failure closes only itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from apps.gradio_door import Apps, GradioDoor
from tests.patience import SOON_S


def built() -> Apps:
    return [("/gradio/en", Starlette())]


def routed(_: Apps) -> Any:
    return Starlette(routes=[Route("/gradio/en/", lambda _: PlainTextResponse("open"))])


def told(door: GradioDoor) -> Any:
    return TestClient(door).get("/gradio/en/")


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
    def broken() -> Apps:
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
    def never() -> Apps:
        raise AssertionError

    async def day() -> None:
        end = asyncio.Event()
        end.set()
        await GradioDoor(never, routed).run(asyncio.Event(), end)

    asyncio.run(day())
