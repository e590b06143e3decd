"""A model fetched from the Hugging Face hub into one's own models folder: a task for a job child, and its submission.

What has arrived stays in a hidden part file, named after the hub's digest: whoever asks again goes on from there,
after a broken network, a cancelled job or a killed process alike. A file gets its name once its SHA-256 is the hub's.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import (
    AccessDenied,
    EngineError,
    JobFailed,
    ModelFileCorrupt,
    RateLimited,
    ServerFailed,
    StreamCut,
    TimedOut,
    Unreachable,
)
from engine.filelock import file_lock
from engine.models.gguf_header import read_header
from engine.models.hub_http import HubSession
from engine.models.hub_names import file_path, local_name
from engine.models.importing import not_kept
from engine.models.quantize import sha256
from engine.models.room import check_room
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job
    from engine.models.hub import HubFile, HubRepository

TASK = "engine.models.download:download"
SUFFIX = ".download"
TRIES = 5  # in a row that bring no byte
PAUSE_S = 1.0  # before the second of them; twice that before the third
LONGEST_PAUSE_S = 60.0
PASSING = frozenset({408, 429, 500, 502, 503, 504})  # statuses of troubles that pass
SPARE = 64 * 2**20  # room that is left on the disk


@dataclass(frozen=True)
class Partial:
    """What an unfinished download has left: its file's name here, `size_bytes` so far, seconds since 1970."""

    name: str
    path: Path
    size_bytes: int
    changed: float


def arguments(engine: Engine, repository: HubRepository, file: HubFile) -> dict[str, Any]:
    """The task's arguments, without the token."""
    parts = [{"name": part.name, "size": part.size_bytes, "sha256": part.sha256} for part in file.parts]
    where = {"hub": engine.settings.hub, "folder": str(engine.settings.models_dir)}
    return {**where, "repository": repository.id, "revision": repository.revision, "parts": parts}


def start_download(
    engine: Engine, owner: str, repository: HubRepository, file: HubFile, *, role: str, token: str | None = None
) -> Job:
    """The job that downloads the file; its progress is in bytes. `token` is written nowhere. Raises AccessDenied.

    Beside the heavy jobs rather than in their queue: it needs the network, and hardly a processor.
    """
    from engine.models.hub import hub_token

    if role != "teacher":
        raise AccessDenied("downloading models is the teacher's", role="teacher")
    return engine.jobs.submit(
        owner, TASK, arguments(engine, repository, file), f"{repository.id} · {file.quantization or file.name}",
        secrets={"token": token or hub_token()}, lane="network",
    )  # fmt: skip


def download(
    hub: str, repository: str, revision: str, parts: Sequence[Mapping[str, Any]], folder: str, token: str | None = None,
    pause_s: float = PAUSE_S,
) -> Generator[Progress, None, dict[str, Any]]:  # fmt: skip
    """Fetch the parts of one model, checked, into the folder; bytes there of all.

    Returns path (of the first part), files, size, sha256 (by name), repository, revision, `fetched` files, `checked`:
    whether the hub told every digest. Raises Unreachable, TimedOut, StreamCut, Unauthorized, NotFound, DiskFull,
    JobFailed (checksum), ModelFileCorrupt.
    """
    place = Path(folder)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = [_Wanted.of(part, repository, revision) for part in parts]
    names = _names(place, repository, wanted)
    fetcher = _Fetcher(HubSession(hub, token), repository, revision, pause_s)
    with _alone(place, names[0]):
        missing = [pair for pair in zip(wanted, names, strict=True) if not (place / pair[1]).exists()]
        check_room(place, sum(one.size - one.there(place, name) for one, name in missing) + SPARE)
        digests = yield from _fetch(fetcher, place, missing, sum(one.size for one in wanted))
        for one, name in missing:
            os.replace(one.part(place, name), place / name)
    known = {name: one.sha256 or digests.get(name) for one, name in zip(wanted, names, strict=True)}
    return {
        "path": str(place / names[0]), "files": names, "size": sum(one.size for one in wanted), "sha256": known,
        "repository": repository, "revision": revision, "checked": all(one.sha256 for one in wanted),
        "fetched": len(missing),
    }  # fmt: skip


def partials(folder: Path) -> tuple[Partial, ...]:
    """What unfinished downloads have left in the folder, the newest first."""
    found = []
    for path in folder.glob(f".*{SUFFIX}"):
        with suppress(FileNotFoundError):  # finished since
            stat = path.stat()
            found.append(Partial(_named(path), path, stat.st_size, stat.st_mtime))
    return tuple(sorted(found, key=lambda one: -one.changed))


def forget_partials(folder: Path) -> int:
    """How many bytes were given back: what unfinished downloads have left is removed, unless one goes on."""
    freed = 0
    for one in partials(folder):
        with suppress(EngineError), file_lock(folder / f".{_first(one.name)}.lock", timeout=0):
            one.path.unlink(missing_ok=True)
            freed += one.size_bytes
    return freed


