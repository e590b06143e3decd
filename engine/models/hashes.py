"""SHA-256 of model files: read once, remembered while a file stays as it is. Knows no model and no catalogue.

Ollama and Hugging Face's cache name a blob after its digest, so that nothing has to be read there.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Generator, Iterable
from pathlib import Path

from engine.errors import BadFile
from engine.models.discovery import FoundFile
from engine.models.remembered import Remembered
from engine.settings import Settings
from engine.tasks import Progress

NOTE = "hashes.json"
TASK = "engine.models.hashes:digest"
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
