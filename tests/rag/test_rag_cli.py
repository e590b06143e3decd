"""`rag` from the first file to the last, in the terminal's words and as JSON."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main, rag_collections
from engine.engine import Engine
from engine.errors import JobFailed
from engine.jobs import Job, JobQueue
from engine.rag import indexing
from engine.rag.values import SPLITTING_KINDS, Splitting
from tests.standins.rag import EMBEDDER, fill

Out = tuple[int, str, str]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are done at once, in this process, with a cheap embedder: a niced child of a full machine takes minutes."""

    def start(engine: Engine, owner: str, collection_id: str, sources: Any) -> Job:
        report = fill(engine.collections, engine.collections.mine(owner, collection_id), *sources)
        values = {"title": "", "args": {}, "total": 1.0, "error": None, "created": 0.0, "finished": 1.0}
        result = report.to_dict()
        return Job(id="j", owner=owner, task="t", state="done", done=1.0, started=0.0, result=result, **values)  # type: ignore[arg-type]

    done: dict[str, Job] = {}

    def started(engine: Engine, owner: str, collection_id: str, sources: Any) -> Job:
        done["j"] = start(engine, owner, collection_id, sources)
        return done["j"]

    monkeypatch.setattr(indexing, "start", started)
    monkeypatch.setattr(JobQueue, "wait", lambda self, key, timeout=None: done[key])
    monkeypatch.setattr("engine.rag.embedders.default_embedder", lambda: EMBEDDER)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Out:
    """Exit code, stdout and stderr."""
    code = main(["rag", *arguments])
    return (code, *capsys.readouterr())


def test_from_the_first_file_to_the_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "docs"
    place.mkdir()
    (place / "a.txt").write_text("Le train part à midi.")
    (place / "b.pdf").write_bytes(b"%PDF-1.4 nothing")
    code, out, _ = run(capsys, "index", str(place), "--collection", "Cours", "--size", "64")
    assert code == 0 and out == "failed   b.pdf  broken\nCours: 2 files, 1 chunks (1 read, 1 failed, 0 removed)\n"
    (place / "b.pdf").unlink()
    code, out, _ = run(capsys, "index", "--collection", "Cours", "--json")
    told = json.loads(out)
    assert told["report"]["removed"] == 1 and [file["name"] for file in told["files"]] == ["a.txt"]
    assert told["collection"]["splitting"] == {"kind": "tokens", "size": 64, "overlap": 6, "headings": True}
    code, out, _ = run(capsys, "collections")
    assert code == 0 and "1 files       1 chunks" in out and out.endswith(f"{EMBEDDER}  Cours\n")
    assert json.loads(run(capsys, "collections", "--json")[1])[0]["name"] == "Cours"
    assert run(capsys, "files", "Cours")[1] == "done     a.txt  21 characters  1 chunks\n"
    assert json.loads(run(capsys, "files", "Cours", "--json")[1])[0]["state"] == "done"
    assert [line.split()[0] for line in run(capsys, "versions", "Cours")[1].splitlines()] == ["2", "1"]
    assert len(json.loads(run(capsys, "versions", "Cours", "--rollback", "1", "--json")[1])) == 2
    assert len(run(capsys, "files", "Cours")[1].splitlines()) == 2
    assert run(capsys, "delete", "Cours", "--file", "a.txt") == (0, "", "")
    assert run(capsys, "delete", "Cours") == (0, "", "")
    assert run(capsys, "collections") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["files", "none"], 2, "not_found"),
        (["index", "--collection", "none"], 2, "not_found"),
        (["delete", "none"], 2, "not_found"),
        (["delete", "Cours", "--file", "none"], 2, "not_found"),
        (["versions", "Cours", "--rollback", "7"], 2, "not_found"),
        (["index", "x.txt"], 2, "--collection"),
        (["index", "x.txt", "--collection", "Cours", "--embedder", "use"], 2, "embedder_mismatch"),
        (["index", "/no/such/place", "--collection", "Cours"], 2, "bad_file"),
        (["index", "x.txt", "--collection", "~x"], 2, "bad_input"),
        ([], 2, "bad_input"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Engine()) as engine:
        engine.collections.create("local", "Cours", EMBEDDER)
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "") and words in err


def test_a_collection_may_be_made_without_headings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("Le train part à midi.")
    assert run(capsys, "index", str(tmp_path / "a.txt"), "--collection", "Cours", "--no-headings")[0] == 0
    (made,) = json.loads(run(capsys, "collections", "--json")[1])
    assert made["splitting"]["headings"] is False


def test_a_job_that_failed_is_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    usual = JobQueue.wait
    error = JobFailed("died", job="j", reason="died").to_dict()
    monkeypatch.setattr(JobQueue, "wait", lambda self, key, timeout=None: replace(usual(self, key), error=error))
    code, out, err = run(capsys, "index", __file__, "--collection", "Cours")
    assert (code, out, err) == (3, "", "job_failed: died\n")


def test_the_flags_know_what_the_values_know() -> None:
    assert set(rag_collections.SPLITTINGS) <= set(SPLITTING_KINDS) and Splitting.size == rag_collections.SIZE
