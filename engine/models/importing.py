"""A GGUF file brought into one's own folder: copied or streamed, checked on the way, never over another one.

Knows no route and no page. What is no GGUF is refused at its first bytes; what is cut short, at its last.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from engine.errors import AccessDenied, BadFile, DiskFull, ModelFileCorrupt
from engine.models.gguf_header import read_header
from engine.models.hashes import Hashes
from engine.models.room import check_room
from engine.models.splits import PART
from engine.settings import Settings
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job

TASK = "engine.models.importing:bring"
CHUNK = 8 << 20  # bytes
SPARE = 256 << 20  # bytes that stay free on the disk
STEM_MAX = 120  # characters
NAMES_MAX = 1000
HIDDEN, PARTIAL = ".import-", ".part"
ABANDONED_S = 24 * 3600  # a part that nobody has written to for so long is of a process that was killed
MAGIC = b"GGUF"
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # on Windows


def safe_name(name: str) -> str:
    """A file name of ours for what somebody calls `name`: no folder, no control character, ends in `.gguf`.

    Raises BadFile where nothing is left of it.
    """
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    stem = last[: -len(".gguf")] if last.lower().endswith(".gguf") else last
    visible = "".join(map(_visible, stem))
    stem = FORBIDDEN.sub("_", visible).strip(" ._")
    part = PART.match(stem)
    tail = stem[part.end("stem") :] if part else ""
    stem = stem[: STEM_MAX - len(tail)] if not part else part["stem"][: STEM_MAX - len(tail)] + tail
    while len(stem.encode()) > 2 * STEM_MAX and not part:  # file systems count bytes
        stem = stem[:-1]
    if not stem:
        raise BadFile(f"{name!r} is no name of a file", path=name[:200], reason="name")
    return f"_{stem}.gguf" if RESERVED.fullmatch(stem) else f"{stem}.gguf"


def _visible(letter: str) -> str:
    """The letter, a blank for any kind of space, nothing for what cannot be seen."""
    kind = unicodedata.category(letter)
    return " " if kind[0] == "Z" else "" if kind[0] == "C" else letter


class Incoming:
    """One file on its way in: `write` its bytes, then `finish`. Left without `finish`, nothing of it stays.

    `size` is what was announced, in bytes; `limit` what may come; `part` is where it lies until then. Raises BadFile,
    ModelFileCorrupt, DiskFull.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        size: int | None = None,
        limit: int | None = None,
        part: Path | None = None,
    ) -> None:
        self.name = safe_name(name)
        self.received = 0
        self._size, self._limit = size, limit
        self._settings = settings
        self._folder = settings.models_dir
        self._part = part or part_of(settings)
        self._digest = hashlib.sha256()
        self._head = b""
        self._check_limit(size or 0)
        self._open(size or 0)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.abort()

    def write(self, data: bytes) -> None:
        """The next bytes, whole on disk when this returns."""
        self._check_limit(self.received + len(data))
        if len(self._head) < len(MAGIC):
            self._head += data[: len(MAGIC)]
            if not MAGIC.startswith(self._head[: len(MAGIC)]):
                raise not_kept(self.name, "does not begin with GGUF")
        try:
            self._file.write(data)
        except OSError as error:
            raise self._unwritten(error, len(data)) from error
        self._digest.update(data)
        self.received += len(data)

    def finish(self) -> Path:
        """Where the file is now: under its own name, or with a number where another one has it; if the very same
        bytes are there already, those.
        """
        if self._size is not None and self.received != self._size:
            raise not_kept(self.name, f"{self.received} of {self._size} bytes came")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self._unwritten(error, 0) from error
        self._check_header()
        path = self._settled()
        Hashes(self._settings).keep(path, self._digest.hexdigest())
        return path

    def abort(self) -> None:
        """Remove what came, unless it was finished."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _open(self, size: int) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(self._folder)
            check_room(self._folder, size + SPARE)
            handle = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except OSError as error:
            raise self._unwritten(error, size) from error
        self._file = os.fdopen(handle, "wb")

    def _check_limit(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            text = f"{size} bytes are more than the {self._limit} that are accepted"
            raise BadFile(f"{self.name}: {text}", path=self.name, reason="too_large", size=size, limit=self._limit)

    def _check_header(self) -> None:
        """The header is sound and its tensors lie in the file. Raises ModelFileCorrupt under the file's own name."""
        try:
            read_header(self._part)
        except ModelFileCorrupt as error:
            raise not_kept(self.name, str(error.details["reason"])) from error

    def _settled(self) -> Path:
        for number in range(1, NAMES_MAX):
            target = self._folder / _numbered(self.name, number)
            try:
                _claim(self._part, target)
            except FileExistsError:
                if self._same(target):
                    return target
                if PART.match(Path(self.name).stem):  # a number would tear it from its other parts
                    raise BadFile(f"another {self.name} is there", path=self.name, reason="exists") from None
                continue
            except OSError as error:
                raise self._unwritten(error, self.received) from error
            return target
        raise BadFile(f"{NAMES_MAX} files have that name", path=self.name, reason="exists")

    def _same(self, other: Path) -> bool:
        if not other.is_file() or other.stat().st_size != self.received:
            return False
        return Hashes(self._settings).of(other) == self._digest.hexdigest()

    def _unwritten(self, error: OSError, needed: int) -> BadFile | DiskFull:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _full(self._folder, needed)
        return BadFile(f"{self.name} cannot be written: {error.strerror}", path=self.name, reason=str(error.strerror))


