"""Whose collections there are, what is in each, who may read it. Knows no embedder and splits no document.

Every collection has a folder of its own under the data folder: originals, read texts, and (unless ATELIER_LANCEDB_URI
says otherwise) its LanceDB table. Raises StoreFailed.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, or_, select, update

from engine.documents import Document, read
from engine.errors import AccessDenied, BadInput, EmbedderMismatch, NotFound
from engine.rag import identity
from engine.rag.folder import Folder, folders
from engine.rag.rows import CollectionFile, CollectionVersion, FileRows, for_readers
from engine.rag.values import Splitting
from engine.settings import Settings, from_environment
from engine.store import Store
from engine.tables import collection_files, collections, people

if TYPE_CHECKING:
    from engine.rag.identity import Identity
    from engine.rag.vectorstore import ChunkTable

NAME_MAX = 100
OPEN_MAX = 64  # tables that are kept open
TEMPORARY_S = 24 * 3600.0
STORAGE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET", "GOOGLE_SERVICE_ACCOUNT_KEY",
                "GOOGLE_APPLICATION_CREDENTIALS")  # fmt: skip


@dataclass(frozen=True)
class Collection:
    """One collection as it is now; embedder and splitting are fixed at its creation."""

    id: str
    owner: str
    name: str
    embedder: str
    splitting: Splitting
    shared: bool  # everybody may search it, its owner alone changes it
    temporary: bool  # never listed
    created: float
    files: int
    chunks: int
    bytes: int  # of the originals
    fingerprint: str | None = None  # of the vectors its embedder gives; None until something was indexed

    @property
    def title(self) -> str:
        """What people call it: its name, without the mark that a temporary one has in front."""
        return self.name.partition(" ")[2] if self.temporary else self.name


class Collections:
    """The collections of this data folder. Whoever is not the owner reads a shared one only, and changes none: every
    other is a NotFound, as one that does not exist.
    """

    def __init__(
        self, store: Store, settings: Settings, *, clock: Callable[[], float] = time.time,
        storage: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.storage = storage_keys() if storage is None else dict(storage)
        self.rows = FileRows(store, clock=clock)
        self._store = store
        self._of = store.url.render_as_string(hide_password=True)
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._tables: dict[str, ChunkTable] = {}

    def create(
        self, owner: str, name: str, embedder: str | None = None, splitting: Splitting | None = None, *,
        temporary: bool = False,
    ) -> Collection:  # fmt: skip
        """A new, empty one, by default with this machine's default embedder; a temporary one is never listed and needs
        no name. With one it is for people (`passing`), and gone at the next start of the one that serves.

        Raises BadInput: a name that is none or taken, more than a student may have; BadParameter of the splitting.
        """
        from engine.rag.embedders import default_embedder
        from engine.rag.splitting import RESERVED, check

        splitting = splitting or Splitting()
        check(splitting, splitting.size + RESERVED)  # what its embedder can take is known when that is loaded
        key = secrets.token_hex(8)
        row: dict[str, Any] = {"id": key, "owner": owner, "name": _passing(key, name) if temporary else _name(name)}
        row |= {"embedder": embedder or default_embedder(), "splitting": asdict(splitting)}
        row |= {"shared": 0, "temporary": int(temporary)}
        with self._store.write() as connection:
            _untaken(connection, owner, row["name"])
            if not temporary and not _teaches(connection, owner):
                self._check_number(connection, owner)
            connection.execute(collections.insert().values(**row, created=self._clock()))
        self.folder(key).make(self._of)
        return self.get(owner, key)

    def list(self, owner: str) -> tuple[Collection, ...]:
        """The person's own by name, then those shared with them; no temporary ones."""
        mine = or_(collections.c.owner == owner, collections.c.shared == 1)
        with self._store.read() as connection:
            rows = connection.execute(_counted().where(mine, collections.c.temporary == 0)).mappings().all()
        found = [_collection(row) for row in rows]
        return tuple(sorted(found, key=lambda one: (one.owner != owner, one.name.casefold(), one.id)))

    def passing(self, owner: str) -> tuple[Collection, ...]:
        """The person's temporary ones that have a title and are not due to go, newest first."""
        young = collections.c.created >= self._clock() - TEMPORARY_S
        with self._store.read() as connection:
            rows = connection.execute(_counted().where(collections.c.owner == owner, _titled(), young)).mappings().all()
        return tuple(sorted(map(_collection, rows), key=lambda one: (one.created, one.id), reverse=True))

    def get(self, owner: str, collection_id: str) -> Collection:
        """One that the person may read. Raises NotFound."""
        found = self.any(collection_id)
        if found.owner != owner and not found.shared:
            raise _none(collection_id)
        return found

    def mine(self, owner: str, collection_id: str) -> Collection:
        """One that the person may change. Raises NotFound, AccessDenied for a shared one."""
        found = self.get(owner, collection_id)
        if found.owner != owner:
            raise AccessDenied(f"{found.name} is its owner's to change", role="teacher")
        return found

    def any(self, collection_id: str) -> Collection:
        """One, whoever asks: for jobs, whose owner was asked before. Raises NotFound."""
        with self._store.read() as connection:
            row = connection.execute(_counted().where(collections.c.id == collection_id)).mappings().first()
        if row is None:
            raise _none(collection_id)
        return _collection(row)

    def find(self, owner: str, name: str) -> Collection:
        """The one of that name or id, the person's own before a shared one. Raises NotFound."""
        found = next((one for one in self.list(owner) if name in (one.name, one.id)), None)
        if found is None:
            raise _none(name)
        return found

    def rename(self, owner: str, collection_id: str, name: str) -> Collection:
        """The collection under another name. Raises NotFound, BadInput."""
        found, new = self.mine(owner, collection_id), _name(name)
        if found.temporary:
            raise BadInput("a temporary collection keeps its title", what="name")
        with self._store.write() as connection:
            if new != found.name:
                _untaken(connection, owner, new)
            connection.execute(update(collections).where(collections.c.id == found.id).values(name=new))
        return self.get(owner, collection_id)

    def share(self, owner: str, collection_id: str, shared: bool = True) -> Collection:
        """The collection, readable for everybody or no longer. Raises NotFound, AccessDenied for a student."""
        found = self.mine(owner, collection_id)
        with self._store.write() as connection:
            if not _teaches(connection, owner):
                raise AccessDenied("sharing is the teacher's", role="teacher")
            connection.execute(update(collections).where(collections.c.id == found.id).values(shared=int(shared)))
        return self.get(owner, collection_id)

    def delete(self, owner: str, collection_id: str) -> None:
        """Forget it with its folder, its table and its versions. Raises NotFound."""
        found = self.mine(owner, collection_id)
        with self._store.write() as connection:
            connection.execute(delete(collections).where(collections.c.id == found.id))
        self._discard(found.id)

    def files(self, owner: str, collection_id: str) -> tuple[CollectionFile, ...]:
        """Its files by name; of a shared one, its owner's paths are not told. Raises NotFound."""
        found = self.get(owner, collection_id)
        files = self.rows.list(found.id)
        return files if found.owner == owner else tuple(map(for_readers, files))

    def document(self, owner: str, collection_id: str, file_id: str) -> Document:
        """What was read of the file, page by page; chunks count in its `text`. Raises NotFound, BadFile."""
        folder, file = self.folder(self.get(owner, collection_id).id), self.rows.get(collection_id, file_id)
        kept = folder.text(file.sha256, file.name)
        return kept if kept is not None else read(file.name, folder.original(file.sha256))

    def original(self, owner: str, collection_id: str, file_id: str) -> bytes:
        """The file as it came, to show its pages. Raises NotFound."""
        found = self.get(owner, collection_id)
        return self.folder(found.id).original(self.rows.get(found.id, file_id).sha256)

    def delete_file(self, owner: str, collection_id: str, file_id: str) -> None:
        """Take one file out, with its chunks; a version that has it keeps it. Raises NotFound, TimedOut."""
        found = self.mine(owner, collection_id)
        with self.folder(found.id).turn():
            self.rows.remove(found.id, [self.rows.get(found.id, file_id).id])
            self.table(found).delete([file_id])
            self.folder(found.id).prune(self.rows.contents(found.id))

    def versions(self, owner: str, collection_id: str) -> tuple[CollectionVersion, ...]:
        """The states that it can go back to, newest first. Raises NotFound."""
        return self.rows.versions(self.get(owner, collection_id).id)

    def rollback(self, owner: str, collection_id: str, number: int) -> Collection:
        """The collection, with files and chunks as they were in that version. Raises NotFound, TimedOut."""
        found = self.mine(owner, collection_id)
        with self.folder(found.id).turn():
            self.rows.begin_rollback(found.id, number)
            table = self.table(found)
            if label(number) in table.labels():
                table.restore(label(number))
            else:  # nothing was in it
                table.delete(tuple(table.counts()))
            self.rows.end_rollback(found.id, number)
        return self.get(owner, collection_id)

    def table(self, collection: Collection, embedder: str | None = None) -> ChunkTable:
        """Its chunks; `embedder` is the name of the question's. Raises EmbedderMismatch."""
        if embedder is not None and embedder != collection.embedder:
            details = {"collection": collection.name, "expected": collection.embedder, "given": embedder}
            raise EmbedderMismatch(f"{collection.name} was made with {collection.embedder}, not {embedder}", **details)
        with self._lock:
            table = self._tables.pop(collection.id, None) or self._table(collection.id)
            self._tables[collection.id] = table  # the last one used is the last one to go
            for oldest in list(self._tables)[:-OPEN_MAX]:
                del self._tables[oldest]
        return table

    def check_embedder(self, collection: Collection, found: Identity, *, indexing: bool = False) -> None:
        """Return where an embedder known by `found` gives vectors like the collection's; `indexing` remembers it where
        none is. One that was filled by an older version has none until then. Raises EmbedderMismatch.
        """
        column = collections.c.embedder_identity
        with self._store.read() as connection:
            row = connection.execute(select(column).where(collections.c.id == collection.id)).first()
        known = identity.of(row[0] if row else None)
        if known is None and indexing:
            none = and_(collections.c.id == collection.id, column.is_(None))
            with self._store.write() as connection:
                connection.execute(update(collections).where(none).values(embedder_identity=found.text))
        if known is None or known.like(found):
            return
        expected, given = (f"{collection.embedder} ({one.fingerprint})" for one in (known, found))
        details = {"collection": collection.title, "expected": expected, "given": given}
        raise EmbedderMismatch(f"{collection.title} was made with {expected}, which is now {given}", **details)

    def folder(self, collection_id: str) -> Folder:
        """Where its files lie."""
        return Folder(self._settings.home, collection_id)

    def room(self, collection: Collection) -> int | None:
        """Bytes that may still be put into it; None without a limit."""
        if self.teaches(collection.owner):
            return None
        return max(0, self._settings.collection_mb * 2**20 - self.rows.bytes(collection.id))

    def teaches(self, owner: str) -> bool:
        """Whether that person is a teacher."""
        with self._store.read() as connection:
            return _teaches(connection, owner)

    def waiting(self) -> tuple[Collection, ...]:
        """Everybody's collections with files that are not read yet, for those who go on with them."""
        waits = select(collection_files.c.collection).where(collection_files.c.state == "waiting")
        query = _counted().where(collections.c.id.in_(waits), collections.c.temporary == 0)
        with self._store.read() as connection:
            return tuple(_collection(row) for row in connection.execute(query).mappings())

    def sweep(self, *, starting: bool = False) -> None:
        """Remove what nobody has any more: folders of persons who are gone, temporary ones of yesterday; where the one
        that serves is `starting`, all that have a title: the pages that showed them are gone. The others may belong to
        a command that runs beside it.
        """
        old = and_(collections.c.temporary == 1, collections.c.created < self._clock() - TEMPORARY_S)
        with self._store.write() as connection:
            connection.execute(delete(collections).where(or_(old, _titled()) if starting else old))
            known = set(connection.execute(select(collections.c.id)).scalars())
        for key in set(folders(self._settings.home, self._of)) - known:
            self._discard(key)

    def _discard(self, collection_id: str) -> None:
        """Its folder last: as long as it is there, a sweep knows of the table."""
        with self._lock:
            self._tables.pop(collection_id, None)
        if self._settings.lancedb_uri:
            self._table(collection_id).drop()
        self.folder(collection_id).remove()

    def _table(self, collection_id: str) -> ChunkTable:
        from engine.rag.vectorstore import ChunkTable

        remote = self._settings.lancedb_uri
        if not remote:
            return ChunkTable(str(self.folder(collection_id).path))
        return ChunkTable(f"{remote.rstrip('/')}/{collection_id}", storage=self.storage)

    def _check_number(self, connection: Connection, owner: str) -> None:
        limit = self._settings.collections
        own = (collections.c.owner == owner, collections.c.temporary == 0)
        query = select(func.count()).select_from(collections).where(*own)
        if connection.execute(query).scalar_one() >= limit:
            raise BadInput(
                f"{limit} collections are the most", what="collections", reason="too_many_collections", limit=limit
            )


