"""Named things keep their versions and their owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import BadInput, NotFound
from engine.library import NAMES_MAX, VALUE_MAX, VERSIONS_MAX, Library
from engine.people import People
from engine.store import Store
from tests.databases import KINDS, fresh_store


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with fresh_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def shelf(store: Store) -> Library:
    return Library(store, clock=lambda: 7.0)


def test_versions_are_kept_newest_first(shelf: Library) -> None:
    assert [shelf.put("local", "prompt", "été", text, note) for text, note in [("a", None), ("b\ud800", "why")]] == [
        1,
        2,
    ]
    assert shelf.get("local", "prompt", "été") == "b\ud800"
    newest, oldest = shelf.versions("local", "prompt", "été")
    assert (newest.number, newest.value, newest.note, newest.created) == (2, "b\ud800", "why", 7.0)
    assert (oldest.number, oldest.value, oldest.note) == (1, "a", None)


def test_the_same_value_is_no_new_version(shelf: Library) -> None:
    assert [shelf.put("local", "preset", "x", {"a": 1}) for _ in range(2)] == [1, 1]


def test_kinds_and_owners_are_apart(store: Store, shelf: Library) -> None:
    anne = People(store).join("Anne", "student").id
    shelf.put("local", "preset", "x", 1)
    shelf.put("local", "prompt", "x", 2)
    shelf.put(anne, "preset", "y", 3)
    assert shelf.names("local", "preset") == ("x",) and shelf.names(anne, "preset") == ("y",)
    assert shelf.get("local", "prompt", "x") == 2 and shelf.get(anne, "prompt", "x") is None


def test_all_gives_the_present_values(shelf: Library) -> None:
    for name, value in [("b", 1), ("a", 1), ("b", 2)]:
        shelf.put("local", "preset", name, value)
    assert shelf.all("local", "preset") == {"a": 1, "b": 2}
    assert shelf.names("local", "preset") == ("a", "b")


def test_a_new_name_takes_all_versions_along(shelf: Library) -> None:
    shelf.put("local", "prompt", "old", 1)
    shelf.put("local", "prompt", "old", 2)
    shelf.rename("local", "prompt", "old", "new")
    assert [version.value for version in shelf.versions("local", "prompt", "new")] == [2, 1]
    assert shelf.names("local", "prompt") == ("new",)
    shelf.put("local", "prompt", "taken", 1)
    with pytest.raises(BadInput):
        shelf.rename("local", "prompt", "new", "taken")
    with pytest.raises(NotFound):
        shelf.rename("local", "prompt", "old", "x")


def test_what_is_dropped_is_gone(shelf: Library) -> None:
    shelf.put("local", "prompt", "x", 1)
    shelf.drop("local", "prompt", "x")
    shelf.drop("local", "prompt", "x")
    assert shelf.get("local", "prompt", "x", "none") == "none" and shelf.versions("local", "prompt", "x") == ()


def test_limits(shelf: Library) -> None:
    for name, value in [("", 1), ("x" * 201, 1), ("x", "y" * VALUE_MAX)]:
        with pytest.raises(BadInput):
            shelf.put("local", "prompt", name, value)


def test_only_the_last_versions_stay(shelf: Library) -> None:
    for value in range(VERSIONS_MAX + 3):
        shelf.put("local", "prompt", "x", value)
    numbers = [version.number for version in shelf.versions("local", "prompt", "x")]
    assert numbers == list(range(VERSIONS_MAX + 3, 3, -1))


def test_a_kind_has_so_many_names(shelf: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert NAMES_MAX == 500
    monkeypatch.setattr("engine.library.NAMES_MAX", 2)
    for name in "ab":
        shelf.put("local", "prompt", name, 1)
    with pytest.raises(BadInput):
        shelf.put("local", "prompt", "c", 1)
    shelf.put("local", "prompt", "a", 2)
