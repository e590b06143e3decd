"""Where the files of a collection come from: uploads, pasted text, folders, zip files, the web. Knows no store.

A source that holds several files (a folder, a zip) is their root: who adds it again replaces what changed, and removes
what is no longer in it. Names from outside are shown, never opened or written.

A file of this machine is opened again when its stamp differs: size, time of the last change, and time of the last
change of anything about it, which no program can set back (`cp -p` and `rsync -t` keep the former). Windows has no such
time: there, other contents of the same size and time are not seen. What was changed less than two seconds before it was
read has no stamp, since one tick of a clock may hold two changes. What is opened is compared by its SHA-256: only other
contents are read, split and embedded.
"""

from __future__ import annotations

import io
import os
import re
import stat
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from engine.documents.formats import bad, extension, format_of
from engine.documents.reading import BYTES_MAX
from engine.errors import BadFile, BadInput

SourceKind = Literal["path", "upload", "text", "url"]
FILES_MAX = 20_000  # of one folder or zip file
ZIP_MAX = 512 * 2**20  # of a zip file, packed and unpacked
NAME_MAX = 200
SWELL = 200  # times its packed size: no text packs so well, and an entry that promises more is not unpacked
SWELLING = 4 * 2**20  # bytes; what stays below is harmless however it is packed
CHUNK = 64 * 1024
SETTLED_NS = 2 * 10**9  # the longest tick of a file system's clock, FAT's
_PACKED = (b"PK\x03\x04", b"PK\x05\x06")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, OSError)
_DRIVE = re.compile(r"[A-Za-z]:")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Source:
    """What somebody wants in a collection: `where` is a path of a file or folder, an address, or a name for `data`;
    `name` is what a fetched page is called.
    """

    kind: SourceKind
    where: str
    data: bytes | None = None
    name: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others: whoever adds it again replaces it."""
        return f"{self.kind}:{self.where}"


@dataclass(frozen=True)
class Item:
    """One file of a source: its `data`, why there is none, or neither where its `stamp` is the one that is known."""

    name: str
    source: str
    root: str
    size: int
    data: bytes | None = None
    stamp: str | None = None
    error: BadFile | None = None


def upload(name: str, data: bytes) -> Source:
    """A file from a browser; a zip file that is no document is opened."""
    return Source("upload", name, data)


def pasted(name: str, text: str) -> Source:
    """A text under a name."""
    return Source("text", name, text.encode("utf-8", "replace"))


def read_before(name: str, text: str) -> Source:
    """The text of a file that was read already, under a name that says that it is a text."""
    return pasted(name if extension(name) in ("txt", "md") else f"{name}.txt", text)


def path(where: str) -> Source:
    """A file, a zip file or a folder on this machine; for the teacher."""
    return Source("path", str(Path(where).expanduser().absolute()))


def url(address: str) -> Source:
    """A page or file of the web, which the indexing fetches."""
    return Source("url", address)


def fetched(address: str, name: str, data: bytes) -> Source:
    """A page of the web that is here already."""
    return Source("url", address, data, name)


def shown(name: str) -> str:
    """The name without control characters, at most 200 letters of its end; folders stay. A byte that is no letter in
    UTF-8, as old archives leave them, is shown as one that nobody knows.
    """
    known = _SURROGATE.sub("\ufffd", name.replace("\\", "/"))
    return "".join(letter for letter in known if letter.isprintable())[-NAME_MAX:] or "file"


def is_archive(name: str, data: bytes) -> bool:
    """Whether it is a zip file and none of the formats that are packed in one."""
    if not data.startswith(_PACKED):
        return False
    try:
        format_of(name, data)
    except BadFile as error:
        return error.details["reason"] == "unknown_format"
    return False


def from_path(where: str, known: Mapping[str, str | None]) -> Iterator[Item]:
    """The files there, hidden ones and links left out; one whose stamp is `known` is not opened.

    Raises BadFile missing, BadInput for more than 20,000.
    """
    root = Path(where)
    if not root.exists():
        raise bad(where, "missing")
    if root.is_file():
        yield from _from_file(root, shown(root.name), f"path:{root}", known)
        return
    found = sorted(_walk(root))
    if len(found) > FILES_MAX:
        raise _too_many(where)
    for file in found:
        yield from _from_file(file, shown(file.relative_to(root).as_posix()), f"path:{root}", known)


def from_zip(name: str, source: str, root: str, data: IO[bytes] | bytes) -> Iterator[Item]:
    """The files of a zip file, in its order, each bounded, all together bounded; what a header promises is not
    believed. Raises BadFile for the whole: broken, zip_bomb; BadInput for more than 20,000 files.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data) if isinstance(data, bytes) else data) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _hidden(entry.filename)]
            if len(entries) > FILES_MAX:
                raise _too_many(name)
            if sum(entry.file_size for entry in entries) > ZIP_MAX:
                raise bad(name, "zip_bomb")  # before the first of its files is kept
            left = ZIP_MAX
            for entry in entries:
                item = _from_entry(archive, entry, f"zip:{source}!{entry.filename}", root, left)
                left -= item.size
                if left < 0:
                    raise bad(name, "zip_bomb")
                yield item
    except _BROKEN as error:
        raise bad(name, "broken") from error


