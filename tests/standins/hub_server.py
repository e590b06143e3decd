"""A loopback Hugging Face hub after its documented HTTP interface: search, a model's files, `resolve` with a redirect
to another host, ranges, entity tags, gated and missing repositories; it fails on request.

Everything is real HTTP, broken connections included. Requests are recorded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_stand_in_0123456789"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE = 64 * 1024


@dataclass(frozen=True)
class Recorded:
    """One request: `door` is "hub" or "cdn"."""

    door: str
    path: str
    headers: dict[str, str]


@dataclass
class Faults:
    """What goes wrong with the next answers of the second host; each is used up by one answer, in this order."""

    statuses: list[int] = field(default_factory=list)  # answered instead of the file
    cuts: list[int] = field(default_factory=list)  # bytes after which the connection breaks
    first_byte_s: float = 0.0
    ignore_range: bool = False
    wrong_range: bool = False
    corrupt: bool = False
    endless: bool = False  # more bytes than announced to the listing
    piece_s: float = 0.0  # pause after each piece


@dataclass(frozen=True)
class Repository:
    """One repository: its files by path; small ones lie in git, without a digest."""

    files: dict[str, bytes]
    downloads: int = 1
    gated: bool = False
    licence: str = "apache-2.0"
    gguf: dict[str, Any] | None = None
    small: frozenset[str] = frozenset({"README.md"})
    was: str | None = None  # an older name, which leads to this one


@dataclass
class HubServer:
    """A running hub and its second host."""

    address: str
    cdn: str
    repositories: dict[str, Repository]
    requests: list[Recorded] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    refuse: tuple[int, dict[str, str], str] | None = None  # every answer of the hub itself

    def doors(self, door: str) -> list[Recorded]:
        """The requests that came to one of the two hosts."""
        return [request for request in self.requests if request.door == door]


def digest(data: bytes) -> str:
    """What the hub tells as a large file's `oid`."""
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def hub_server(**repositories: Repository) -> Iterator[HubServer]:
    """A hub with these repositories; `owner__name` stands for `owner/name`."""
    known = {name.replace("__", "/", 1): repository for name, repository in repositories.items()}
    with _listening(_Hub) as hub, _listening(_Cdn) as cdn:
        server = HubServer(_address(hub), _address(cdn), known)
        hub.told = cdn.told = server  # type: ignore[attr-defined]
        yield server


@contextlib.contextmanager
def _listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


