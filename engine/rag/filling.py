"""One collection brought up to date: waiting files are read, split, embedded and written, each once. Knows no queue.

It may be killed at any moment: a file counts as done after its chunks are in the table, and what does not agree is
found at the next start. Vectors that were computed come from the cache then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np

from engine.child import give_memory_back
from engine.documents import Document, read
from engine.documents.formats import bad
from engine.errors import BadFile, BadInput, EngineError, NotFound
from engine.rag.collections import Collection, Collections, label
from engine.rag.context import embedded
from engine.rag.identity import identity
from engine.rag.rows import CollectionFile, file_id
from engine.rag.sources import Item, from_path, from_zip, is_archive, shown
from engine.rag.values import Chunk, Embedder, Splitting, Vectors
from engine.tasks import Progress

Stage = Literal["gather", "read", "split", "embed", "write", "maintain"]
Progresses = Iterator[Progress]
TOGETHER = 256  # chunks that are written at once
SLICE = 64  # chunks between two words about the progress
MAINTAIN_EVERY = 100 * TOGETHER  # chunks; the words of what no index knows yet are searched one by one


@dataclass(frozen=True)
class Tools:
    """What does the work: `fetch` gives the name and the bytes behind an address, `embed` the vectors of passages."""

    embedder: Embedder
    split: Callable[[Document, str, Splitting, Callable[[str], int]], Sequence[Chunk]]
    embed: Callable[[Sequence[str]], Vectors]
    fetch: Callable[[str], tuple[str, bytes]]


@dataclass
class Report:
    """What an indexing did: numbers of files, of chunks written, and seconds by stage."""

    read: int = 0
    failed: int = 0
    removed: int = 0
    chunks: int = 0
    version: int | None = None
    seconds: dict[Stage, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {**vars(self), "seconds": {stage: round(taken, 3) for stage, taken in self.seconds.items()}}

    @property
    def changed(self) -> bool:
        """Whether the collection is another than before."""
        return bool(self.read or self.failed or self.removed)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Add the time of the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began


class Filling:
    """One indexing of one collection; iterate `run` once, in one thread. `tools` are made when they are needed."""

    def __init__(self, collections: Collections, collection: Collection, tools: Callable[[], Tools]) -> None:
        self.report = Report()
        self._all = collections
        self._collection = collection
        self._id = collection.id
        self._rows = collections.rows
        self._folder = collections.folder(collection.id)
        self._table = collections.table(collection)
        self._make = tools
        self._made: Tools | None = None
        self._pending: dict[str, tuple[CollectionFile, Document, Sequence[Chunk]]] = {}
        self._pace = _Pace()
        self._maintained = 0

    def run(self, paths: Iterable[str] = (), addresses: Iterable[str] = ()) -> Generator[Progress, None, Report]:
        """Look through the paths and fetch the addresses again, then do all that waits; progress in chunks.

        Raises NotFound when the collection is deleted meanwhile, and what the embedder raises; what is done stays done.
        """
        try:
            self._agree()
            for where in paths:
                yield from self._look(where)
            for address in addresses:
                self._fetch(address)
                yield self._pace.progress()
            yield from self._work()
            self._finish()
        except NotFound as error:
            if error.details.get("what") == "collection":
                self._folder.remove()
            raise
        return self.report

    def _agree(self) -> None:
        """After an interruption: files whose chunks are not all there wait again, chunks of no file go."""
        with self._folder.turn():
            counts, rows = self._table.counts(), {row.id: row for row in self._rows.list(self._id)}
            wrong = [row.id for row in rows.values() if row.state == "done" and row.chunks != counts.get(row.id, 0)]
            self._rows.change(self._id, {key: {"state": "waiting"} for key in wrong})
            self._table.delete([key for key in counts if key not in rows or rows[key].state == "failed"])

    def _stamps(self) -> dict[str, str | None]:
        return {row.source: row.stamp for row in self._rows.list(self._id) if row.state != "waiting"}

    def _look(self, where: str) -> Progresses:
        """What is at that path now; what was there and is deleted goes. Where the folder around it is gone too, a disk
        may be out: what was read of it stays, and the files say so.
        """
        root = f"path:{where}"
        known = [row for row in self._rows.list(self._id) if row.root == root]
        if not known or Path(where).exists():
            back = {row.id: {"error": None} for row in known if row.state == "done" and row.error}
            self._rows.change(self._id, back)
            yield from self._gather(from_path(where, self._stamps()), root)
        elif Path(where).parent.is_dir():
            self._remove([row.id for row in known])
        else:
            missing = bad(where, "missing").to_dict()
            self._rows.change(self._id, {row.id: {"error": missing} for row in known})

    def _gather(self, items: Iterator[Item], root: str) -> Progresses:
        """Take every item in; what the root had before and has no longer goes."""
        seen: set[str] = set()
        with self.report.timed("gather"):
            for item in items:
                seen.add(item.source)
                self._take(item)
                yield self._pace.progress()
        gone = [row.id for row in self._rows.list(self._id) if row.root == root and row.source not in seen]
        self._remove(gone)

    def _take(self, item: Item) -> None:
        if item.data is None and item.error is None:
            return
        sha256, error = "", item.error
        if item.data is not None:
            room = self._all.room(self._collection)
            if room is not None and len(item.data) > room:
                error = bad(item.name, "collection_full")
            else:
                sha256 = self._folder.keep(item.data)
        values = {"name": item.name, "root": item.root, "stamp": item.stamp, "bytes": item.size}
        new = self._rows.put(self._id, source=item.source, sha256=sha256, again=error is not None, **values)
        if error is not None:
            self._fail(file_id(item.source), error)
        elif new:
            self._pace.add(item.size)

    def _fetch(self, address: str) -> None:
        """The page as it is now; what was read of it before stays where nothing comes."""
        source = f"url:{address}"
        try:
            with self.report.timed("gather"):
                name, data = self._tools.fetch(address)
        except EngineError as error:
            row = self._rows.get(self._id, file_id(source))
            if row.chunks is None:
                self._fail(row.id, error)
            else:
                self._rows.change(self._id, {row.id: {"error": error.to_dict()}})
            return
        name = shown(f"{urlsplit(address).hostname or ''}/{name}")
        self._take(Item(name, source, source, len(data), data))

    def _work(self) -> Progresses:
        while waiting := self._rows.list(self._id, "waiting"):
            self._made = self._tools  # what is wrong with an embedder is not the files' fault
            self._pace.start(sum(row.bytes for row in waiting))
            for row in waiting:
                if not row.sha256 and row.source.startswith("url:"):
                    self._fetch(row.source.removeprefix("url:"))
                else:
                    yield from self._open(row)
                yield self._pace.progress()
                if sum(len(chunks) for _, _, chunks in self._pending.values()) >= TOGETHER:
                    yield from self._flush()
            yield from self._flush()

    def _open(self, row: CollectionFile) -> Progresses:
        """Read one file; an archive becomes the files that are in it."""
        try:
            data = self._folder.original(row.sha256)
            if row.source.startswith("upload:") and is_archive(row.name, data):
                self._rows.change(self._id, {row.id: {"bytes": 0}})  # it makes room for what is in it
                yield from self._gather(from_zip(row.name, row.source, row.source, data), row.source)
            else:
                self._read(row, data)
        except (BadFile, BadInput) as error:
            if error.details.get("what") == "collection":
                raise
            self._pace.skip(row.bytes)
            self._fail(row.id, error)

    def _read(self, row: CollectionFile, data: bytes) -> None:
        with self.report.timed("read"):
            document = self._folder.text(row.sha256, row.name)
            if document is None:
                document = read(row.name, data)
                self._folder.keep_text(row.sha256, replace(document, name=row.name))
            document = replace(document, name=row.name)
        with self.report.timed("split"):
            chunks = self._tools.split(document, row.id, self._collection.splitting, self._tools.embedder.count)
        self._pending[row.id] = (row, document, chunks)
        self._pace.read(row.bytes, len(chunks))

    def _flush(self) -> Progresses:
        """Embed and write what is pending; a file that was deleted or replaced meanwhile is left out."""
        if not self._pending:
            return
        known = embedded(self._collection.splitting, self._tools.embedder)
        texts = [known(chunk) for _, _, chunks in self._pending.values() for chunk in chunks]
        made: list[Vectors] = []
        for at in range(0, len(texts), SLICE):
            with self.report.timed("embed"):
                made.append(self._tools.embed(texts[at : at + SLICE]))
            self._pace.embedded(len(made[-1]))
            yield self._pace.progress()
        vectors = np.concatenate(made) if made else np.zeros((0, self._tools.embedder.dimensions), np.float32)
        with self.report.timed("write"), self._folder.turn():
            self._write(vectors)
        self._pending.clear()
        if self.report.chunks - self._maintained >= MAINTAIN_EVERY:
            self._maintained = self.report.chunks
            self._maintain()

    def _write(self, vectors: Vectors) -> None:
        self._all.any(self._id)  # nothing is written for a collection that is gone
        known = {row.id: row.sha256 for row in self._rows.list(self._id, "waiting")}
        files: dict[str, tuple[Sequence[Chunk], Vectors]] = {}
        changes: dict[str, dict[str, Any]] = {}
        at = 0
        for key, (row, document, chunks) in self._pending.items():
            own, at = vectors[at : at + len(chunks)], at + len(chunks)
            if known.get(key) == row.sha256:
                files[key] = (chunks, own)
                changes[key] = _told(document, len(chunks))
        if files:
            self._table.write(files)
            self._rows.change(self._id, changes)
        self.report.read += len(files)
        self.report.chunks += sum(len(chunks) for chunks, _ in files.values())

    def _fail(self, key: str, error: EngineError) -> None:
        self._all.any(self._id)
        if self._table.count(key):
            with self._folder.turn():
                self._table.delete([key])
        self._rows.change(self._id, {key: {"state": "failed", "error": error.to_dict()}})
        self.report.failed += 1

    def _remove(self, keys: Sequence[str]) -> None:
        if keys:
            with self._folder.turn():
                self._rows.remove(self._id, keys)
                self._table.delete(keys)
            self.report.removed += len(keys)

    def _maintain(self) -> None:
        with self.report.timed("maintain"), self._folder.turn():
            self._table.maintain()
        give_memory_back()  # merging takes a multiple of what stays

    def _finish(self) -> None:
        self._all.any(self._id)
        if self.report.changed:
            self._maintain()
            with self.report.timed("maintain"):
                self._table.build_ann()
        with self._folder.turn():
            if self.report.changed:
                self.report.version, old = self._rows.keep_version(self._id)
                self._table.tag(label(self.report.version))
                for number in old:
                    self._table.untag(label(number))
            self._folder.prune(self._rows.contents(self._id))

    @property
    def _tools(self) -> Tools:
        if self._made is None:
            made = self._make()
            self._all.check_embedder(self._all.any(self._id), identity(made.embedder), indexing=True)
            self._made = made
        return self._made


@dataclass
class _Pace:
    """How many chunks are done, and how many there will be by the size of what is not read yet."""

    waiting: int = 0  # bytes
    bytes: int = 0  # of what was read
    split: int = 0
    done: int = 0

    def start(self, size: int) -> None:
        self.waiting = size

    def add(self, size: int) -> None:
        self.waiting += size

    def skip(self, size: int) -> None:
        self.waiting -= size

    def read(self, size: int, chunks: int) -> None:
        self.waiting -= size
        self.bytes += size
        self.split += chunks

    def embedded(self, chunks: int) -> None:
        self.done += chunks

    def progress(self) -> Progress:
        """Done of total; unknown before the first file is split."""
        if not self.bytes:
            return Progress(self.done)
        return Progress(self.done, self.split + round(max(0, self.waiting) * self.split / self.bytes))


def _told(document: Document, chunks: int) -> dict[str, Any]:
    pages = len(document.pages) if document.unit else None
    return {"state": "done", "pages": pages, "characters": document.characters, "chunks": chunks,
            "warnings": list(document.warnings), "error": None}  # fmt: skip