def _from_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: str, root: str, left: int) -> Item:
    name = shown(entry.filename)
    refused = _refused(entry)
    if refused:
        return Item(name, source, root, 0, error=bad(name, refused))
    most = min(BYTES_MAX, left) + 1
    try:
        with archive.open(entry) as file:
            data = _bounded(file, most)
    except _BROKEN:
        return Item(name, source, root, 0, error=bad(name, "broken"))
    if len(data) >= most:
        return Item(name, source, root, len(data), error=bad(name, "too_large"))
    return Item(name, source, root, len(data), data)


def _refused(entry: zipfile.ZipInfo) -> str | None:
    if entry.flag_bits & 1:
        return "encrypted"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "link"
    if entry.file_size > SWELLING and entry.file_size > SWELL * entry.compress_size:
        return "zip_bomb"
    inner = PurePosixPath(entry.filename.replace("\\", "/"))
    return "unsafe_name" if inner.is_absolute() or ".." in inner.parts or _DRIVE.match(str(inner)) else None


def _bounded(file: IO[bytes], most: int) -> bytes:
    parts: list[bytes] = []
    while most > 0 and (part := file.read(min(CHUNK, most))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _from_file(file: Path, name: str, root: str, known: Mapping[str, str | None]) -> Iterator[Item]:
    source = _told(f"path:{file}")
    try:
        about = file.stat()
        stamp, size = _stamp(about), about.st_size
        if stamp is not None and known.get(source) == stamp:
            yield Item(name, source, root, size, stamp=stamp)
        elif extension(name) == "zip" and size <= ZIP_MAX:
            with file.open("rb") as data:
                yield from _contained(name, source, root, data)
        elif size > BYTES_MAX:
            yield Item(name, source, root, size, stamp=stamp, error=bad(name, "too_large"))
        else:
            yield Item(name, source, root, size, file.read_bytes(), stamp)
    except OSError as error:
        yield Item(name, source, root, 0, error=BadFile(f"{name}: {error.strerror}", path=name, reason="unreadable"))


def _stamp(about: os.stat_result) -> str | None:
    """What changes with the contents; None where a change would not show."""
    newest = max(about.st_mtime_ns, about.st_ctime_ns)
    settled = time.time_ns() - newest > SETTLED_NS
    return f"{about.st_size}-{about.st_mtime_ns}-{about.st_ctime_ns}" if settled else None


def _told(source: str) -> str:
    """The source as a database keeps it: bytes of a name that are no letters, each as its number."""
    return source.encode("utf-8", "backslashreplace").decode("utf-8")


def _contained(name: str, source: str, root: str, data: IO[bytes]) -> Iterator[Item]:
    try:
        for item in from_zip(name, source, root, data):
            yield Item(shown(f"{name}/{item.name}"), item.source, root, item.size, item.data, error=item.error)
    except (BadFile, BadInput) as error:
        reason = str(error.details.get("reason", "broken"))
        yield Item(name, source, root, 0, error=bad(name, reason))


def _walk(root: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(root, followlinks=False):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in names:
            file = Path(folder, name)
            if not name.startswith(".") and not file.is_symlink() and file.is_file():
                yield file


def _hidden(name: str) -> bool:
    """What systems put into archives for themselves: .DS_Store, __MACOSX."""
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _too_many(name: str) -> BadInput:
    return BadInput(f"{name}: more than {FILES_MAX} files", what="files", reason="too_many_files", limit=FILES_MAX)