class _Door(BaseHTTPRequestHandler):
    """What both hosts share."""

    protocol_version = "HTTP/1.1"
    door = ""

    @property
    def hub(self) -> HubServer:
        return self.server.told  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        """Record, then answer."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Recorded(self.door, self.path, headers))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client has gone
            self.answer(headers)

    def answer(self, headers: dict[str, str]) -> None:
        """The answer to a recorded request."""

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        """A JSON answer."""
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


class _Hub(_Door):
    door = "hub"

    def answer(self, headers: dict[str, str]) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        moved = {old.was: name for name, old in self.hub.repositories.items() if old.was}
        was = next((name for name in moved if f"/{name}" in parts.path), None)
        if was is not None:
            return self.send(307, b"", {"Location": self.path.replace(was, moved[was])})
        if self.hub.refuse is not None:
            status, more, text = self.hub.refuse
            self.send(status, text.encode(), more)
        elif parts.path == "/api/models":
            self._search(query)
        elif parts.path.startswith("/api/models/"):
            self._model(unquote(parts.path.removeprefix("/api/models/")), "blobs" in query, headers)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", unquote(parts.path)):
            self._resolve(found[1], found[2], found[3], headers)
        else:
            self._error(404, "NotFound", "Not Found")

    def _search(self, query: dict[str, list[str]]) -> None:
        words = query.get("search", [""])[0].casefold().split()
        rows = [
            self._row(name, repository)
            for name, repository in self.hub.repositories.items()
            if all(word in name.casefold() for word in words)
        ]
        rows.sort(key=lambda row: -row[query.get("sort", ["downloads"])[0]])
        self.send_json(200, rows[: int(query.get("limit", ["1000"])[0])])

    def _model(self, name: str, blobs: bool, headers: dict[str, str]) -> None:
        if (repository := self._opened(name, headers, gate=False)) is None:
            return
        siblings = [self._sibling(path, repository) if blobs else {"rfilename": path} for path in repository.files]
        self.send_json(200, self._row(name, repository) | {"sha": COMMIT, "siblings": siblings})

    def _resolve(self, name: str, revision: str, path: str, headers: dict[str, str]) -> None:
        if (repository := self._opened(name, headers, gate=True)) is None:
            return
        if revision not in ("main", COMMIT):
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif (data := repository.files.get(path)) is None:
            self._error(404, "EntryNotFound", "Entry not found")
        elif path in repository.small:
            self.send(200, data, {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT})
        else:
            told = {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{digest(data)}"'}
            self.send(302, b"Found", {"Location": f"{self.hub.cdn}/{digest(data)}?Signature=s", **told})

    def _opened(self, name: str, headers: dict[str, str], gate: bool) -> Repository | None:
        """The repository; else the hub's refusal is sent. A stranger is not told whether a repository exists."""
        given = headers.get("authorization")
        repository = self.hub.repositories.get(name)
        if given not in (None, f"Bearer {TOKEN}"):
            self._error(401, "", "Invalid credentials in Authorization header")
        elif repository is None and given is None:
            self._error(401, "RepoNotFound", "Invalid username or password.")
        elif repository is None:
            self._error(404, "RepoNotFound", "Repository not found")
        elif gate and repository.gated and given is None:
            self._error(401, "GatedRepo", f"Access to model {name} is restricted.")
        else:
            return repository
        return None

    def _error(self, status: int, code: str, message: str) -> None:
        named = {"X-Error-Code": code} if code else {}
        self.send_json(status, {"error": message}, {**named, "X-Error-Message": message})

    @staticmethod
    def _row(name: str, repository: Repository) -> dict[str, Any]:
        return {
            "_id": "6543",
            "id": name,
            "modelId": name,
            "downloads": repository.downloads,
            "likes": 3,
            "gated": "manual" if repository.gated else False,
            "tags": ["gguf", f"license:{repository.licence}", "region:us"],
            "lastModified": "2026-01-02T03:04:05.000Z",
            "gguf": repository.gguf,
        }

    @staticmethod
    def _sibling(path: str, repository: Repository) -> dict[str, Any]:
        data = repository.files[path]
        told: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
        if path not in repository.small:
            told["lfs"] = {"sha256": digest(data), "size": len(data), "pointerSize": 135}
        return told


class _Cdn(_Door):
    door = "cdn"

    def answer(self, headers: dict[str, str]) -> None:
        faults = self.hub.faults
        if "authorization" in headers:
            self.send(400, b"Only one auth mechanism allowed")
        elif faults.statuses:
            self.send(faults.statuses.pop(0), b"not now")
        else:
            self._file(headers, faults)

    def _file(self, headers: dict[str, str], faults: Faults) -> None:
        wanted = urlsplit(self.path).path.strip("/")
        files = (data for repository in self.hub.repositories.values() for data in repository.files.values())
        data = next(data for data in files if digest(data) == wanted)
        if faults.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if faults.endless:
            data += bytes(PIECE)
        start = 0 if faults.ignore_range else self._start(headers)
        time.sleep(faults.first_byte_s)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {0 if faults.wrong_range else start}-{len(data) - 1}/{len(data)}")
            faults.wrong_range = False
        self.send_header("ETag", f'"{wanted}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self._body(data[start:], faults)

    def _body(self, data: bytes, faults: Faults) -> None:
        cut = faults.cuts.pop(0) if faults.cuts else None
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE] if cut is None else data[at : min(at + PIECE, cut)]
            self.wfile.write(piece)
            if cut is not None and at + PIECE >= cut:
                self.close_connection = True
                return
            time.sleep(faults.piece_s)

    @staticmethod
    def _start(headers: dict[str, str]) -> int:
        found = re.fullmatch(r"bytes=(\d+)-\d*", headers.get("range", ""))
        return int(found[1]) if found else 0
