"""Vectors of passages, computed once: by embedder and hash of the text in one SQLite file. Knows no chunk and no
collection.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.places import network_file_system
from engine.rag.values import Embedder, Vectors
from engine.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

FILE = "vectors.sqlite3"
BUSY_S = 30.0
AT_ONCE = 500  # keys of one question to SQLite
FORGOTTEN = 20  # a twentieth at a time
SHRUNK = 0.9  # of the bound, once it has been reached
USED_EVERY_S = 86400  # the day of the last use is precise enough to forget by
BATCH = 32  # passages that an embedder gets at once

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    id INTEGER PRIMARY KEY, embedder TEXT NOT NULL, hash BLOB NOT NULL, vector BLOB NOT NULL, used INTEGER NOT NULL,
    UNIQUE (embedder, hash)
);
CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used);
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS comes AFTER INSERT ON vectors
    BEGIN UPDATE total SET bytes = bytes + length(new.vector) * 5 / 4 + 150; END;
CREATE TRIGGER IF NOT EXISTS goes AFTER DELETE ON vectors
    BEGIN UPDATE total SET bytes = bytes - length(old.vector) * 5 / 4 - 150; END;
"""  # a row takes so much of the file, its key in the index and what is left empty of a page included


class VectorCache:
    """The cache of one data folder, for several threads and processes at once; bounded by
    `settings.vector_cache_mb`, the longest unused go first. A damaged file is begun anew, and a disk that takes no more
    leaves it as it is: what is not in the cache is computed. Use as a context manager or `close()`.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None

    @classmethod
    def of(cls, settings: Settings) -> VectorCache:
        """The cache below the data folder of these settings."""
        return cls(settings.home / FILE, settings.vector_cache_mb * 2**20)

    def get(self, fingerprint: str, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors that are there, by text."""
        keys = {_hash(text): text for text in texts}
        nothing: dict[bytes, bytes] = {}
        rows = self._tried(lambda file: self._read(file, fingerprint, keys), nothing)
        return {keys[key]: np.frombuffer(vector, dtype="<f4").astype(np.float32) for key, vector in rows.items()}

    def put(self, fingerprint: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep these, at once."""
        now = int(time.time())
        rows = [
            (fingerprint, _hash(text), np.asarray(vector, dtype="<f4").tobytes(), now)
            for text, vector in vectors.items()
        ]
        self._tried(lambda file: self._write(file, rows), None)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._drop()

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self, file: sqlite3.Connection, fingerprint: str, keys: Mapping[bytes, str]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        now = int(time.time())
        for some in _slices(list(keys), AT_ONCE):
            asked = f"embedder = ? AND hash IN ({','.join('?' * len(some))})"
            found |= dict(file.execute(f"SELECT hash, vector FROM vectors WHERE {asked}", (fingerprint, *some)))
            old = (now, fingerprint, *some, now - USED_EVERY_S)
            file.execute(f"UPDATE vectors SET used = ? WHERE {asked} AND used < ?", old)
        return found

    def _write(self, file: sqlite3.Connection, rows: list[tuple[str, bytes, bytes, int]]) -> None:
        file.executemany("INSERT OR IGNORE INTO vectors (embedder, hash, vector, used) VALUES (?, ?, ?, ?)", rows)
        if _size(file) > self._limit:
            while _size(file) > SHRUNK * self._limit and _forget(file):
                pass

    def _tried(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What the work gives, in one transaction; `otherwise` when the file cannot be used now."""
        with self._lock:
            try:
                file = self._opened()
                with file:
                    return work(file)
            except sqlite3.OperationalError as error:  # a full disk, a lock held for long: the next time it may work
                log.warning("vectors: %s", error)
            except sqlite3.DatabaseError as error:
                log.warning("vectors: begun anew: %s", error)
                self._drop()
                self._remove()
        return otherwise

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = sqlite3.connect(self._path, timeout=BUSY_S, check_same_thread=False)
            try:
                file.execute("PRAGMA page_size = 8192")  # five of 384 numbers; counts before the file is made only
                # WAL shares memory between processes, which a network file system cannot
                file.execute(f"PRAGMA journal_mode = {'DELETE' if network_file_system(self._path.parent) else 'WAL'}")
                file.execute("PRAGMA synchronous = NORMAL")
                file.executescript(_SCHEMA)
            except sqlite3.Error:
                file.close()
                raise
            self._file = file
        return self._file

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):  # another process holds it open on Windows: it will do this itself
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)


def embed(embedder: Embedder, texts: Sequence[str], cache: VectorCache | None = None, *, batch: int = BATCH) -> Vectors:
    """One unit vector per text, in order, shape (texts, dimensions); equal texts and cached ones are computed once.

    Batches of texts of like length, each in the cache as soon as it is there: whoever is killed goes on from there.
    Heavy: for jobs, a few hundred texts per call.
    """
    wanted = list(dict.fromkeys(texts))
    known = cache.get(embedder.fingerprint, wanted) if cache else {}
    for some, vectors in _computed(embedder, [text for text in wanted if text not in known], batch):
        made = dict(zip(some, vectors, strict=True))
        known |= made
        if cache:
            cache.put(embedder.fingerprint, made)
    if not texts:
        return np.zeros((0, embedder.dimensions), np.float32)
    return np.stack([known[text] for text in texts])


def _computed(embedder: Embedder, texts: list[str], batch: int) -> Iterator[tuple[list[str], Vectors]]:
    for some in _slices(sorted(texts, key=len), batch):
        yield some, embedder.passages(some)


def _slices(all_: list[T], size: int) -> Iterator[list[T]]:
    return (all_[at : at + size] for at in range(0, len(all_), size))


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()


def _size(file: sqlite3.Connection) -> int:
    """Bytes of the file that rows take."""
    return int(file.execute("SELECT bytes FROM total").fetchone()[0])


def _forget(file: sqlite3.Connection) -> int:
    """How many of the longest unused rows have gone."""
    some = 1 + int(file.execute("SELECT count(*) FROM vectors").fetchone()[0]) // FORGOTTEN
    oldest = f"SELECT id FROM vectors ORDER BY used, id LIMIT {some}"
    return file.execute(f"DELETE FROM vectors WHERE id IN ({oldest})").rowcount
