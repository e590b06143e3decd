"""Orders to LM Studio and Ollama, over real HTTP: loaded, unloaded, fetched, with a key that is kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, nullcontext
from typing import Any

import pytest

from engine import far_jobs
from engine.engine import Engine
from engine.errors import AccessDenied, BadInput, NotFound, NotSupported, ServerFailed, Unauthorized, Unreachable
from engine.far_jobs import orders, start_order
from engine.settings import Settings
from tests.patience import JOB_S
from tests.standins.lmstudio_server import lmstudio_standin
from tests.standins.ollama_server import ollama_standin

KEY = "MARKEDkey0123456789"


@pytest.fixture
def desk() -> Iterator[Engine]:
    with closing(Engine(Settings(model="echo"))) as opened:
        yield opened


def carried_out(desk: Engine, task: Any, model: str, **given: Any) -> Any:
    """What the task returns for the row "lab", done here: one child process in these tests is enough."""
    work = task(desk.endpoints.row("lab").to_dict(), model, None, **given)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_lmstudio_loads_with_a_window_and_a_key_for_the_visit_and_unloads(desk: Engine) -> None:
    with lmstudio_standin(token=KEY) as server:
        desk.endpoints.add({"id": "lab", "base_url": server.base_url, "like": "lmstudio", "key_env": "ATELIER_LAB_KEY"})
        with pytest.raises(Unauthorized):
            carried_out(desk, far_jobs.loading, "plain")
        job = start_order(desk, "local", "load", "lab", "plain", 2048, role="teacher", key=KEY)
        loaded = desk.jobs.wait(job.id, JOB_S)
        assert loaded.state == "done" and loaded.result["windows"] == [2048] and server.loaded == {"plain": 2048}
        assert KEY not in json.dumps([loaded.args, loaded.result, loaded.title])
        assert carried_out(desk, far_jobs.unloading, "plain", key=KEY)["was"] and server.loaded == {}
        desk.endpoints.add({"id": "lab", "base_url": server.base_url, "like": "lmstudio"})  # a row without a variable
        assert carried_out(desk, far_jobs.loading, "plain", window=1024, key=KEY)["windows"] == [1024]
        assert carried_out(desk, far_jobs.unloading, "plain", key=KEY)["was"]
        with pytest.raises(NotSupported):
            start_order(desk, "local", "pull", "lab", "plain", role="teacher")


def test_ollama_fetches_and_what_it_refuses_is_said(desk: Engine) -> None:
    with ollama_standin() as server:
        desk.endpoints.add({"id": "lab", "base_url": server.base_url, "like": "ollama"})
        told = list(far_jobs.pulling(desk.endpoints.row("lab").to_dict(), "llama3.2:1b", None))
        assert (told[-2].done, told[-2].total) == (1000, 1000) and server.requests[-1].body["model"] == "llama3.2:1b"
        with pytest.raises(ServerFailed, match="does not exist"):
            carried_out(desk, far_jobs.pulling, "nowhere")


def test_an_order_connects_to_what_was_checked_and_nowhere_else(desk: Engine) -> None:
    with ollama_standin() as server:
        desk.endpoints.add({"id": "lab", "base_url": server.base_url, "like": "ollama"})
        row = desk.endpoints.row("lab").to_dict()
        for places, error in (({f"127.0.0.1:{server.port}": ["127.0.0.1"]}, None), ({"elsewhere:80": []}, Unreachable)):
            with nullcontext() if error is None else pytest.raises(error):
                list(far_jobs.unloading(row, "plain", places))
        assert len(server.requests) == 1


def test_who_may_order_what(desk: Engine) -> None:
    assert orders(desk.endpoints.row("ollama")) == ("load", "unload", "pull")
    assert orders(desk.endpoints.row("openai")) == ()
    for given, role, error in (
        (("load", "ollama", "plain"), "student", AccessDenied),
        (("load", "nowhere", "plain"), "teacher", NotFound),
        (("load", "openai", "gpt"), "teacher", NotSupported),
        (("load", "ollama", " "), "teacher", BadInput),
        (("pull", "ollama", "a\x1b[2J"), "teacher", BadInput),
    ):
        with pytest.raises(error):
            start_order(desk, "local", *given, role=role)
    assert desk.jobs.list() == ()
