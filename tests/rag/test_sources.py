"""Folders and zip files give their files, and hostile ones nothing but a reason."""

from __future__ import annotations

import io
import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from engine.errors import BadFile, BadInput
from engine.rag import sources
from engine.rag.sources import Item, from_path, from_zip, is_archive, shown
from tests.documents.files import docx


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def unpacked(data: bytes) -> dict[str, Item]:
    return {item.name: item for item in from_zip("a.zip", "upload:a.zip", "upload:a.zip", data)}


def reason(item: Item) -> object:
    assert item.data is None and item.error is not None
    return item.error.details["reason"]


ALWAYS = -(10**18)  # nanoseconds: every file is settled


def test_a_folder_gives_its_files_and_knows_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.rag.sources.SETTLED_NS", ALWAYS)
    (tmp_path / "sous").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("b.txt", "sous/a.md", ".cache", ".git/config"):
        (tmp_path / name).write_text(f"texte de {name}")
    (tmp_path / "pack.zip").write_bytes(zipped({"x/un.txt": b"un", "x/": b""}))
    items = list(from_path(str(tmp_path), {}))
    assert [item.name for item in items] == ["b.txt", "pack.zip/x/un.txt", "sous/a.md"]
    assert [item.data for item in items] == [b"texte de b.txt", b"un", b"texte de sous/a.md"]
    assert {item.root for item in items} == {f"path:{tmp_path}"} and len({item.source for item in items}) == 3
    known = {item.source: item.stamp for item in items}
    again = {item.name: item.data for item in from_path(str(tmp_path), known)}
    assert again == {"b.txt": None, "pack.zip/x/un.txt": b"un", "sous/a.md": None}
    (only,) = from_path(str(tmp_path / "b.txt"), {})
    assert (only.name, only.root) == ("b.txt", f"path:{tmp_path / 'b.txt'}")


@pytest.mark.skipif(os.name == "nt", reason="no time there that cannot be set back")
def test_other_contents_of_the_same_size_and_time_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.rag.sources.SETTLED_NS", ALWAYS)
    file = tmp_path / "a.txt"
    file.write_text("midi")
    before = file.stat()
    (first,) = from_path(str(file), {})
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of the disk has ticks
        file.write_text("soir")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    (again,) = from_path(str(file), {first.source: first.stamp})
    assert again.data == b"soir"


def test_what_has_just_been_changed_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.rag.sources.SETTLED_NS", -ALWAYS)
    (tmp_path / "a.txt").write_text("midi")
    (first,) = from_path(str(tmp_path), {})
    (again,) = from_path(str(tmp_path), {first.source: first.stamp})
    assert first.stamp is None and again.data == b"midi"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "in").symlink_to(outside)
    (folder / "file.txt").symlink_to(outside / "secret.txt")
    (folder / "pipe").symlink_to("/dev/zero")
    os.mkfifo(folder / "fifo.txt")
    assert list(from_path(str(folder), {})) == []


def test_what_is_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadFile) as missing:
        list(from_path(str(tmp_path / "none"), {}))
    assert missing.value.details["reason"] == "missing"
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(500 * 2**20)  # nothing of it is on the disk, and nothing is read
    (item,) = from_path(str(tmp_path), {})
    assert reason(item) == "too_large" and item.size == 500 * 2**20
    monkeypatch.setattr(sources, "FILES_MAX", 1)
    (tmp_path / "b").touch()
    with pytest.raises(BadInput) as many:
        list(from_path(str(tmp_path), {}))
    assert many.value.details["reason"] == "too_many_files"


def test_names_that_would_leave_the_folder(tmp_path: Path) -> None:
    names = ["../up.txt", "a/../../up.txt", "/etc/passwd", "C:\\x.txt", "..\\up.txt", "ok/fine.txt"]
    found = unpacked(zipped(dict.fromkeys(names, b"x")))
    told = {name: item.error.details["reason"] if item.error else None for name, item in found.items()}
    assert told == {shown(name): "unsafe_name" for name in names[:-1]} | {"ok/fine.txt": None}


