"""A file comes in whole or not at all, under a name that is safe, over none that is there."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ui.i18n import words
from apps.ui.present import error_text
from engine.engine import Engine
from engine.errors import AccessDenied, BadFile, DiskFull, ModelFileCorrupt
from engine.models import importing as module
from engine.models.hashes import Hashes
from engine.models.importing import Incoming, import_file, importing, safe_name
from engine.settings import Settings
from engine.tasks import TaskRun
from tests.models import gguf_files as make

TINY = make.gguf()
OTHER = make.gguf(fields=[make.string("general.name", "Other")])


def source(tmp_path: Path, data: bytes = TINY, name: str = "Tiny.gguf") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def kept() -> list[str]:
    folder = Settings().models_dir
    return sorted(path.name for path in folder.iterdir() if path.name != "hashes.json") if folder.exists() else []


def written(chunks: Iterable[bytes], name: str, size: int | None = None) -> Path:
    with Incoming(Settings(), name, size) as incoming:
        for chunk in chunks:
            incoming.write(chunk)
        return incoming.finish()


def test_a_file_is_copied_with_progress_and_its_digest_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 100)
    told = [(step.done, step.total) for step in importing(Settings(), source(tmp_path))]
    assert told[0] == (100, len(TINY)) and told[-1] == (len(TINY), len(TINY))
    path = Settings().models_dir / "Tiny.gguf"
    assert path.read_bytes() == TINY and kept() == ["Tiny.gguf"]
    assert Hashes(Settings()).known(path) == hashlib.sha256(TINY).hexdigest()


def test_nothing_is_written_over_and_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    first = import_file(Settings(), source(tmp_path))
    assert import_file(Settings(), source(tmp_path)) == first
    second = import_file(Settings(), source(tmp_path, OTHER))
    assert second.name == "Tiny-2.gguf" and import_file(Settings(), source(tmp_path, OTHER)) == second
    assert kept() == ["Tiny-2.gguf", "Tiny.gguf"] and first.read_bytes() == TINY


def test_parts_keep_their_names(tmp_path: Path) -> None:
    name = "Big-00001-of-00002.gguf"
    assert import_file(Settings(), source(tmp_path, TINY, name)).name == name
    with pytest.raises(BadFile, match="is there"):
        import_file(Settings(), source(tmp_path, OTHER, name))


@pytest.mark.parametrize(
    ("data", "reason"), [(b"PK\x03\x04zip", "begin"), (b"GG", "2 bytes"), (b"", "0 bytes"), (TINY[:-8], "unfinished")]
)
def test_what_is_no_gguf_is_refused_and_nothing_stays(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(ModelFileCorrupt, match=reason) as caught:
        import_file(Settings(), source(tmp_path, data))
    assert caught.value.message.startswith("Tiny.gguf is not a sound GGUF file") and kept() == []
    assert caught.value.details["path"] == "Tiny.gguf" and caught.value.details["reason"] == "not_kept"
    assert reason in str(caught.value.details["why"])
    shown = error_text(caught.value, words("en"))  # there is nothing here that one could delete
    assert "Tiny.gguf" in shown.what and "Nothing of it was kept" in shown.todo and "elete" not in shown.sentence


def test_a_wrong_magic_is_refused_at_the_first_bytes() -> None:
    with Incoming(Settings(), "x") as incoming:
        incoming.write(b"G")
        with pytest.raises(ModelFileCorrupt):
            incoming.write(b"OTTCHA" * 100)


def test_a_stream_that_breaks_off_leaves_nothing() -> None:
    with pytest.raises(ModelFileCorrupt, match=f"{len(TINY) - 1} of {len(TINY)} bytes"):
        written([TINY[:100], TINY[100:-1]], "x.gguf", len(TINY))

    def broken() -> Any:
        yield TINY[:100]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        written(broken(), "x.gguf")
    assert kept() == []


def test_limits_are_held_by_announcement_and_by_count() -> None:
    with pytest.raises(BadFile, match="more than"):
        Incoming(Settings(), "x", 11, limit=10)
    with Incoming(Settings(), "x", limit=10) as incoming, pytest.raises(BadFile, match="more than"):
        incoming.write(TINY)
    assert kept() == []


def test_no_folder_and_no_pipe_is_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(BadFile, match="no file"):
            import_file(Settings(), path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(BadFile, match="no file"):
            import_file(Settings(), tmp_path / "pipe")


def test_a_full_disk_is_told_before_and_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiskFull) as caught:
        Incoming(Settings(), "x", 1 << 60)
    assert caught.value.details["needed"] > 1 << 60 and caught.value.http_status == 507

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with Incoming(Settings(), "x") as incoming:
        incoming._file.close()
        incoming._file = Full()  # type: ignore[assignment]
        with pytest.raises(DiskFull):
            incoming.write(TINY)
    assert kept() == []


def test_a_disk_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(module.os, "link", none)
    assert import_file(Settings(), source(tmp_path)).read_bytes() == TINY
    assert import_file(Settings(), source(tmp_path, OTHER)).name == "Tiny-2.gguf"
    assert kept() == ["Tiny-2.gguf", "Tiny.gguf"]


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path: Path) -> None:
    folder = Settings().models_dir
    folder.mkdir(parents=True)
    for name, age in ((".import-old.part", 0), (".import-new.part", 4e9)):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (age, age))
    import_file(Settings(), source(tmp_path))
    assert kept() == [".import-new.part", "Tiny.gguf"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.gguf", "a.gguf"), ("A.GGUF", "A.gguf"), ("a", "a.gguf"), ("../../etc/passwd", "passwd.gguf"),
        ("C:\\models\\b.gguf", "b.gguf"), ("..hidden.gguf", "hidden.gguf"), ("a\0b\nc.gguf", "abc.gguf"),
        ("é ü.gguf", "é ü.gguf"), ("con.gguf", "_con.gguf"), ("a:b*c?.gguf", "a_b_c.gguf"),
        ("\u202egnp.gguf", "gnp.gguf"),
    ],
)  # fmt: skip
def test_names_are_made_safe(given: str, expected: str) -> None:
    assert safe_name(given) == expected


@pytest.mark.parametrize("name", ["", "/", "...", ".gguf", "a/", "\0"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(BadFile):
        safe_name(name)


@given(st.text(max_size=300))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    try:
        made = safe_name(name)
    except BadFile:
        return
    assert made == Path(made).name and made.endswith(".gguf") and not made.startswith(".")
    assert len(made.encode()) < 255 and made.isprintable()
    assert safe_name(made) == made


def test_a_job_imports_and_leaves_nothing_where_it_is_stopped(tmp_path: Path, isolation: Path) -> None:
    settings = Settings(home=isolation)
    part = module.part_of(settings)
    args = {"home": str(isolation), "source": str(source(tmp_path)), "name": "Tiny.gguf", "part": str(part)}
    work = TaskRun(module.TASK, args, nice=0)
    assert [told.done for told in work][-1] == len(TINY) and not part.exists()
    there = settings.models_dir / "Tiny.gguf"
    assert work.result == {"path": str(there), "size": len(TINY), "sha256": hashlib.sha256(TINY).hexdigest()}
    assert there.read_bytes() == TINY and Hashes(settings).known(there)


def test_what_is_no_gguf_is_refused_before_a_job_begins(tmp_path: Path) -> None:
    with closing(Engine()) as engine:
        for path, error in ((tmp_path, BadFile), (source(tmp_path, b"no model"), ModelFileCorrupt)):
            with pytest.raises(error):
                module.start_import(engine, "local", path, role="teacher")
        with pytest.raises(AccessDenied):
            module.start_import(engine, "local", source(tmp_path), role="student")
        job = module.start_import(engine, "local", source(tmp_path), role="teacher")
        assert engine.jobs.wait(job.id, 600).state == "done"
        assert [card.name for card in engine.catalog.cards() if card.source == "models folder"] == ["Tiny"]
