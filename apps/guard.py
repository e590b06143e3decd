"""The one door in front of Streamlit, Gradio, their websockets and files, `/v1`, `/mcp`, `/metrics` and `/runtime`:
which host names are ours, which origins may act, and who is asking. Knows no page and no model.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import psutil
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.classroom import Classroom
from apps.cors import Cors, is_preflight, preflight, telling
from apps.host import PERSON_HEADER
from apps.options import Options, is_loopback
from engine.person import LOCAL

if TYPE_CHECKING:
    from engine.keys import ApiKey, Keys
    from engine.people import People
    from engine.person import Person

PREFIX = b"x-atelier-"
OPEN_PATHS = frozenset({"/join", "/healthz"})
KEYED = ("/v1", "/mcp", "/metrics")  # what an API key opens
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
KNOWN_FOR_S = 2.0  # a page is a hundred files: one look into the store serves them all
DEFAULT_PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


def cookie_name(options: Options) -> str:
    """The cookie's name; cookies do not know ports, and two classes may run on one host."""
    return f"atelier_{options.port}"


class Hosts:
    """The names under which this server is asked for. A page of a foreign name that resolves to us gets nothing."""

    def __init__(self, options: Options) -> None:
        named = [name.strip().lower() for name in options.public_host.split(",") if name.strip()]
        self._public = frozenset({*named, options.forwarded_host.lower()} - {""})
        self._local_only = is_loopback(options.host)
        self._bound = options.host.lower()
        self._machine: frozenset[str] = frozenset()
        self._asked = 0.0

    def knows(self, authority: str) -> bool:
        """Whether "name:port" or "name" is one of ours; the port does not matter, tunnels change it."""
        name = bare(authority)
        if is_loopback(name) or name in self._public:
            return True
        return not self._local_only and (name == self._bound or name in self._own_names())

    def same(self, origin: str, authority: str) -> bool:
        """Whether an Origin header names the page that we serve under this Host, or one of our public names."""
        try:
            parts = urlsplit(origin)
        except ValueError:  # half an IPv6 address
            return False
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return False
        if bare(parts.netloc) in self._public:
            return True
        port = DEFAULT_PORTS[parts.scheme]
        return with_port(parts.netloc, port) == with_port(authority, port)

    def _own_names(self) -> frozenset[str]:
        if time.monotonic() - self._asked > 5 or not self._machine:  # a laptop changes its network during a class
            self._asked = time.monotonic()
            name = socket.gethostname().lower()
            own = {address.address.split("%")[0].lower() for card in psutil.net_if_addrs().values() for address in card}
            self._machine = frozenset({*own, name, f"{name.split('.')[0]}.local"})
        return self._machine


def bare(authority: str) -> str:
    """The host of "host:port" in lower case, an IPv6 address without its brackets."""
    text = authority.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def with_port(authority: str, default: str) -> str:
    """The authority in lower case with its port spelled out."""
    text = authority.strip().lower()
    _, colon, port = text.rpartition(":")
    return text if colon and port.isdigit() else f"{text}:{default}"


@dataclass(frozen=True)
class Doors:
    """What the guard looks people up in; functions, so that nothing is opened before somebody comes."""

    people: Callable[[], People]
    keys: Callable[[], Keys]
    classroom: Callable[[], Classroom]
    attach_key: Callable[[], str | None]
    origins: Callable[[], tuple[str, ...]]


@dataclass(frozen=True)
class Visit:
    """Who asks, and with which API key, if with one."""

    person: Person
    key: ApiKey | None = None


