"""LM Studio: what its own routes tell, the count that it tells wrong, and its older version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.backends.base import Request
from engine.backends.lmstudio import LMStudio
from engine.backends.lmstudio_native import LMStudioServer
from engine.backends.windows import Windows
from engine.errors import NotSupported, Unauthorized, UnknownModel
from engine.generation import Generation
from engine.params import Params
from engine.providers import provider
from engine.types import Message, Result
from tests.patience import SOON_S
from tests.standins.lmstudio_server import JIT_WINDOW, LMStudioStandIn, lmstudio_standin

ROW = provider("lmstudio")


@pytest.fixture
def studio() -> Iterator[LMStudioStandIn]:
    with lmstudio_standin() as server:
        yield server


def answer(server: LMStudioStandIn, model: str = "plain", **params: object) -> Result:
    opened = LMStudio(server.base_url, model, None, ROW)
    generation = Generation(opened, Request((Message("user", "Hi"),), Params(params)), model=model)
    list(generation)
    return generation.result


@pytest.mark.parametrize("limit", [1, 2])
def test_an_answer_that_its_limit_cut_is_counted_whole(studio: LMStudioStandIn, limit: int) -> None:
    """LM Studio says 1 for 2, and 0 for 1."""
    result = answer(studio, max_tokens=limit)
    assert (result.outcome, result.usage.completion_tokens) == ("max_tokens", limit)


def test_one_that_ended_by_itself_is_counted_as_told(studio: LMStudioStandIn) -> None:
    result = answer(studio)
    assert (result.outcome, result.usage.completion_tokens, result.text) == ("stop", 5, "Hello from the stand-in.")
    assert studio.last.path == "/api/v1/models"  # for the window: the question had loaded the model


def test_its_own_measurements_are_taken_where_they_come(studio: LMStudioStandIn) -> None:
    stats = answer(studio, "other").stats
    assert (stats.tokens_per_second, stats.total_time, stats.source) == (51.4, 0.954, "server")


@pytest.mark.parametrize("version", [3, 4])
def test_the_window_is_the_loaded_one_in_both_versions(version: int) -> None:
    with lmstudio_standin(version=version) as studio:
        windows = Windows(clock=iter(range(0, 10**6, 100)).__next__, ask_s=SOON_S)
        opened = LMStudio(studio.base_url, "plain", None, ROW, windows=windows)
        assert opened.window() is None
        studio.loaded["plain"] = 2048
        assert opened.window() == 2048
        models = LMStudioServer(studio.base_url).models()
    assert [(one.key, one.longest, [each.window for each in one.instances]) for one in models] == [
        ("plain", 32768, [2048]),
        ("other", 4096, []),
    ]


def test_load_and_unload(studio: LMStudioStandIn) -> None:
    server = LMStudioServer(studio.base_url)
    loaded = server.load("plain", 1024)
    assert (loaded.id, loaded.window) == ("plain", 1024) and studio.loaded == {"plain": 1024}
    server.unload(loaded.id)
    assert studio.loaded == {} and server.load("plain").window == JIT_WINDOW
    with pytest.raises(UnknownModel):
        server.load("nobody")


def test_an_older_one_says_that_it_cannot_load() -> None:
    """It answers 200 to a route that it does not know."""
    with lmstudio_standin(version=3) as studio, pytest.raises(NotSupported):
        LMStudioServer(studio.base_url).load("plain")


def test_one_with_a_key() -> None:
    with lmstudio_standin(token="secret-token") as studio:
        with pytest.raises(Unauthorized):
            LMStudioServer(studio.base_url).models()
        assert LMStudioServer(studio.base_url, "secret-token").models()
