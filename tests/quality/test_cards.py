"""Cards, which file is measured, and what is kept: without a model being loaded."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import BadFile, BadInput, BadParameter, ModelFileCorrupt, NotFound, NotSupported, UnknownModel
from engine.library import Library
from engine.models.bundled import bundled_file
from engine.quality.cards import card, differences
from engine.quality.results import Results
from engine.quality.weights import served_file, shipped_file
from engine.settings import Settings
from engine.store import Store


@pytest.fixture
def opened(tmp_path: Path) -> Engine:
    return Engine(Settings(home=tmp_path, prepare=False))


def test_a_card_names_weights_build_threads_machine_and_time() -> None:
    found = card(bundled_file(), 2, window=512)
    assert found["sha256"] == hashlib.sha256(bundled_file().read_bytes()).hexdigest()
    assert (found["quantization"], found["parameters"]) == ("Q4_1", 134_515_008)
    assert found["runtime"]["name"] == "llama-cpp-python" and found["runtime"]["features"].startswith("CPU")
    assert (found["threads"], found["settings"]) == (2, {"window": 512})
    assert found["cores"] >= 1 and found["memory_gib"] > 0 and found["cpu"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["date"])


def test_only_what_decides_the_numbers_is_a_difference() -> None:
    one = card(bundled_file(), 2)
    assert differences(one, {**one, "date": "later", "load": 7.0, "file": "renamed.gguf"}) == ()
    assert differences(one, {**one, "threads": 3, "sha256": "0"}) == ("sha256", "threads")


def test_a_model_is_a_path_an_id_or_the_default_one(opened: Engine, tmp_path: Path) -> None:
    assert served_file(opened) == served_file(opened, "SmolLM2-135M-instruct") == bundled_file()
    assert shipped_file(opened) == bundled_file()
    assert served_file(opened, str(bundled_file())) == bundled_file()
    with pytest.raises(BadFile):
        served_file(opened, str(tmp_path / "no.gguf"))
    with pytest.raises(UnknownModel):
        served_file(opened, "nobody")
    with pytest.raises(NotSupported):
        served_file(opened, "echo")
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / "broken.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelFileCorrupt):
        shipped_file(opened, "broken")


def test_results_are_kept_newest_first_and_by_person(tmp_path: Path) -> None:
    times = iter(range(1, 10**6))
    store = Store(f"sqlite:///{tmp_path / 's.sqlite3'}")
    mine = Results(Library(store), "local", clock=lambda: next(times))
    first = mine.keep("speed", "a model\n of mine", {"rows": [1]})
    mine.keep("evaluation", "b", {"rows": [2]})
    last = mine.keep("speed", "", {"rows": [3]})
    assert [one.created[:19] for one in mine.list()] == [f"1970-01-01T00:00:0{n}" for n in (3, 2, 1)]
    assert [one.name for one in mine.list("speed")] == [last.name, first.name] and first.title == "a model of mine"
    assert mine.get("speed", first.name) == {"rows": [1]}
    mine.drop("speed", first.name)
    with pytest.raises(NotFound):
        mine.get("speed", first.name)
    with pytest.raises(BadParameter):
        mine.list("weather")  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        mine.keep("speed", "large", {"x": "x" * 300_000})
    assert Results(Library(store), "somebody").list() == ()
    store.close()


def test_the_oldest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.quality.results.NAMES_MAX", 3)
    times = iter(range(1, 100))
    store = Store(f"sqlite:///{tmp_path / 's.sqlite3'}")
    kept = Results(Library(store), "local", clock=lambda: next(times))
    for number in range(5):
        kept.keep("speed", str(number), {})
    assert [one.title for one in kept.list()] == ["4", "3", "2"]
    store.close()
