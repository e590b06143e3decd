"""How many people a model carries: all slots asked at once, kept, and forgotten when it is loaded otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import capacity
from engine.backends.base import Backend
from engine.backends.echo import Echo
from engine.capacity import Capacity, known, measure
from engine.engine import Engine
from engine.errors import NotSupported
from engine.person import LOCAL_OWNER
from engine.settings import Settings

MODEL = "smollm2-135m-instruct"


class EchoEngine(Engine):
    """An engine whose local model is an echo."""

    def _backend(self, *_: Any) -> Backend:
        return Echo()


@pytest.fixture
def engine(isolation: Path) -> Iterator[EchoEngine]:
    with closing(EchoEngine(Settings(home=isolation, model="echo"))) as made:
        yield made


def loaded(monkeypatch: pytest.MonkeyPatch, engine: Engine, slots: int, window: int = 2048) -> None:
    """As if the model had a worker with so many slots."""
    monkeypatch.setattr(engine, "loaded", lambda _: SimpleNamespace(slots=slots, window=window))


def test_what_is_not_loaded_is_not_measured(engine: EchoEngine) -> None:
    assert known(engine, MODEL) is None
    with pytest.raises(NotSupported):
        measure(engine, MODEL)


def test_every_slot_is_asked_at_once_and_the_result_is_kept(
    engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(monkeypatch, engine, slots=3)
    found = measure(engine, MODEL)
    assert found.slots == 3 and found.rate > 0 and known(engine, MODEL) == found
    assert engine.traces.list(LOCAL_OWNER) == () and 1 <= found.people <= 6
    loaded(monkeypatch, engine, slots=3, window=512)
    assert known(engine, MODEL) is None, "the same model with other windows was not measured"


def test_speed_and_slots_bound_the_number_of_people() -> None:
    fast, slow, hopeless = (Capacity(4, 2048, rate, 1.0, 0.0).people for rate in (1000.0, 10.0, 0.1))
    assert (fast, slow, hopeless) == (4 * capacity.PEOPLE_PER_SLOT, 3, 1)


def test_what_another_version_kept_counts_as_nothing(engine: EchoEngine) -> None:
    engine.values.set(LOCAL_OWNER, capacity.NAME + MODEL, {"people": 12})
    assert known(engine, MODEL) is None