def test_links_and_what_systems_leave_in_archives() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/x", b"x")
        archive.writestr("a/.DS_Store", b"x")
    (item,) = unpacked(out.getvalue()).values()
    assert reason(item) == "link"


def test_an_encrypted_entry() -> None:
    data = bytearray(zipped({"a.txt": b"text", "b.txt": b"more"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    found = unpacked(bytes(data))
    assert reason(found["a.txt"]) == "encrypted" and found["b.txt"].data == b"more"


def test_bombs_end_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BYTES_MAX", 1_000_000)
    monkeypatch.setattr(sources, "ZIP_MAX", 3_000_000)
    bomb = zipped({"bomb.txt": b"0" * 2_000_000, "small.txt": b"x"})
    found = unpacked(bomb)
    assert reason(found["bomb.txt"]) == "too_large" and found["small.txt"].data == b"x"
    lying = bytearray(bomb)  # a header that promises ten bytes
    at = lying.index(b"PK\x01\x02") + 24
    lying[at : at + 4] = (10).to_bytes(4, "little")
    assert reason(unpacked(bytes(lying))["bomb.txt"]) in ("broken", "too_large")
    with pytest.raises(BadFile) as whole:
        unpacked(zipped({f"{number}.txt": b"0" * 900_000 for number in range(5)}))
    assert whole.value.details["reason"] == "zip_bomb"
    monkeypatch.setattr(sources, "FILES_MAX", 3)
    with pytest.raises(BadInput):
        unpacked(zipped({f"{number}.txt": b"" for number in range(5)}))


def test_an_entry_that_packs_too_well_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SWELLING", 500_000)
    found = unpacked(zipped({"zeros.txt": b"0" * 600_000, "few.txt": b"0" * 400_000, "noise.txt": os.urandom(600_000)}))
    assert reason(found["zeros.txt"]) == "zip_bomb"
    assert found["few.txt"].size == 400_000 and found["noise.txt"].size == 600_000


def test_an_archive_that_promises_too_much_gives_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ZIP_MAX", 3_000_000)
    items = from_zip("a.zip", "s", "s", zipped({f"{number}.txt": os.urandom(9) * 100_000 for number in range(5)}))
    with pytest.raises(BadFile) as whole:
        next(items)
    assert whole.value.details["reason"] == "zip_bomb"


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are letters there")
def test_a_name_that_is_no_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.rag.sources.SETTLED_NS", ALWAYS)
    for name in (b"caf\xe9.txt", b"caf\xe8.txt"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("texte")
    first, second = from_path(str(tmp_path), {})
    assert (first.name, second.name, first.data) == ("caf\ufffd.txt", "caf\ufffd.txt", b"texte")
    for item in (first, second):
        assert item.source.encode().decode() == item.source  # what a database gives back is what it got
    assert first.source != second.source
    known = {item.source: item.stamp for item in (first, second)}
    assert [item.data for item in from_path(str(tmp_path), known)] == [None, None]


def test_broken_archives() -> None:
    whole = zipped({"a.txt": os.urandom(1000)}, zipfile.ZIP_STORED)
    for data in (whole[:-30], b"PK\x03\x04", whole.replace(b"PK\x05\x06", b"PK\x05\x07")):
        with pytest.raises(BadFile) as broken:
            unpacked(data)
        assert broken.value.details["reason"] == "broken"
    damaged = bytearray(whole)
    damaged[200] ^= 0xFF
    assert reason(unpacked(bytes(damaged))["a.txt"]) == "broken"


def test_a_broken_archive_in_a_folder_is_told_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04")
    (item,) = from_path(str(tmp_path), {})
    assert (item.name, reason(item)) == ("bad.zip", "broken")


def test_archives_are_told_from_documents() -> None:
    assert is_archive("a.zip", zipped({"a.txt": b"x"})) and is_archive("a.docx", zipped({"a.txt": b"x"}))
    assert not is_archive("a.zip", docx("Bonjour")) and not is_archive("a.zip", b"text")


def test_names_as_they_are_shown() -> None:
    assert shown("a\\b\x1b[2J\n.txt") == "a/b[2J.txt" and shown("\n") == "file" and len(shown("é" * 999)) == 200
