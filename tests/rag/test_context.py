"""What of a chunk is embedded: headings or the file's words, then the text; what is kept stays the text alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.engine import Engine
from engine.errors import AccessDenied
from engine.rag.chatting import asking
from engine.rag.context import CHARACTERS_MAX, above, embedded
from engine.rag.retrieval import Asking, search
from engine.rag.sources import pasted
from engine.rag.values import Chunk, Splitting
from engine.settings import Settings
from engine.tables import collections as table
from tests.standins.rag import EMBEDDER, Hashed, fill, tools

TEXT = "Le train part à midi."


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with closing(Engine(Settings(home=tmp_path / "home"))) as opened:
        yield opened


def chunk(name: str = "a.md", heading: str | None = None, tokens: int = 5) -> Chunk:
    return Chunk("c", "f", name, 0, TEXT, 0, len(TEXT), tokens, heading=heading)


@pytest.mark.parametrize(
    ("name", "heading", "words"),
    [
        ("a.md", "Gares › Lyon", "Gares › Lyon"),
        ("docs/rapport_annuel-2025.pdf", None, "rapport annuel 2025"),
        ("0001", None, ""),
        ("scan_01.pdf", None, "scan 01"),
        (".env", None, "env"),
        ("a.md", "x" * 300, "x" * CHARACTERS_MAX),
    ],
)
def test_what_stands_above_a_chunk(name: str, heading: str | None, words: str) -> None:
    assert above(chunk(name, heading)) == words


def test_a_vector_is_of_the_headings_and_the_text_where_both_fit() -> None:
    model: Any = Hashed()
    assert embedded(Splitting(), model)(chunk(heading="Gares")) == f"Gares\n{TEXT}"
    assert embedded(Splitting(headings=False), model)(chunk(heading="Gares")) == TEXT
    assert embedded(Splitting(), model)(chunk(heading="Gares", tokens=512)) == TEXT
    assert embedded(Splitting(), model)(chunk("12.txt")) == TEXT


def test_a_collection_says_whether_its_vectors_know_headings_and_an_old_one_stays_without(engine: Engine) -> None:
    new = engine.collections.create("local", "Neuve", EMBEDDER)
    old = engine.collections.create("local", "Ancienne", EMBEDDER)
    with engine.store.write() as connection:
        before = {"kind": "tokens", "size": 256, "overlap": 26}
        connection.execute(table.update().where(table.c.id == old.id).values(splitting=before))
    found = {}
    for one in (new, old):
        model = Hashed()
        fill(engine.collections, engine.collections.get("local", one.id), pasted("Gares", TEXT), make=tools(model))
        found[one.name] = model.asked
        (kept,) = engine.collections.table(one).chunks()
        assert kept.text == TEXT
    assert found == {"Neuve": [f"Gares\n{TEXT}"], "Ancienne": [TEXT]}
    assert engine.collections.get("local", new.id).splitting.headings
    assert not engine.collections.get("local", old.id).splitting.headings


def test_a_student_who_searches_has_a_students_powers(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "the teacher's")
    teacher, student = (engine.people.join(name, name).id for name in ("teacher", "student"))  # type: ignore[arg-type]
    shared = engine.collections.create(teacher, "Cours", "openai:mistral:mistral-embed")
    engine.collections.share(teacher, shared.id)
    for powers in (None, Asking("student"), Asking("student", "sk-other", "openai")):  # another provider's key
        with pytest.raises(AccessDenied):
            search(engine, student, shared.id, "Quand part le train ?", asking=powers)


def test_the_key_of_the_chats_model_is_for_its_own_provider_alone(engine: Engine) -> None:
    remote, here = engine.catalog.card("mistral/mistral-small-latest"), engine.catalog.card("echo")
    assert asking("student", "sk", remote) == Asking("student", "sk", "mistral")
    assert asking("teacher", None, here) == Asking("teacher", None, "")
    assert "secret" not in repr(asking("student", "sk-secret", remote))