def part_of(settings: Settings) -> Path:
    """Where another file may lie until it is whole."""
    return settings.models_dir / f"{HIDDEN}{secrets.token_hex(8)}{PARTIAL}"


def start_import(engine: Engine, owner: str, source: Path, *, role: str) -> Job:
    """The job that copies a file of this machine among one's own models; its progress is in bytes. Raises AccessDenied,
    and at once what is wrong with the file as far as its first bytes tell: BadFile, ModelFileCorrupt.
    """
    if role != "teacher":
        raise AccessDenied("importing models is the teacher's", role="teacher")
    _check_file(source)
    _check_beginning(source)
    part = part_of(engine.settings)
    args = {"home": str(engine.settings.home), "source": str(source.resolve()), "name": source.name, "part": str(part)}
    return engine.jobs.submit(owner, TASK, args, source.name, (part,))


def bring(home: str, source: str, name: str, part: str) -> Generator[Progress, None, dict[str, Any]]:
    """Copy the file into the installation of that folder; bytes of all. Returns path, size in bytes, SHA-256. Raises
    BadFile, ModelFileCorrupt, DiskFull.
    """
    settings = Settings(home=Path(home))
    path = yield from importing(settings, Path(source), name, Path(part))
    return {"path": str(path), "size": path.stat().st_size, "sha256": Hashes(settings).of(path)}


def _check_file(source: Path) -> None:
    if not source.is_file():  # a folder, or a pipe that would never end
        raise BadFile(f"{source} is no file", path=source.name, reason="no file")


def _check_beginning(source: Path) -> None:
    try:
        with source.open("rb") as file:
            begins = file.read(len(MAGIC))
    except OSError as error:
        raise _unread(source, error) from error
    if not MAGIC.startswith(begins):
        raise not_kept(source.name, "does not begin with GGUF")


def _unread(source: Path, error: OSError) -> BadFile:
    text = f"{source.name} cannot be read: {error.strerror}"
    return BadFile(text, path=source.name, reason=str(error.strerror))


def importing(
    settings: Settings, source: Path, name: str | None = None, part: Path | None = None
) -> Generator[Progress, None, Path]:
    """Copy the file; bytes done of all, then where it is now. Raises BadFile, ModelFileCorrupt, DiskFull."""
    _check_file(source)
    try:
        with source.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            with Incoming(settings, name or source.name, size, part=part) as incoming:
                while chunk := file.read(CHUNK):
                    incoming.write(chunk)
                    yield Progress(incoming.received, size)
                return incoming.finish()
    except OSError as error:
        raise _unread(source, error) from error


def import_file(settings: Settings, source: Path, name: str | None = None) -> Path:
    """Copy the file; where it is now. Raises BadFile, ModelFileCorrupt, DiskFull."""
    work = importing(settings, source, name)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return Path(end.value)


def not_kept(name: str, why: str) -> ModelFileCorrupt:
    """The error for a file that came from elsewhere and of which nothing was kept; `why` is what is wrong with it."""
    return ModelFileCorrupt(f"{name} is not a sound GGUF file: {why}", path=name, reason="not_kept", why=why)


def _full(folder: Path, needed: int) -> DiskFull:
    free = shutil.disk_usage(folder).free
    text = f"{needed >> 20} MiB are needed, {free >> 20} MiB are free"
    return DiskFull(text, needed=needed, free=free)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name.removesuffix('.gguf')}-{number}.gguf"


def _claim(part: Path, target: Path) -> None:
    """Give the part its name in one step. Raises FileExistsError."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.replace(part, target)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left."""
    for part in folder.glob(f"{HIDDEN}*{PARTIAL}"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED_S:
                part.unlink()
