"""Bringing sources into a collection, as a job of the queue or here. Knows no interface and reads no document.

`start` puts it into the queue of heavy work; `fill` and `temporary` do it here, for those who are in a job or a command
already.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.documents.formats import bad
from engine.documents.reading import BYTES_MAX
from engine.errors import AccessDenied, BadInput
from engine.rag.collections import Collection, Collections
from engine.rag.filling import Filling, Report, Tools
from engine.rag.rows import file_id
from engine.rag.sources import ZIP_MAX, Source, is_archive, shown
from engine.rag.values import Splitting
from engine.settings import Settings
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job

TASK = "engine.rag.indexing:index"
FETCHED_MAX = 50 * 2**20  # bytes of one file of the web
FETCHED_S = 60.0


def start(
    engine: Engine, owner: str, collection_id: str, sources: Sequence[Source] = (), *,
    key: str | None = None, task: str = TASK,
) -> Job:  # fmt: skip
    """The job that brings the sources in; without any, it looks again at all that the collection came from.

    Its progress is in chunks, its result a Report's dict; files tell their own state through `Collections.files`, and
    what is uploaded is kept at once, whatever becomes of the job. `key` is for an embedder behind an endpoint; without
    it, that of the owner's visit (`engine.visit_keys`) is handed to the job, unrecorded.
    Raises NotFound, BadInput collection_full, AccessDenied (paths are the teacher's; a shared collection its owner's).
    """
    collections = engine.collections
    collection = collections.mine(owner, collection_id)
    return _submit(engine, collection, keep(collections, collection, sources), key, task)


def resume(engine: Engine) -> tuple[Job, ...]:
    """Jobs for all that an end of the program interrupted; for the one that serves, at its start."""
    open_ = {job.args.get("collection") for job in engine.jobs.list(states=("queued", "running"))}
    return tuple(_submit(engine, one, {}) for one in engine.collections.waiting() if one.id not in open_)


def _submit(
    engine: Engine, collection: Collection, kept: Mapping[str, list[str]], key: str | None = None, task: str = TASK
) -> Job:
    from engine.rag.embedders import key_for

    teaches = engine.collections.teaches(collection.owner)
    args: dict[str, Any] = {"home": str(engine.settings.home), "collection": collection.id, **kept}
    args["role"] = "teacher" if teaches else "student"
    key = key or engine.visit_keys.of(collection.owner, collection.embedder)
    given = key_for(collection.embedder, key, engine) if teaches else key
    secrets = {"key": given, "storage": engine.collections.storage}
    return engine.jobs.submit(collection.owner, task, args, collection.title, secrets=secrets)


def index(
    home: str, collection: str, paths: Sequence[str] = (), addresses: Sequence[str] = (), role: str = "teacher",
    key: str | None = None, storage: Mapping[str, str] | None = None,
) -> Generator[Progress, None, dict[str, Any]]:  # fmt: skip
    """The task of `start`."""
    from engine.engine import Engine

    with closing(Engine(Settings(home=Path(home)))) as engine, ExitStack() as stack:
        collections = Collections(engine.store, engine.settings, storage=storage)
        found = collections.any(collection)
        work = Filling(collections, found, lambda: stack.enter_context(tools(engine, found, role, key)))
        report = yield from work.run(paths, addresses)
    return report.to_dict()


def fill(
    engine: Engine, collection: Collection, sources: Sequence[Source] = (), *, key: str | None = None
) -> Generator[Progress, None, Report]:
    """What `start` does, in this process."""
    kept = keep(engine.collections, collection, sources)
    role = "teacher" if engine.collections.teaches(collection.owner) else "student"
    with ExitStack() as stack:
        made = lambda: stack.enter_context(tools(engine, collection, role, key))  # noqa: E731
        return (yield from Filling(engine.collections, collection, made).run(**kept))


@contextmanager
def temporary(
    engine: Engine, owner: str, sources: Sequence[Source], embedder: str | None = None,
    splitting: Splitting | None = None,
) -> Iterator[Collection]:  # fmt: skip
    """A collection of these sources that is never listed and gone afterwards, indexed in this process."""
    collection = engine.collections.create(owner, "", embedder, splitting, temporary=True)
    try:
        for _ in fill(engine, collection, sources):
            pass
        yield engine.collections.get(owner, collection.id)
    finally:
        engine.collections.delete(owner, collection.id)


@contextmanager
def tools(engine: Engine, collection: Collection, role: str, key: str | None = None) -> Iterator[Tools]:
    """The real ones, with the cache of vectors. Raises what `engine.rag.embedders.embedder` raises."""
    from engine.rag.embedders import Role
    from engine.rag.embedders import embedder as named
    from engine.rag.splitting import WordCount, check, split
    from engine.rag.vectors import VectorCache, embed
    from engine.rag.web import Limits, fetch

    threads = engine.settings.threads
    who: Role = "teacher" if role == "teacher" else "student"
    made = named(collection.embedder, engine, key=key, role=who, threads=threads)
    check(collection.splitting, made.tokens_max)
    count = WordCount(made.count)

    def get(address: str) -> tuple[str, bytes]:
        page = fetch(address, Limits(FETCHED_MAX, FETCHED_S))
        return page.name, page.data

    with VectorCache.of(engine.settings) as cache:
        yield Tools(
            made,
            lambda document, key, splitting, _: split(document, key, splitting, count),
            lambda texts: embed(made, texts, cache),
            get,
        )


def keep(collections: Collections, collection: Collection, sources: Sequence[Source]) -> dict[str, list[str]]:
    """Keep what is here already, as waiting files; the paths and addresses that are left to look at.

    Raises BadInput collection_full, AccessDenied for a student's paths.
    """
    if not sources:
        return _again(collections, collection)
    if any(source.kind == "path" for source in sources) and not collections.teaches(collection.owner):
        raise AccessDenied("folders of this machine are the teacher's", role="teacher")
    room = collections.room(collection)
    if room is not None and sum(len(source.data or b"") for source in sources) > room:
        raise BadInput(f"{collection.name} is full", what="collection", reason="collection_full", room=room)
    for source in sources:
        if source.kind != "path":
            _keep(collections, collection, source)
    addresses = [source.where for source in sources if source.kind == "url" and source.data is None]
    return {"paths": [source.where for source in sources if source.kind == "path"], "addresses": addresses}


def _again(collections: Collections, collection: Collection) -> dict[str, list[str]]:
    """Everywhere that its files came from and that can be looked at again."""
    rows = collections.rows.list(collection.id)
    found: dict[str, list[str]] = {}
    for name, kind in (("paths", "path:"), ("addresses", "url:")):
        found[name] = list(dict.fromkeys(row.root.removeprefix(kind) for row in rows if row.root.startswith(kind)))
    return found


def _keep(collections: Collections, collection: Collection, source: Source) -> None:
    data, name = source.data or b"", shown(source.name or source.where)
    values: dict[str, Any] = {"name": name, "root": source.key, "stamp": None, "bytes": len(data)}
    if source.data is None:
        known = {row.source for row in collections.rows.list(collection.id)}
        if source.key not in known:
            collections.rows.put(collection.id, source=source.key, sha256="", **values)
        return
    if len(data) > (ZIP_MAX if is_archive(name, data) else BYTES_MAX):
        collections.rows.put(collection.id, source=source.key, sha256="", again=True, **values)
        told = {"state": "failed", "error": bad(name, "too_large").to_dict()}
        collections.rows.change(collection.id, {file_id(source.key): told})
        return
    collections.rows.put(
        collection.id, source=source.key, sha256=collections.folder(collection.id).keep(data), **values
    )
