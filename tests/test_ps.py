"""Instances of the real model: loaded beside each other, reported, asleep after a time of their own, unloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine import Engine, Message, Params, Settings
from engine.errors import AccessDenied, UnknownModel
from engine.instances import configure, load, remove, unload
from engine.models.configuration import Configuration
from engine.ps import Loaded, loaded
from tests.patience import SOON_S
from tests.standins.app_server import wait_for

HI = [Message("user", "hi")]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine(Settings(home=tmp_path, prepare=False, slots=1, threads=1, batch=32), serve=True)
    yield opened
    opened.close()


def config(**parts: Any) -> Configuration:
    return Configuration.from_dict(parts)


def by_id(engine: Engine) -> dict[str, Loaded]:
    return {one.id: one for one in loaded(engine)}


def held() -> int:
    """Bytes that the children of this process hold."""
    found = 0
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            found += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return found


def test_nothing_is_loaded_and_nothing_is_opened_to_say_so(engine: Engine) -> None:
    assert loaded(engine) == ()
    assert "runtimes" not in engine.__dict__
    assert load(engine, "echo") is None
    assert unload(engine, "echo") is False
    with pytest.raises(UnknownModel):
        unload(engine, "nobody")


def test_students_load_and_unload_nothing(engine: Engine) -> None:
    for act in load, unload:
        with pytest.raises(AccessDenied):
            act(engine, "echo", role="student")


@pytest.mark.model
def test_two_instances_report_their_own_windows_and_give_their_memory_back(engine: Engine) -> None:
    model = engine.settings.model
    small = configure(engine, f"{model}@small", config(load={"context": 1024}, params={"max_tokens": 2}))
    large = configure(engine, f"{model}@large", config(load={"context": 2048, "slots": 2, "ttl_s": 900}))
    before = held()
    for name in small, large:
        one = load(engine, name)
        assert one is not None and one.state == "ready"
    found = by_id(engine)
    assert {name: (one.window, one.slots, one.model) for name, one in found.items()} == {
        small: (1024, 1, model), large: (2048, 2, model)
    }  # fmt: skip
    assert found[small].window == engine.model(small).backend.window()
    assert (found[small].ttl, found[large].ttl) == (None, 900)
    assert all(one.busy == one.waiting == 0 and one.since and one.threads == 1 for one in found.values())
    size = engine.catalog.card(model).size_bytes or 0
    told = sum(one.memory_bytes or 0 for one in found.values())
    assert told > 2 * size and held() - before >= 0.9 * told

    answer = engine.model(small).answer(HI, Params(temperature=0))
    assert answer.outcome == "max_tokens" and answer.usage.completion_tokens == 2 and answer.model == small
    assert unload(engine, small) and small not in by_id(engine)
    remove(engine, large)
    assert loaded(engine) == ()
    assert held() - before < 0.1 * told
    with pytest.raises(UnknownModel):
        engine.model(large)


@pytest.mark.model
def test_an_instance_sleeps_after_its_own_time_and_wakes_as_it_is_configured_then(engine: Engine) -> None:
    own = configure(engine, f"{engine.settings.model}@nap", config(load={"context": 256, "ttl_s": 1}))
    load(engine, own)
    assert wait_for(lambda: not loaded(engine), SOON_S)
    assert engine.state(engine.catalog.card(own)).name == "asleep"
    template = "{{ messages[-1].content }}!"
    configure(engine, own, config(load={"context": 512}, prompt={"template": template, "system": "Kept."}))
    again = load(engine, own)
    assert again is not None and again.window == 512
    model = engine.model(own)
    assert model.render(model.request(HI)).prompt == "hi!"