@dataclass(frozen=True)
class _Wanted:
    """One file of the hub; `version` tells its bytes from other ones of the same name."""

    name: str
    size: int
    sha256: str | None
    version: str

    @classmethod
    def of(cls, told: Mapping[str, Any], repository: str, revision: str) -> _Wanted:
        digest = told.get("sha256")
        version = digest or hashlib.sha256(f"{repository}@{revision}".encode()).hexdigest()
        return cls(str(told["name"]), int(told["size"]), digest, version)

    def part(self, folder: Path, name: str) -> Path:
        """Where it lies until it is whole: another version of the file has another place."""
        return folder / f".{name}.{self.version[:12]}{SUFFIX}"

    def there(self, folder: Path, name: str) -> int:
        """Bytes that have arrived."""
        return _size(self.part(folder, name))

    def same(self, path: Path) -> bool:
        """Whether the file here is that one."""
        return path.stat().st_size == self.size and (self.sha256 is None or sha256(path) == self.sha256)


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """A block in which nobody else fetches the file. Raises JobFailed with reason running."""
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(folder / f".{name}.lock", timeout=0))
        except TimedOut as error:
            raise JobFailed(f"{name} is being downloaded already", job=TASK, reason="running", name=name) from error
        yield


def _names(folder: Path, repository: str, wanted: Sequence[_Wanted]) -> list[str]:
    """The names the files get: their own, after the repository's owner where another file has one of these."""
    for prefix in ("", f"{repository.partition('/')[0]}_", f"{repository.replace('/', '_')}_"):
        names = [local_name(f"{prefix}{one.name.rpartition('/')[2]}") for one in wanted]
        here = zip(wanted, (folder / name for name in names), strict=True)
        if all(not path.exists() or one.same(path) for one, path in here):
            return names
    raise JobFailed(f"another file has the name {names[0]}", job=TASK, reason="name_taken", name=names[0])


def _fetch(
    fetcher: _Fetcher, folder: Path, missing: Sequence[tuple[_Wanted, str]], total: int
) -> Generator[Progress, None, dict[str, str]]:
    """The digests of the files, which lie whole and checked in their parts."""
    done = total - sum(one.size for one, _ in missing)
    yield Progress(done, total)
    digests: dict[str, str] = {}
    for one, name in missing:
        part = one.part(folder, name)
        for there in fetcher.fetch(one, part):
            yield Progress(done + there, total)
        digests[name] = _checked(one, part)
        done += one.size
    return digests


def _checked(one: _Wanted, part: Path) -> str:
    """The digest of a whole part. Raises JobFailed, ModelFileCorrupt; the part is gone then, it cannot be mended."""
    found = sha256(part)
    try:
        if one.sha256 and found != one.sha256:
            text = f"{one.name}: the SHA-256 of what arrived is not the hub's; it was removed, try again"
            raise JobFailed(text, job=TASK, reason="checksum", expected=one.sha256, found=found)
        read_header(part)
    except ModelFileCorrupt as error:
        part.unlink()
        raise not_kept(one.name, str(error.details["reason"])) from error
    except EngineError:
        part.unlink()
        raise
    return found


class _Fetcher:
    """Brings files from one repository, in as many requests as the network takes."""

    def __init__(self, session: HubSession, repository: str, revision: str, pause_s: float) -> None:
        self._session = session
        self._repository = repository
        self._revision = revision
        self._pause_s = pause_s

    def fetch(self, one: _Wanted, part: Path) -> Iterator[int]:
        """How many bytes are there, after each piece; the part is of the right size at the end."""
        idle = 0  # tries in a row that brought nothing
        while not part.exists() or part.stat().st_size != one.size:
            before = _size(part)
            try:
                with self._session.refusals(self._repository):
                    yield from self._once(one, part, before)
                failure: EngineError = StreamCut(
                    f"{one.name}: {self._so_far(one, part)}", received=_size(part), reason="download"
                )
            except (Unreachable, TimedOut, RateLimited, ServerFailed) as error:
                if error.details.get("status", 500) not in PASSING:
                    raise
                failure = error
            idle = 0 if _size(part) > before else idle + 1
            if idle == TRIES:
                raise failure
            self._wait(idle, failure)

    def _so_far(self, one: _Wanted, part: Path) -> str:
        return f"the connection broke again and again, {_size(part)} of {one.size} bytes are here and kept"

    def _wait(self, idle: int, failure: EngineError) -> None:
        asked = failure.details.get("retry_after")
        seconds = asked if isinstance(asked, float) else self._pause_s * 2 ** (idle - 1) if idle else 0
        time.sleep(min(seconds, LONGEST_PAUSE_S))

    def _once(self, one: _Wanted, part: Path, there: int) -> Iterator[int]:
        """One request, from byte `there` on; an answer that begins elsewhere begins the part anew."""
        path = file_path(self._repository, self._revision, one.name)
        headers = {"Range": f"bytes={there}-"} if 0 < there < one.size else {}
        with ExitStack() as stack:
            reply = stack.enter_context(self._session.stream(path, headers))
            goes_on = bool(headers) and reply.status_code == 206
            if goes_on and not reply.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
                part.unlink()
                return
            file = stack.enter_context(part.open("ab" if goes_on else "wb"))
            size = there if goes_on else 0
            for piece in reply.iter_bytes():
                size += len(piece)
                if size > one.size:
                    part.unlink()
                    text = f"{one.name}: the hub announced {one.size} bytes and sends more"
                    raise JobFailed(text, job=TASK, reason="size", expected=one.size)
                file.write(piece)
                yield size


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _named(path: Path) -> str:
    """The name that the part of a file is to get."""
    return path.name[1:].removesuffix(SUFFIX).rpartition(".")[0] or path.name


def _first(name: str) -> str:
    """The name of the first part of the same model, which carries the lock."""
    return re.sub(r"-\d{5}-of-(?=\d{5}\.gguf$)", "-00001-of-", name)
