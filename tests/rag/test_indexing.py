"""Indexing: what changed only, every file told, nothing lost or doubled by an interruption, readers undisturbed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import child
from engine.engine import Engine
from engine.errors import AccessDenied, BadFile, BadInput, NotFound, Unreachable
from engine.rag import retrieval
from engine.rag.collections import Collection, Collections
from engine.rag.filling import Filling
from engine.rag.indexing import TASK, index, keep, resume, start, temporary
from engine.rag.looking import look
from engine.rag.sources import fetched, pasted, path, upload, url
from engine.rag.values import Vectors
from engine.rag.vectorstore import ChunkTable
from engine.settings import Settings
from tests.patience import SOON_S
from tests.rag.test_sources import zipped
from tests.standins.rag import EMBEDDER, SMALL, Hashed, fill, tools

WORDS = ("gare", "train", "billet", "quai", "horaire", "ligne", "retard", "voyage", "ville", "mer", "soleil", "pluie")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with closing(Engine(Settings(home=tmp_path / "home", collection_mb=1))) as opened:
        yield opened


@pytest.fixture
def collections(engine: Engine) -> Collections:
    return engine.collections


@pytest.fixture
def cours(collections: Collections) -> Collection:
    return collections.create("local", "Cours", EMBEDDER, SMALL)


def states(collections: Collections, collection: Collection) -> dict[str, tuple[str, int | None, object]]:
    return {
        file.name: (file.state, file.chunks, (file.error or {}).get("details", {}).get("reason"))
        for file in collections.rows.list(collection.id)
    }


def contents(collections: Collections, collection: Collection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for chunk in collections.table(collection).chunks():
        found.setdefault(chunk.name, []).append(chunk.id)
    return {name: sorted(ids) for name, ids in found.items()}


def folder_of(place: Path, count: int, words: int = 40) -> Path:
    """So many small text files, all different."""
    place.mkdir(exist_ok=True)
    for number in range(count):
        text = " ".join(WORDS[(number * at + at) % len(WORDS)] + str(number) for at in range(words))
        (place / f"{number:03}.txt").write_text(text)
    return place


def test_only_what_changed_is_read_again(collections: Collections, cours: Collection, tmp_path: Path) -> None:
    place = folder_of(tmp_path / "docs", 4)
    embedder = Hashed()
    first = fill(collections, cours, path(str(place)), make=tools(embedder))
    assert (first.read, first.failed, first.removed, first.chunks) == (4, 0, 0, 12) and len(embedder.asked) == 12
    assert set(first.seconds) == {"gather", "read", "split", "embed", "write", "maintain"}
    before = contents(collections, cours)
    nothing = fill(collections, cours, path(str(place)), make=tools(embedder))
    assert (nothing.read, nothing.chunks, nothing.version) == (0, 0, None) and len(embedder.asked) == 12
    (place / "001.txt").write_text("tout autre chose")
    (place / "002.txt").unlink()
    (place / "new.txt").write_text("et ceci")
    (place / "000.txt").touch()  # another time, the same contents
    again = fill(collections, cours, make=tools(embedder))  # no source: all that it came from
    assert (again.read, again.removed) == (2, 1) and embedder.asked[12:] == ["tout autre chose", "new\net ceci"]
    after = contents(collections, cours)
    assert set(after) == {"000.txt", "001.txt", "003.txt", "new.txt"} and after["000.txt"] == before["000.txt"]
    assert len(after["001.txt"]) == 1
    kept = (place / "003.txt").stat()
    (place / "003.txt").write_text("x" * kept.st_size)
    os.utime(place / "003.txt", ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as `cp -p` and `rsync -t` do
    assert fill(collections, cours, make=tools(embedder)).read == 1


def test_what_was_deleted_goes_and_a_disk_that_is_out_takes_nothing_along(
    collections: Collections, cours: Collection, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    (disk / "folder").mkdir(parents=True)
    for name in ("alone.txt", "folder/in.txt", "stays.txt"):
        (disk / name).write_text(f"Le texte de {name}.")
    roots = [path(str(disk / name)) for name in ("alone.txt", "folder", "stays.txt")]
    fill(collections, cours, *roots)
    disk.rename(tmp_path / "out")
    fill(collections, cours)
    every = ("alone.txt", "in.txt", "stays.txt")
    assert states(collections, cours) == {name: ("done", 1, "missing") for name in every}
    assert sorted(contents(collections, cours)) == [*every]
    (tmp_path / "out").rename(disk)
    (disk / "alone.txt").unlink()
    (disk / "folder" / "in.txt").unlink()
    (disk / "folder").rmdir()
    report = fill(collections, cours)
    assert (report.removed, report.read) == (2, 0)
    assert states(collections, cours) == {"stays.txt": ("done", 1, None)}
    assert [*contents(collections, cours)] == ["stays.txt"]
    with pytest.raises(BadFile):
        fill(collections, cours, path(str(disk / "never.txt")))


def test_every_file_says_what_became_of_it(collections: Collections, cours: Collection) -> None:
    inner = {"bon.txt": b"dedans", "../haut.txt": b"x", "image.png": b"\x89PNG\r\n\x1a\n123"}
    sources = [
        upload("latin.txt", "été à Nîmes".encode("cp1252")),
        upload("vide.txt", b" \n"),
        upload("casse.pdf", b"%PDF-1.4 nothing"),
        upload("lot.zip", zipped(inner)),
        upload("casse.zip", b"PK\x03\x04"),
        pasted("Collé", "un texte collé"),
    ]
    report = fill(collections, cours, *sources)
    assert states(collections, cours) == {
        "latin.txt": ("done", 1, None),
        "vide.txt": ("failed", None, "empty"),
        "casse.pdf": ("failed", None, "broken"),
        "bon.txt": ("done", 1, None),
        "haut.txt".replace("haut", "../haut"): ("failed", None, "unsafe_name"),
        "image.png": ("failed", None, "image"),
        "casse.zip": ("failed", None, "broken"),
        "Collé": ("done", 1, None),
    }
    assert (report.read, report.failed, report.chunks) == (3, 5, 3)
    latin = next(file for file in collections.rows.list(cours.id) if file.name == "latin.txt")
    assert latin.warnings == ("guessed_encoding",) and latin.characters == 11
    less = fill(collections, cours, upload("lot.zip", zipped({"bon.txt": b"dedans"})))
    assert less.read == 0 and {"../haut.txt", "image.png"}.isdisjoint(states(collections, cours))
    worse = fill(collections, cours, upload("latin.txt", b"\x00\x01\x02" * 99))
    assert worse.failed == 1 and "latin.txt" not in contents(collections, cours)


def test_a_page_of_the_web_is_fetched_again_and_kept_when_it_does_not_come(
    collections: Collections, cours: Collection
) -> None:
    answers: list[Any] = [b"<html><p>Bonjour la page", b"<html><p>Autre page", Unreachable("no", address="x")]

    def fetch(address: str) -> tuple[str, bytes]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return "index.html", answer

    made = tools(fetch=fetch)
    address = "https://nice.example/a?b=c"
    fill(collections, cours, url(address), make=made)
    assert states(collections, cours) == {"nice.example/index.html": ("done", 1, None)}
    assert fill(collections, cours, make=made).read == 1
    fill(collections, cours, make=made)
    (file,) = collections.files("local", cours.id)
    assert (file.state, (file.error or {})["code"], file.source) == ("done", "unreachable", f"url:{address}")
    assert [chunk.text for chunk in collections.table(cours).chunks()] == ["Autre page"]
    answers.append(Unreachable("no", address="x"))
    fill(collections, cours, url("https://other.example/"), make=made)
    assert states(collections, cours)["https://other.example/"][0] == "failed"
    fill(collections, cours, fetched("https://third.example/", "third.txt", b"trois"), make=made)
    assert contents(collections, cours).keys() == {"nice.example/index.html", "third.txt"}


def test_a_student_has_limits(engine: Engine, tmp_path: Path) -> None:
    anne = engine.people.join("Anne", "student").id
    collections = engine.collections
    mine = collections.create(anne, "Mienne", EMBEDDER, SMALL)
    with pytest.raises(AccessDenied):
        keep(collections, mine, [path(str(tmp_path))])
    with pytest.raises(BadInput) as full:
        keep(collections, mine, [upload("a.txt", b"x" * 600_000), upload("b.txt", b"y" * 600_000)])
    assert full.value.details["reason"] == "collection_full" and collections.rows.list(mine.id) == ()
    bomb = zipped({"a.txt": b"x" * 600_000, "b.txt": b"y" * 600_000})
    fill(collections, mine, upload("z.zip", bomb))
    assert {name: one[2] for name, one in states(collections, mine).items()} == {
        "a.txt": None, "b.txt": "collection_full"
    }  # fmt: skip
    for who in ("local", engine.people.join("Bob", "student").id):
        with pytest.raises(NotFound):
            start(engine, who, mine.id, [pasted("a", "b")])


def test_a_file_that_is_too_large_is_told_without_being_kept(
    collections: Collections, cours: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.rag.indexing.BYTES_MAX", 10)
    fill(collections, cours, upload("gros.txt", b"x" * 11), upload("petit.txt", b"x"))
    assert states(collections, cours) == {"gros.txt": ("failed", None, "too_large"), "petit.txt": ("done", 1, None)}


class Stopping(Hashed):
    """Fails after so many passages, as an endpoint may."""

    def passages(self, texts: list[str]) -> Vectors:
        if len(self.asked) >= self.after:
            raise Unreachable("gone", address="x")
        return super().passages(texts)


def test_an_embedder_that_fails_ends_the_job_and_the_next_one_goes_on(
    collections: Collections, cours: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.rag.filling.TOGETHER", 6)
    place = folder_of(tmp_path / "docs", 6)
    with pytest.raises(Unreachable):
        fill(collections, cours, path(str(place)), make=tools(Stopping(after=12)))
    assert sorted(one[0] for one in states(collections, cours).values()) == ["done"] * 4 + ["waiting"] * 2
    assert [one.id for one in collections.waiting()] == [cours.id]
    report = fill(collections, cours)
    assert (report.read, report.chunks) == (2, 6) and collections.waiting() == ()


def test_chunks_and_rows_that_do_not_agree_are_mended(collections: Collections, cours: Collection) -> None:
    fill(collections, cours, pasted("a", "un"), pasted("b", "deux"), pasted("c", "trois"))
    a, b, _ = collections.files("local", cours.id)
    collections.table(cours).delete([a.id])  # as if killed between a rollback's two steps
    collections.rows.remove(cours.id, [b.id])
    report = fill(collections, cours)
    assert report.read == 1 and contents(collections, cours).keys() == {"a", "c"}
    assert collections.get("local", cours.id).chunks == 2


def test_what_is_deleted_meanwhile_stays_deleted(collections: Collections, cours: Collection) -> None:
    filling = Filling(collections, cours, tools())
    for progress in filling.run(**keep(collections, cours, [pasted("a", "un"), pasted("b", "deux")])):
        if progress.done and "a" in states(collections, cours):
            key = next(one.id for one in collections.rows.list(cours.id) if one.name == "a")
            collections.delete_file("local", cours.id, key)
    assert filling.report.read == 1 and contents(collections, cours).keys() == {"b"}

    filling = Filling(collections, cours, tools())
    with pytest.raises(NotFound):
        for progress in filling.run(**keep(collections, cours, [pasted("c", "trois")])):
            if progress.done:
                collections.delete("local", cours.id)
    assert not collections.folder(cours.id).path.exists()


def test_a_collection_that_is_deleted_during_a_search_is_not_there(
    engine: Engine, collections: Collections, cours: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(collections, cours, pasted("a", "Le train part."))

    def look_late(*arguments: Any, **more: Any) -> Any:
        collections.delete("local", cours.id)
        return look(*arguments, **more)

    monkeypatch.setattr(retrieval, "look", look_late)
    monkeypatch.setattr(engine.embedders, "get", lambda name, asking: Hashed())
    with pytest.raises(NotFound):
        retrieval.search(engine, "local", cours.id, "train")


def test_progress_is_told_in_chunks(
    collections: Collections, cours: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.rag.filling.TOGETHER", 12)
    place = folder_of(tmp_path / "docs", 12)
    told = list(Filling(collections, cours, tools()).run([str(place)]))
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert told[0].total is None and (told[-1].done, told[-1].total) == (36, 36)
    assert all(30 <= one.total <= 42 for one in told if one.total is not None)


@contextmanager
def indexing(
    engine: Engine, collection: Collection, place: Path, *, delay: float = 0.0, after: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """Another process that indexes the folder."""
    order = {"home": str(engine.settings.home), "collection": collection.id, "paths": [str(place)]}
    process = child.start("tests.standins.rag")
    try:
        assert process.stdin
        process.stdin.write(json.dumps(order | {"delay": delay, "after": after}) + "\n")
        process.stdin.flush()
        yield process
    finally:
        child.kill(process)
        process.communicate()


def test_one_process_indexes_while_another_searches(engine: Engine, cours: Collection, tmp_path: Path) -> None:
    place = folder_of(tmp_path / "docs", 60)
    table, seen, asked = ChunkTable(str(engine.collections.folder(cours.id).path)), [0], Hashed().query("gare0 train0")
    with indexing(engine, cours, place, delay=0.05) as process:
        while process.poll() is None:
            found = table.vector(asked, 5) + table.text("gare0", 5)
            assert all(chunk.text for chunk, _ in found)
            seen.append(table.count())
            time.sleep(0.02)
        assert process.returncode == 0 and process.stdout
        report = json.loads(process.stdout.read().splitlines()[-1])
    assert report["chunks"] == table.count() == 180 and seen == sorted(seen)
    assert table.text("gare0", 5)[0][0].name == "000.txt"


def test_killed_in_the_middle_of_200_files_it_goes_on_as_if_it_had_not_been(engine: Engine, tmp_path: Path) -> None:
    place, collections = folder_of(tmp_path / "docs", 200, 80), engine.collections
    whole, killed = (collections.create("local", name, EMBEDDER, SMALL) for name in ("whole", "killed"))
    fill(collections, whole, path(str(place)))
    with indexing(engine, killed, place, delay=600, after=300) as process:
        while "done" not in [one[0] for one in states(collections, killed).values()]:
            assert process.poll() is None
            time.sleep(0.05)
        child.kill(process)  # SIGKILL, to all of it
        process.wait()
    open_ = [name for name, one in states(collections, killed).items() if one[0] == "waiting"]
    assert 0 < len(open_) < 200
    fill(collections, killed)
    same = contents(collections, whole)
    texts = {collection.id: sorted((c.name, c.start, c.text) for c in collections.table(collection).chunks())
             for collection in (whole, killed)}  # fmt: skip
    assert texts[killed.id] == texts[whole.id] and contents(collections, killed) == same
    assert sum(map(len, same.values())) == len({key for ids in same.values() for key in ids}) == 1000
    assert collections.get("local", killed.id).chunks == 1000


def test_the_job_of_the_queue_has_all_it_needs_and_no_secret(engine: Engine, collections: Collections) -> None:
    cours = collections.create("local", "Cours", "use")
    job = start(engine, "local", cours.id, [pasted("a", "Le train part à midi.")])
    assert (job.owner, job.task, job.title) == ("local", TASK, "Cours") and "key" not in job.args
    engine.jobs.cancel(job.id)  # niced as it is, it could take minutes beside other tests
    engine.jobs.wait(job.id, 4 * SOON_S)
    assert [one[0] for one in states(collections, cours).values()] in (["waiting"], ["done"])
    keep(collections, cours, [pasted("b", "Le bus part à une heure.")])
    (again,) = resume(engine)
    assert resume(engine) == ()
    engine.jobs.cancel(again.id)
    engine.jobs.wait(again.id, 4 * SOON_S)
    *_, last = index(**again.args)
    assert (last.done, last.total) == (2, 2) or collections.get("local", cours.id).chunks == 2
    assert collections.get("local", cours.id).chunks == 2
    with temporary(engine, "local", [pasted("c", "Un texte de passage.")], "use") as made:
        assert made.chunks == 1 and made not in collections.list("local")
    with pytest.raises(NotFound):
        collections.any(made.id)