class Guard:
    """Plain ASGI middleware: refuses foreign hosts and origins, then lets in whom it knows and says who it is."""

    def __init__(self, app: ASGIApp, *, options: Options, doors: Doors) -> None:
        self.app = app
        self.options = options
        self.hosts = Hosts(options)
        self._doors = doors
        self._cors = Cors(doors.origins)
        self._known: dict[str, tuple[float, Person]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        scope = self._under_root(scope)
        headers = Headers(raw=scope["headers"])
        path = self._path(scope)
        refusal = self._unknown_host(scope, headers)
        crossing = None if refusal else await self._crossing(scope, headers, path)
        if crossing is not None:
            if is_preflight(scope["method"], headers):
                await preflight(crossing, headers)(scope, receive, send)
                return
            send = telling(send, crossing)
        elif refusal is None:
            refusal = self._foreign(scope, headers)
        visit: Visit | None = None
        if refusal is None:
            visit = await (self._visit(path, headers) if crossing is None else self._from_page(crossing, headers))
            if visit is None and path not in OPEN_PATHS:
                refusal = self._stranger(scope, headers, path)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        await self.app(_with_visit(scope, visit, attached=within(path, "/runtime")), receive, send)

    def _under_root(self, scope: Scope) -> Scope:
        """The path with the proxy's prefix in front, whether or not the proxy cut it off: what ASGI calls root_path."""
        root = "/" + self.options.root_path.strip("/")
        if root == "/":
            return scope
        path = scope["path"]
        full = path if path.startswith(f"{root}/") else f"{root}/" if path == root else root + path
        return {**scope, "path": full, "raw_path": quote(full).encode(), "root_path": root}

    def _path(self, scope: Scope) -> str:
        return str(scope["path"])[len(scope.get("root_path", "")) :] or "/"

    def _unknown_host(self, scope: Scope, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) == 1 and self.hosts.knows(hosts[0]):
            return None
        return _error(scope, 400, "unknown_host", "this server does not answer under that host name (--public-host)")

    def _foreign(self, scope: Scope, headers: Headers) -> Response | None:
        acting = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if not acting:
            return None
        origin = headers.get("origin")
        if origin is None:
            crossing = headers.get("sec-fetch-site") == "cross-site"
        else:
            crossing = not self.hosts.same(origin, headers["host"])
        return _error(scope, 403, "foreign_origin", "a page of another site may not act here") if crossing else None

    async def _crossing(self, scope: Scope, headers: Headers, path: str) -> str | None:
        """The origin of a page of another site that may call `/v1`; None for every other request."""
        origin = headers.get("origin")
        if scope["type"] != "http" or not origin or not within(path, "/v1") or self.hosts.same(origin, headers["host"]):
            return None
        return origin if await self._cors.allows(origin) else None

    async def _from_page(self, origin: str, headers: Headers) -> Visit | None:
        """Who asks from such a page: the key's owner. A cookie does not count, the browser sends it by itself."""
        key = api_key(headers)
        found = await to_thread.run_sync(self._by_key, key) if key else None
        if found is None and not self.options.guarded and await self._cors.names(origin):
            return Visit(LOCAL.as_student())
        return found

    async def _visit(self, path: str, headers: Headers) -> Visit | None:
        if within(path, "/runtime"):
            return Visit(LOCAL) if self._attached(bearer(headers)) else None
        key = api_key(headers) if any(within(path, prefix) for prefix in KEYED) else None
        if key and key.startswith("ak-"):
            found = await to_thread.run_sync(self._by_key, key)
            if found or self.options.guarded:
                return found
        if not self.options.guarded:
            return Visit(LOCAL)
        person = await self._visitor(headers)
        return None if person is None else Visit(person)

    def _by_key(self, raw: str) -> Visit | None:
        found = self._doors.keys().check(raw)
        return None if found is None else Visit(*found)

    def _attached(self, key: str | None) -> bool:
        expected = self._doors.attach_key()
        return bool(key and expected) and secrets.compare_digest(str(key).encode(), str(expected).encode())

    async def _visitor(self, headers: Headers) -> Person | None:
        """The person whose signed cookie this is, if the store still knows them."""
        cookie = _cookies(headers).get(cookie_name(self.options))
        person_id = self._doors.classroom().person_id(cookie) if cookie else None
        if person_id is None:
            return None
        now = time.monotonic()
        when, person = self._known.get(person_id, (0.0, None))
        if person is None or now - when > KNOWN_FOR_S:
            person = await to_thread.run_sync(self._look_up, person_id)
            self._known = {name: seen for name, seen in self._known.items() if now - seen[0] <= KNOWN_FOR_S}
            if person is not None:
                self._known[person_id] = (now, person)
        return person

    def _look_up(self, person_id: str) -> Person | None:
        people = self._doors.people()
        person = people.get(person_id)
        if person is not None:
            people.touch(person_id)
        return person

    def _stranger(self, scope: Scope, headers: Headers, path: str) -> Response:
        """A reader of pages is shown the code page; everybody else a plain 401."""
        api = any(within(path, prefix) for prefix in (*KEYED, "/runtime"))
        reads = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and not api
        if reads and "text/html" in headers.get("accept", ""):
            query = scope.get("query_string", b"").decode("latin-1")
            wanted = quote(path + (f"?{query}" if query else ""), safe="")
            return RedirectResponse(f"{scope.get('root_path', '')}/join?next={wanted}", 302)
        return _error(scope, 401, "unauthorized", "a class code or an API key is needed here")


def within(path: str, prefix: str) -> bool:
    """Whether the path is the prefix or lies under it."""
    return path == prefix or path.startswith(f"{prefix}/")


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of `Authorization: Bearer …`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def api_key(headers: Mapping[str, str]) -> str | None:
    """The key that a program brings, as OpenAI's clients do or as Anthropic's."""
    return bearer(headers) or headers.get("x-api-key", "").strip() or None


def _cookies(headers: Headers) -> dict[str, str]:
    return {name: value for line in headers.getlist("cookie") for name, value in cookie_parser(line).items()}


def _with_visit(scope: Scope, visit: Visit | None, *, attached: bool) -> Scope:
    person, key = (visit.person, visit.key) if visit else (None, None)
    # The origin of a websocket has been judged here; Streamlit would ask the internet for our own address to judge it
    judged = b"origin" if scope["type"] == "websocket" else None
    headers = [pair for pair in scope["headers"] if not pair[0].startswith(PREFIX) and pair[0] != judged]
    if person is not None:
        headers.append((PERSON_HEADER.encode(), person.id.encode("latin-1")))
    state = {**scope.get("state", {}), "person": person, "key": key, "attached": attached and person is not None}
    return {**scope, "headers": headers, "state": state}


def _error(scope: Scope, status: int, code: str, message: str) -> Response:
    if scope["type"] == "websocket":
        return PlainTextResponse(message, status)
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    body = {"error": {"message": message, "type": kind, "code": code, "param": None}}
    return JSONResponse(body, status, headers)


async def _refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before accept: the server answers 403
        return
    await refusal(scope, receive, send)