def label(number: int) -> str:
    """What a version is called in the table."""
    return f"v{number}"


def storage_keys() -> dict[str, str]:
    """What this process's environment says about object storage and a child's is not told, for LanceDB's options."""
    found = {name.lower(): from_environment(name) for name in STORAGE_KEYS}
    return {name: value for name, value in found.items() if value is not None}


def _counted() -> Select[Any]:
    """Collections with the sums over their files."""
    sums = [func.coalesce(func.sum(collection_files.c[name]), 0).label(name) for name in ("chunks", "bytes")]
    files = func.count(collection_files.c.id).label("files")
    joined = collections.outerjoin(collection_files, collection_files.c.collection == collections.c.id)
    return select(collections, files, *sums).select_from(joined).group_by(collections.c.id)


def _collection(row: Mapping[Any, Any]) -> Collection:
    values = dict(row) | {"splitting": Splitting(**{"headings": False} | row["splitting"])}
    values |= {name: bool(row[name]) for name in ("shared", "temporary")}
    values |= {name: int(row[name]) for name in ("files", "chunks", "bytes")}
    known = identity.of(values.pop("embedder_identity"))
    values["fingerprint"] = known.fingerprint if known else None
    return Collection(**values)


def _name(text: str) -> str:
    name = text.strip()
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable() or name.startswith("~"):
        raise BadInput("a collection's name has 1 to 100 printable characters and no ~ in front", what="name")
    return name


def _passing(key: str, title: str) -> str:
    """The name of a temporary one, which no other has."""
    told = "".join(letter if letter.isprintable() else " " for letter in title)
    return f"~{key} {' '.join(told.split())[:NAME_MAX]}".strip()


def _titled() -> ColumnElement[bool]:
    return and_(collections.c.temporary == 1, collections.c.name.like("~% %"))


def _untaken(connection: Connection, owner: str, name: str) -> None:
    query = select(collections.c.id).where(collections.c.owner == owner, collections.c.name == name)
    if connection.execute(query).first():
        raise BadInput(f"collection {name} exists already", what="name", reason="taken")


def _teaches(connection: Connection, owner: str) -> bool:
    return connection.execute(select(people.c.role).where(people.c.id == owner)).scalar() == "teacher"


def _none(key: str) -> NotFound:
    return NotFound(f"no collection {key}", what="collection", key=key)
