"""SHA-256 of model files: read once, remembered while a file stays as it is. Knows no model and no catalogue.

Ollama and Hugging Face's cache name a blob after its digest, so that nothing has to be read there.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import AccessDenied, BadFile
from engine.models.discovery import FoundFile
from engine.models.remembered import Remembered
from engine.settings import Settings
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job

NOTE = "hashes.json"
TASK = "engine.models.hashes:digests"
CHUNK = 8 << 20  # bytes
NAMED = re.compile(r"(?:sha256-)?([0-9a-f]{64})")


class Hashes:
    """Digests of the files of one installation, hexadecimal."""

    def __init__(self, settings: Settings) -> None:
        self._remembered = Remembered(settings.models_dir / NOTE)

    def known(self, path: Path) -> str | None:
        """The digest, if it is known without reading the file."""
        named = NAMED.fullmatch(os.path.basename(os.path.realpath(path)))
        if named:
            return named[1]
        found = self._remembered.get(path)
        return found if isinstance(found, str) else None

    def of(self, path: Path) -> str:
        """The digest; a gigabyte takes a second or two the first time. Raises BadFile."""
        work = self.computing(path)
        while True:
            try:
                next(work)
            except StopIteration as end:
                return str(end.value)

    def computing(self, path: Path) -> Generator[Progress, None, str]:
        """Bytes read of all, then the digest. Raises BadFile."""
        known = self.known(path)
        if known is not None:
            return known
        told = yield from digest(str(path))
        self.keep(path, told)
        return told

    def keep(self, path: Path, told: str) -> None:
        """Remember a digest that was computed elsewhere: while downloading, or in a job."""
        self._remembered.put({path: told})


def digest(path: str) -> Generator[Progress, None, str]:
    """Bytes read of all, then the file's SHA-256: a task for a job child where files are large. Raises BadFile."""
    done, found = 0, hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            total = os.fstat(file.fileno()).st_size
            while chunk := file.read(CHUNK):
                found.update(chunk)
                done += len(chunk)
                yield Progress(done, total)
    except OSError as error:
        name = os.path.basename(path)
        raise BadFile(f"{name} cannot be read: {error.strerror}", path=name, reason=str(error.strerror)) from error
    return found.hexdigest()


def start_hashing(engine: Engine, owner: str, paths: Iterable[Path], *, role: str) -> Job:
    """The job that reads these files and remembers their digests; its progress is in bytes. Raises AccessDenied."""
    if role != "teacher":
        raise AccessDenied("reading whole files is the teacher's", role="teacher")
    files = [str(path) for path in paths]
    names = ", ".join(dict.fromkeys(os.path.basename(name) for name in files))
    return engine.jobs.submit(owner, TASK, {"home": str(engine.settings.home), "paths": files}, f"SHA-256 · {names}")


def digests(home: str, paths: Sequence[str]) -> Generator[Progress, None, dict[str, Any]]:
    """Read the files whose digests are unknown, and remember them in the installation of that folder; bytes of all.

    Returns `sha256` by name, and the names of `unread` ones, such as a file that is gone. Raises BadFile where none can
    be read.
    """
    hashes, found, done = Hashes(Settings(home=Path(home))), dict[str, str](), 0
    unread: list[BadFile] = []
    sizes = {path: _size(path) for path in paths}
    for path, size in sizes.items():
        try:
            work = hashes.computing(Path(path))
            found[os.path.basename(path)] = yield from _shifted(work, done, sum(sizes.values()))
        except BadFile as error:
            unread.append(error)
        done += size
    if unread and not found:
        raise unread[0]
    return {"sha256": found, "unread": [str(error.details["path"]) for error in unread]}


def _shifted(work: Generator[Progress, None, str], done: int, total: int) -> Generator[Progress, None, str]:
    """What the work returns; its progress as that of a larger whole, of which `done` came before."""
    while True:
        try:
            told = next(work)
        except StopIteration as end:
            return str(end.value)
        yield Progress(done + told.done, total)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


@dataclass(frozen=True)
class Copies:
    """What is known of other files with the bytes of one: `same` have them, `unread` perhaps."""

    same: tuple[FoundFile, ...]
    unread: tuple[FoundFile, ...]


def copies(paths: Sequence[Path], found: Iterable[FoundFile], hashes: Hashes) -> Copies:
    """The other files of as many parts and the same size as the one of these parts; nothing is read. While the file's
    own digest is unknown, all of them are unread.
    """
    sizes = [_size(str(path)) for path in paths]
    own = {os.path.realpath(path) for path in paths}
    others = [
        file
        for file in found
        if [_size(str(part)) for part in file.parts] == sizes and not own & {os.path.realpath(p) for p in file.parts}
    ]
    wanted = [hashes.known(path) for path in paths]
    told = [(file, [hashes.known(part) for part in file.parts]) for file in others]
    return Copies(
        tuple(file for file, sums in told if None not in sums and sums == wanted),
        tuple(file for file, sums in told if None in sums or None in wanted),
    )


def alike(found: Iterable[FoundFile]) -> tuple[tuple[FoundFile, ...], ...]:
    """Files that may be copies of each other, by size alone and number of parts; nothing is read."""
    groups: dict[tuple[int, int], list[FoundFile]] = defaultdict(list)
    for file in found:
        groups[file.size_bytes, len(file.parts)].append(file)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def duplicates(found: Iterable[FoundFile], hashes: Hashes) -> tuple[tuple[FoundFile, ...], ...]:
    """Groups of files with the same bytes; only those of equal size are read. One that cannot be read is left out."""
    same: list[tuple[FoundFile, ...]] = []
    for group in alike(found):
        by_digest: dict[tuple[str, ...], list[FoundFile]] = defaultdict(list)
        for file in group:
            try:
                by_digest[tuple(hashes.of(part) for part in file.parts)].append(file)
            except BadFile:
                continue
        same += [tuple(copies) for copies in by_digest.values() if len(copies) > 1]
    return tuple(same)
