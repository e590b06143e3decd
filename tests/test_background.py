"""The weights are prepared once llama-cpp-python is there, and loaded when nobody is being answered."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from apps import background
from engine.catalog import BUNDLED
from engine.errors import StoreFailed
from tests.patience import SOON_S


class Stage:
    """An engine with one runtime; every call on it is noted in `done`. The build is ready at the second look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, ready: bool = True, note: str = "prepared") -> None:
        self.done: list[str] = []
        self.end = threading.Event()
        self.running = [1, 0]  # answers under way, look by look
        self.settings = SimpleNamespace()
        states = iter([SimpleNamespace(state="building", ready=False)])
        built = SimpleNamespace(state="ready" if ready else "failed", ready=ready)
        monkeypatch.setattr(background.host, "engine", lambda: self)
        monkeypatch.setattr(background, "native_state", lambda: next(states, built))
        monkeypatch.setattr(background, "prepared_file", lambda _: self._note(note))
        monkeypatch.setattr(background, "NATIVE_EVERY_S", 0.01)
        monkeypatch.setattr(background, "IDLE_EVERY_S", 0.01)

    def _note(self, note: str) -> Any:
        self.done.append("prepare")
        return SimpleNamespace(note=note)

    def loaded(self, model: str) -> Any:
        self.done.append(f"look {self.running[0]}")
        state = SimpleNamespace(running=self.running.pop(0), waiting=0)
        return SimpleNamespace(gate=SimpleNamespace(snapshot=lambda: state))

    def unload(self, model: str) -> None:
        assert model == BUNDLED
        self.done.append("unload")

    def runtime(self) -> Any:
        return SimpleNamespace(ready=lambda: iter([self.done.append("load")]))

    def play(self) -> list[str]:
        """What was done."""
        player = threading.Thread(target=background._prepare_later, args=(self.end,), daemon=True)
        player.start()
        player.join(SOON_S)
        assert not player.is_alive()
        return self.done


def test_the_new_weights_are_loaded_when_nobody_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Stage(monkeypatch).play() == ["prepare", "look 1", "look 0", "unload", "load"]


@pytest.mark.parametrize(("ready", "note", "done"), [(False, "", []), (True, "no_space", ["prepare"])])
def test_without_better_weights_the_model_stays(
    monkeypatch: pytest.MonkeyPatch, ready: bool, note: str, done: list[str]
) -> None:
    assert Stage(monkeypatch, ready=ready, note=note).play() == done


def test_the_end_of_the_application_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.end.set()
    assert stage.play() == []


def test_interrupted_indexing_goes_on_after_the_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    monkeypatch.setattr("engine.rag.indexing.resume", lambda engine: stage.done.append("resume"))
    background._first_work()
    assert stage.done == ["load", "resume"]


def test_a_store_that_fails_then_is_a_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(engine: object) -> None:
        raise StoreFailed("no", reason="busy")

    Stage(monkeypatch)
    monkeypatch.setattr("engine.rag.indexing.resume", fails)
    background._resume_indexing()
    assert "indexing could not be resumed" in caplog.text
