"""The one door: without a class cookie nothing opens, foreign hosts get nothing, nobody is somebody else."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import TimestampSigner

from apps import host
from apps.classroom import COOKIE_LASTS_S, Brake, Classroom, grouped, source
from apps.guard import Doors, Guard, Hosts, bare, cookie_name, with_port, within
from apps.host import PERSON_HEADER
from apps.join import local_path
from apps.options import Options, is_loopback
from apps.proxy import Proxy
from apps.ui.i18n import words
from engine.errors import AccessDenied
from engine.keys import Keys
from engine.people import LOCAL, People, Person
from engine.store import Store
from tests.standins.app_server import AppServer, app_server, location

EVERYWHERE = [
    "/",
    "/chat",
    "/static/js/index.js",
    "/media/0123.png",
    "/component/x/index.html",
    "/_stcore/health",
    "/_stcore/host-config",
    "/_stcore/metrics",
    "/_stcore/upload_file/session/file",
    "/_stcore/stream",
    "/_stcore/script-health-check",
    "/gradio",
    "/gradio/fr/",
    "/gradio/en/gradio_api/info",
    "/gradio/fr/gradio_api/queue/data",
    "/gradio/fr/gradio_api/file=/etc/passwd",
    "/gradio/fr/config",
    "/v1/models",
    "/v1/chat/completions",
    "/runtime/smollm2-135m-instruct/props",
    "/runtime/smollm2-135m-instruct/completion",
    "/mcp",
    "/metrics",
    "/docs",
    "/upload",
    "/nothing/here",
    "/join/more",
    "//join",
    "/%6Aoin/x",
]
PROGRAMS = ("/v1", "/runtime", "/mcp", "/metrics")  # no page: 401 for browsers too
TEACHERS_ENDPOINTS = {"/models_load", "/models_unload", "/models_download", "/keys_create"}
WEBSOCKETS = ["/_stcore/stream", "/gradio/fr/gradio_api/queue/join", "/join", "/nothing"]


@pytest.fixture(scope="module")
def alone() -> Iterator[AppServer]:
    """The real application as one person has it on their own machine."""
    with app_server() as server:
        yield server


# --- without the code -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_without_a_cookie_every_path_is_refused(room: AppServer, method: str, path: str) -> None:
    assert room.ask(method, path, b"" if method != "GET" else None).status == 401


@pytest.mark.parametrize("path", [path for path in EVERYWHERE if not path.startswith(PROGRAMS)])
def test_a_browser_without_a_cookie_is_shown_the_code_page(room: AppServer, path: str) -> None:
    reply = room.ask("GET", path, headers={"Accept": "text/html"})
    assert (reply.status, location(reply)) == (302, "/join")


@pytest.mark.parametrize("path", WEBSOCKETS[:2] + WEBSOCKETS[3:])
def test_without_a_cookie_no_websocket_opens(room: AppServer, path: str) -> None:
    assert room.websocket(path) == 403


def test_with_the_code_pages_and_websocket_open(room: AppServer) -> None:
    cookie = {"Cookie": room.join(room.codes()["student"], "Ada")}
    assert room.ask("GET", "/", headers=cookie).status == 200
    assert room.ask("GET", "/_stcore/health", headers=cookie).status == 200
    assert room.websocket("/_stcore/stream", cookie) == 101
    assert room.ask("GET", "/v1/models", headers=cookie).status == 200


def test_gradio_opens_with_the_code_and_only_with_it(room: AppServer) -> None:
    cookie = {"Cookie": room.join(room.codes()["student"], "Ada"), "Accept": "text/html"}
    assert room.gradio("/gradio/fr/", cookie).status == 200
    assert room.ask("GET", "/gradio/fr/gradio_api/info", headers=cookie).status == 200
    assert room.ask("GET", "/gradio/fr/gradio_api/info").status == 401


@pytest.mark.parametrize("cookie", ["", "x", "..", "me.abc.def", '"quoted"', "a" * 5000])
def test_a_forged_cookie_opens_nothing(room: AppServer, cookie: str) -> None:
    name = cookie_name(Options(port=room.port))
    assert room.ask("GET", "/_stcore/health", headers={"Cookie": f"{name}={cookie}"}).status == 401


def test_another_key_signs_for_nothing(room: AppServer) -> None:
    person = room.join(room.codes()["student"], "Ada").partition("=")[2].rsplit(".", 2)[0]
    forged = TimestampSigner("not the key", salt="atelier.person").sign(person).decode()
    name = cookie_name(Options(port=room.port))
    assert room.ask("GET", "/_stcore/health", headers={"Cookie": f"{name}={forged}"}).status == 401


def test_a_claimed_person_is_dropped(room: AppServer) -> None:
    headers = {PERSON_HEADER: "local", "X-Atelier-Role": "teacher"}
    assert room.ask("GET", "/v1/models", headers=headers).status == 401


# --- the code page --------------------------------------------------------------------------------------------------


def test_the_code_page_speaks_both_languages_and_needs_nothing_else(room: AppServer) -> None:
    french = room.ask("GET", "/join", headers={"Accept-Language": "fr-CH"}).body.decode()
    english = room.ask("GET", "/join?lang=en", headers={"Accept-Language": "fr-CH"}).body.decode()
    assert 'lang="fr"' in french and "Code de la classe" in french
    assert 'lang="en"' in english and "Class code" in english
    for page in (french, english):
        assert "http://" not in page and "https://" not in page and "src=" not in page
        assert 'name="viewport"' in page and page.count("<label for=") == 2


def test_a_wrong_code_gives_a_sentence_and_no_cookie(room: AppServer) -> None:
    form = b"code=<script>&nickname=%22%3E"
    reply = room.ask("POST", "/join", form, {"Content-Type": "application/x-www-form-urlencoded"})
    assert reply.status == 403 and "set-cookie" not in reply.headers
    assert b"<script>" not in reply.body and b'role="alert"' in reply.body


def test_the_cookie_is_for_the_server_alone(room: AppServer) -> None:
    form = f"code={room.codes()['student']}&nickname=Ada".encode()
    cookie = room.ask("POST", "/join", form).headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie and "secure" not in cookie
    secure = room.ask("POST", "/join", form, {"X-Forwarded-Proto": "https"}).headers["set-cookie"].lower()
    assert "secure" in secure


def test_the_code_page_leads_back_to_where_one_was_going(room: AppServer) -> None:
    form = f"code={room.codes()['student']}&nickname=Ada&next=/models?x=1".encode()
    assert room.ask("POST", "/join", form).headers["location"] == "/models?x=1"


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example/", "/\\evil.example", "x", "", "/a\r\nb", "/\t/x"]
)
def test_the_code_page_never_leads_elsewhere(wanted: str) -> None:
    assert local_path(wanted) == "/"


def test_one_nickname_two_people(room: AppServer) -> None:
    code = room.codes()["student"]
    first, second = ({"Cookie": room.join(code, "Ada")} for _ in range(2))
    assert first["Cookie"] != second["Cookie"]
    ids = {cookie["Cookie"].partition("=")[2].rsplit(".", 2)[0] for cookie in (first, second)}
    assert len(ids) == 2


def test_codes_ignore_capitals_and_hyphens(room: AppServer) -> None:
    assert room.join(grouped(room.codes()["teacher"]).upper(), "Ms Byron")


# --- foreign hosts and origins --------------------------------------------------------------------------------------

FOREIGN = [
    "evil.example",
    "evil.example:8501",
    "127.0.0.1.evil.example",
    "8.8.8.8",
    "[2001:db8::1]:80",
    "localhost.evil",
]


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize(
    "path", ["/", "/join", "/healthz", "/gradio/fr/", "/v1/models", "/_stcore/health", "/runtime/x/props"]
)
def test_a_foreign_host_is_refused_at_all_doors(alone: AppServer, path: str, host: str) -> None:
    assert alone.ask("GET", path, host=host).status == 400
    assert alone.websocket("/_stcore/stream", host=host) == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9999", "127.0.0.1", "[::1]:8501", "LOCALHOST"])
def test_loopback_names_are_ours_whatever_the_port(alone: AppServer, host: str) -> None:
    assert alone.ask("GET", "/healthz", host=host).status == 200


def test_a_forwarded_host_that_nobody_named_is_refused(alone: AppServer) -> None:
    assert alone.ask("GET", "/", headers={"X-Forwarded-Host": "evil.example"}).status == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "file://", "http://127.0.0.1.evil"]
)
def test_a_page_of_another_site_can_neither_post_nor_open_a_websocket(alone: AppServer, origin: str) -> None:
    headers = {"Origin": origin}
    assert alone.ask("POST", "/v1/chat/completions", {"messages": []}, headers).status == 403
    assert alone.ask("DELETE", "/_stcore/upload_file/a/b", b"", headers).status == 403
    assert alone.websocket("/_stcore/stream", headers) == 403


def test_ones_own_page_may(alone: AppServer) -> None:
    headers = {"Origin": alone.address}
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert alone.ask("POST", "/v1/chat/completions", body, headers).status == 200
    assert alone.websocket("/_stcore/stream", headers) == 101


def test_a_cross_site_form_without_origin_is_refused(alone: AppServer) -> None:
    assert alone.ask("POST", "/v1/chat/completions", b"{}", {"Sec-Fetch-Site": "cross-site"}).status == 403


def test_alone_needs_no_code_but_the_runtime_needs_its_key(alone: AppServer) -> None:
    assert alone.ask("GET", "/").status == 200
    assert alone.ask("GET", "/v1/models").status == 200
    for headers in ({}, {"Authorization": "Bearer at-guess"}):
        assert alone.ask("GET", "/runtime/smollm2-135m-instruct/props", headers=headers).status == 401


# --- who is asking: in process --------------------------------------------------------------------------------------


class Seen:
    """An application that remembers the scope that reached it."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Door:
    """A guard around `Seen`, with a store of its own."""

    def __init__(self, folder: Path, *, origins: tuple[str, ...] = (), **options: Any) -> None:
        self.options = Options(**options)
        store = Store(f"sqlite:///{folder / 'people.sqlite3'}")
        self.people, self.keys = People(store), Keys(store)
        self.told: dict[str, str] = {}
        self.now = time.time()
        self.room = Classroom(folder / "class.json", now=lambda: self.now)
        self.inner = Seen()
        doors = Doors(
            people=lambda: self.people,
            keys=lambda: self.keys,
            classroom=lambda: self.room,
            attach_key=lambda: "at-key",
            origins=lambda: origins,
        )
        self.app = Proxy(Guard(self.inner, options=self.options, doors=doors), proxies=self.options.proxy)

    def ask(self, path: str = "/", *headers: tuple[str, str], peer: str = "127.0.0.1", method: str = "GET") -> int:
        """The status; what got through is in `inner`."""
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        if not any(name == b"host" for name, _ in raw):
            raw.append((b"host", b"localhost:8501"))
        scope = {"type": "http", "method": method, "path": path, "headers": raw, "client": (peer, 1), "scheme": "http"}
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        self.inner.scope = {}
        asyncio.run(self.app({**scope, "query_string": b"", "root_path": ""}, receive, send))
        self.told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return int(sent[0]["status"])

    @property
    def person(self) -> Person | None:
        """Whom the guard named to the application."""
        return self.inner.scope["state"]["person"]  # type: ignore[no-any-return]

    @property
    def said(self) -> list[str]:
        """The person header as the application reads it."""
        return [value.decode() for name, value in self.inner.scope["headers"] if name == PERSON_HEADER.encode()]

    def cookie(self, person: Person) -> tuple[str, str]:
        """The person's Cookie header."""
        return "Cookie", f"{cookie_name(self.options)}={self.room.cookie(person.id)}"


def test_alone_is_the_local_person_whatever_is_claimed(tmp_path: Path) -> None:
    door = Door(tmp_path)
    assert door.ask("/", (PERSON_HEADER, "somebody"), ("X-Atelier-Role", "teacher")) == 200
    assert door.person is LOCAL and door.said == ["local"]
    assert not any(name.startswith(b"x-atelier-role") for name, _ in door.inner.scope["headers"])


def test_the_cookie_names_the_person(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True)
    ada = door.people.join("Ada", "student")
    assert door.ask("/", door.cookie(ada), (PERSON_HEADER, "local")) == 200
    assert door.person == ada and door.said == [ada.id]


def test_an_old_cookie_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(tmp_path, class_mode=True)
    cookie = door.cookie(door.people.join("Ada", "student"))
    later = time.time() + COOKIE_LASTS_S + 2
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: int(later))
    assert door.ask("/", cookie) == 401


def test_a_cookie_of_somebody_wiped_opens_nothing(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True)
    cookie = door.cookie(door.people.join("Ada", "student"))
    door.people.wipe_class()
    assert door.ask("/", cookie) == 401


def test_dissolving_the_class_ends_every_cookie_and_code(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True)
    cookie, codes = door.cookie(door.people.join("Ms Byron", "teacher")), door.room.codes
    door.room.dissolve()
    assert door.ask("/", cookie) == 401
    assert door.room.role(codes.teacher) is None


def test_the_codes_of_the_evening_open_the_door_for_two_days(tmp_path: Path) -> None:
    first = Classroom(tmp_path / "class.json", now=lambda: 1000.0)
    cookie = first.cookie("id")
    again = Classroom(tmp_path / "class.json", now=lambda: 1000.0 + 47 * 3600)
    later = Classroom(tmp_path / "class.json", now=lambda: 1000.0 + 49 * 3600)
    assert again.codes == first.codes and again.person_id(cookie) == "id"
    assert later.codes != first.codes and later.person_id(cookie) == "id"
    assert (tmp_path / "class.json").stat().st_mode & 0o077 == 0


def test_an_api_key_opens_v1_only(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True)
    ada = door.people.join("Ada", "student")
    key = ("Authorization", f"Bearer {door.keys.create(ada)[1]}")
    assert door.ask("/v1/models", key) == 200 and door.person == ada
    assert door.ask("/", key) == 401
    assert door.ask("/runtime/m/props", key) == 401
    assert door.ask("/v1x", key) == 401
    assert door.ask("/v1/models", ("Authorization", "Bearer ak-000000000000-guess")) == 401
    assert door.ask("/v1/models", ("Authorization", "Bearer lm-studio")) == 401


def test_alone_any_key_will_do_as_with_lm_studio(tmp_path: Path) -> None:
    door = Door(tmp_path)
    assert door.ask("/v1/models", ("Authorization", "Bearer lm-studio")) == 200 and door.person is LOCAL
    assert door.ask("/v1/models", ("Authorization", "Bearer ak-000000000000-guess")) == 200 and door.person is LOCAL
    ada = door.people.join("Ada", "student")
    assert door.ask("/v1/models", ("Authorization", f"Bearer {door.keys.create(ada)[1]}")) == 200
    assert door.person == ada


@pytest.mark.parametrize("class_mode", [False, True])
def test_the_attach_key_opens_the_runtime_only(tmp_path: Path, class_mode: bool) -> None:
    door = Door(tmp_path, class_mode=class_mode)
    key = ("Authorization", "Bearer at-key")
    assert door.ask("/runtime/m/props", key) == 200
    assert door.person is LOCAL and door.inner.scope["state"]["attached"]
    assert door.ask("/v1/models", key) == (401 if class_mode else 200)
    assert class_mode or not door.inner.scope["state"]["attached"]


@pytest.mark.parametrize(
    ("options", "guarded"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "127.0.0.53"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "192.168.1.7"}, True),
        ({"host": "::"}, True),
        ({"class_mode": True}, True),
        ({"public_host": "atelier.example.org"}, True),
        ({"forwarded_host": "box-8501.app.github.dev"}, False),
    ],
)
def test_what_we_bind_decides_whether_a_code_is_needed(tmp_path: Path, options: dict[str, Any], guarded: bool) -> None:
    door = Door(tmp_path, **options)
    assert door.options.guarded is guarded
    assert door.ask("/", peer="127.0.0.1") == (401 if guarded else 200)


# --- behind a proxy -------------------------------------------------------------------------------------------------

CODESPACE = {
    "CODESPACES": "true",
    "CODESPACE_NAME": "box",
    "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev",
}


def test_the_forwarded_host_of_the_codespace_is_ours(tmp_path: Path) -> None:
    options = Options.from_env(CODESPACE)
    assert (options.host, options.forwarded_host) == ("127.0.0.1", "box-8501.app.github.dev")
    door = Door(tmp_path, forwarded_host=options.forwarded_host)
    forwarded = (("X-Forwarded-Host", "box-8501.app.github.dev"), ("X-Forwarded-Proto", "https"))
    assert door.ask("/", *forwarded) == 200
    headers = dict(door.inner.scope["headers"])
    assert headers[b"host"] == b"box-8501.app.github.dev" and door.inner.scope["scheme"] == "https"
    assert not any(name.startswith(b"x-forwarded") for name in headers)
    assert door.ask("/", ("Origin", "https://box-8501.app.github.dev"), method="POST") == 200
    assert door.ask("/", ("X-Forwarded-Host", "other-8501.app.github.dev")) == 400


def test_a_stranger_cannot_say_what_a_proxy_would(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True, host="0.0.0.0")
    cookie = door.cookie(door.people.join("Ada", "student"))
    spoof = (("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"))
    assert door.ask("/", cookie, *spoof, peer="192.0.2.9") == 200
    assert door.inner.scope["client"][0] == "192.0.2.9" and door.inner.scope["scheme"] == "http"
    assert dict(door.inner.scope["headers"])[b"host"] == b"localhost:8501"


def test_a_named_proxy_is_believed_up_to_its_own_entry(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True, host="0.0.0.0", proxy="192.0.2.0/24", public_host="atelier.example.org")
    cookie = door.cookie(door.people.join("Ada", "student"))
    forwarded = (("X-Forwarded-For", "1.1.1.1, 203.0.113.5, 192.0.2.4"), ("X-Forwarded-Host", "atelier.example.org"))
    assert door.ask("/", cookie, *forwarded, peer="192.0.2.9") == 200
    assert door.inner.scope["client"][0] == "203.0.113.5"


@pytest.mark.parametrize("path", ["/chat", "/atelier/chat"])
def test_the_base_path_is_known_whether_or_not_the_proxy_cuts_it_off(tmp_path: Path, path: str) -> None:
    door = Door(tmp_path, root_path="/atelier")
    assert door.ask(path) == 200
    assert (door.inner.scope["root_path"], door.inner.scope["path"]) == ("/atelier", "/atelier/chat")


def test_own_names_are_known_when_others_can_come_in() -> None:
    import socket

    assert Hosts(Options(host="0.0.0.0")).knows(f"{socket.gethostname()}:8501")
    assert not Hosts(Options()).knows("192.0.2.1:8501")
    assert Hosts(Options(host="192.0.2.1")).knows("192.0.2.1:8501")


@pytest.mark.parametrize(
    ("authority", "name"),
    [("LocalHost:1", "localhost"), ("[::1]:80", "::1"), ("a.example.", "a.example"), ("10.0.0.1", "10.0.0.1")],
)
def test_the_name_in_an_authority(authority: str, name: str) -> None:
    assert bare(authority) == name


def test_ports_and_prefixes() -> None:
    assert with_port("A.example", "80") == "a.example:80" and with_port("[::1]:5", "80") == "[::1]:5"
    assert within("/v1", "/v1") and within("/v1/x", "/v1") and not within("/v1x", "/v1")
    assert is_loopback("[::1]") and is_loopback("app.localhost") and not is_loopback("localhost.evil")


# --- guessing -------------------------------------------------------------------------------------------------------


def test_the_brake_counts_failures_per_address() -> None:
    now = [0.0]
    brake = Brake(tries=3, seconds=60, now=lambda: now[0])
    for _ in range(3):
        assert brake.wait("a") == 0
        brake.failed("a")
    assert brake.wait("a") == 60 and brake.wait("b") == 0
    now[0] = 61
    assert brake.wait("a") == 0


@pytest.mark.parametrize(
    ("address", "guesser"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_who_guesses_from_a_network_of_his_own_is_one(address: str, guesser: str) -> None:
    assert source(address) == guesser


def test_the_brake_counts_a_whole_ipv6_network() -> None:
    brake = Brake(tries=3, now=lambda: 0.0)
    for last in range(3):
        brake.failed(f"2001:db8::{last}")
    assert brake.wait("2001:db8::ffff") > 0 and brake.wait("2001:db8:0:1::1") == 0


def test_guessing_is_slowed_down_for_who_guesses(room: AppServer) -> None:
    guesser = {"X-Forwarded-For": "198.51.100.9"}  # a proxy on this machine is believed
    statuses = [room.ask("POST", "/join", b"code=abcdef&nickname=x", guesser).status for _ in range(21)]
    assert statuses == [403] * 20 + [429]
    right = f"code={room.codes()['student']}&nickname=x".encode()
    assert room.ask("POST", "/join", right, guesser).status == 429
    assert room.ask("POST", "/join", right, {"X-Forwarded-For": "198.51.100.10"}).status == 303


# --- pages of other sites, and keys -----------------------------------------------------------------------------------

PAGE = ("Origin", "http://page.example")


def test_no_page_of_another_site_may_call_at_first(tmp_path: Path) -> None:
    door = Door(tmp_path)
    assert door.ask("/v1/chat/completions", PAGE, method="POST") == 403
    assert door.ask("/v1/models", PAGE, ("Access-Control-Request-Method", "POST"), method="OPTIONS") == 200
    assert "access-control-allow-origin" not in door.told


def test_an_allowed_page_is_told_so_and_may_call_v1_only(tmp_path: Path) -> None:
    door = Door(tmp_path, origins=(PAGE[1],))
    asks = (("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,x-stainless"))
    assert door.ask("/v1/chat/completions", PAGE, *asks, method="OPTIONS") == 204 and not door.inner.scope
    assert door.told["access-control-allow-origin"] == PAGE[1]
    assert door.told["access-control-allow-headers"] == "authorization,x-stainless"
    assert "access-control-allow-credentials" not in door.told
    assert door.ask("/v1/chat/completions", PAGE, method="POST") == 200
    assert door.told["access-control-allow-origin"] == PAGE[1] and door.told["vary"] == "Origin"
    for path in ("/", "/mcp", "/gradio/fr/", "/runtime/m/completion", "/v1x"):
        assert door.ask(path, PAGE, method="POST") == 403 and "access-control-allow-origin" not in door.told
    assert door.ask("/v1/models", ("Origin", "http://page.example.evil"), method="POST") == 403
    assert door.ask("/v1/models", PAGE, ("Host", "evil.example"), method="POST") == 400


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "x" * 5000, "", " ", "http://page.example:99999"])
@pytest.mark.parametrize("origins", [(), ("*",), (PAGE[1],)])
def test_an_origin_that_is_none_is_foreign(tmp_path: Path, origin: str, origins: tuple[str, ...]) -> None:
    door = Door(tmp_path, class_mode=True, origins=origins)
    assert door.ask("/v1/models", ("Origin", origin)) == 401
    assert door.ask("/v1/models", ("Origin", origin), method="POST") in {401, 403}


def test_a_page_has_no_teachers_powers_but_its_keys(tmp_path: Path) -> None:
    door = Door(tmp_path, origins=(PAGE[1],))
    assert door.ask("/v1/models", PAGE) == 200
    assert door.person is not None and (door.person.id, door.person.role) == ("local", "student")
    assert door.person.lent and not door.person.reads
    key = ("Authorization", f"Bearer {door.keys.create(LOCAL)[1]}")
    assert door.ask("/v1/models", PAGE, key) == 200 and door.person == LOCAL
    assert door.ask("/v1/models", ("Origin", "http://localhost:8501")) == 200 and door.person is LOCAL


def test_where_every_site_may_call_each_needs_a_key(tmp_path: Path) -> None:
    door = Door(tmp_path, origins=("*",))
    assert door.ask("/v1/models", PAGE) == 401 and door.told["access-control-allow-origin"] == PAGE[1]
    assert door.ask("/v1/models", PAGE, ("X-Api-Key", door.keys.create(LOCAL)[1])) == 200


def test_a_cookie_counts_for_nothing_from_another_site(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True, origins=(PAGE[1],))
    ada = door.people.join("Ada", "student")
    assert door.ask("/v1/models", PAGE, door.cookie(ada)) == 401
    assert door.ask("/v1/models", PAGE, ("Authorization", f"Bearer {door.keys.create(ada)[1]}")) == 200


def test_a_key_opens_mcp_and_metrics_too_and_is_named_to_them(tmp_path: Path) -> None:
    door = Door(tmp_path, class_mode=True)
    known, raw = door.keys.create(door.people.join("Ada", "student"))
    for path in ("/mcp", "/metrics", "/v1/models"):
        assert door.ask(path) == 401 and door.ask(path, ("Authorization", f"Bearer {raw}")) == 200
        assert door.inner.scope["state"]["key"] == known
    assert door.ask("/", ("X-Api-Key", raw)) == 401


# --- what the interfaces see ----------------------------------------------------------------------------------------


def test_both_frameworks_read_the_person_from_the_headers(tmp_path: Path) -> None:
    from gradio.route_utils import Request as GradioRequest
    from starlette.requests import Request
    from starlette.websockets import WebSocket
    from streamlit.runtime.context import StreamlitHeaders
    from streamlit.web.server.starlette.starlette_websocket import StarletteClientContext

    door = Door(tmp_path, class_mode=True)
    ada = door.people.join("Ada", "student")
    assert door.ask("/", door.cookie(ada), (PERSON_HEADER, "local")) == 200
    scope = door.inner.scope
    assert GradioRequest(Request(scope)).headers[PERSON_HEADER] == ada.id
    websocket = WebSocket({**scope, "type": "websocket"}, receive=Seen(), send=Seen())  # type: ignore[arg-type]
    assert StreamlitHeaders(StarletteClientContext(websocket).headers).get_all(PERSON_HEADER) == [ada.id]


def test_person_of_looks_the_person_up(isolation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cached in (host.options, host.engine):
        cached.cache_clear()
    assert host.person_of({PERSON_HEADER: "whoever"}) is LOCAL
    monkeypatch.setenv("ATELIER_CLASS", "1")
    host.options.cache_clear()
    try:
        ada = host.engine().people.join("Ada", "student")
        assert host.person_of({PERSON_HEADER: ada.id}) == ada
        for headers in ({}, {PERSON_HEADER: "nobody"}, {PERSON_HEADER: ""}):
            with pytest.raises(AccessDenied):
                host.person_of(headers)
    finally:
        host.engine().close()
        for cached in (host.options, host.engine):
            cached.cache_clear()


def test_a_student_is_no_teacher(tmp_path: Path) -> None:
    people = Door(tmp_path, class_mode=True).people
    teacher = people.join("Ms Byron", "teacher")
    assert host.require(teacher) is teacher and host.require(LOCAL) is LOCAL
    with pytest.raises(AccessDenied):
        host.require(people.join("Ada", "student"))


# --- what only the teacher may ---------------------------------------------------------------------------------------


def test_a_student_spends_none_of_the_machines_keys(room: AppServer) -> None:
    body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    student = {"Cookie": room.join(room.codes()["student"], "Ada")}
    reply = room.ask("POST", "/v1/chat/completions", body, student)
    assert reply.status == 403 and json.loads(reply.body)["error"]["code"] == "access_denied"


def test_a_students_programs_manage_nothing(room: AppServer) -> None:
    student = {"Cookie": room.join(room.codes()["student"], "Ada")}
    for path in ("props", "slots/0?action=erase", "completion"):
        assert room.ask("POST", f"/runtime/smollm2-135m-instruct/{path}", {}, student).status in {401, 403, 404}
    for method, path in (("DELETE", "/v1/models/echo"), ("POST", "/v1/models"), ("POST", "/v1/models/load")):
        assert room.ask(method, path, {} if method == "POST" else None, student).status in {404, 405}


def test_the_named_endpoints_are_those_of_everybody(room: AppServer) -> None:
    student = {"Cookie": room.join(room.codes()["student"], "Ada")}
    assert room.gradio(headers=student).status == 200
    named = set(room.ask("GET", "/gradio/en/gradio_api/info", headers=student).json["named_endpoints"])
    assert {"/chat", "/models"} <= named
    words_ = ("load", "wipe", "room", "code", "key", "quantize", "convert")
    assert {name for name in named if any(word in name for word in words_)} <= TEACHERS_ENDPOINTS <= named


@pytest.mark.parametrize("name", sorted(TEACHERS_ENDPOINTS))
def test_a_student_who_calls_an_endpoint_of_the_teacher_is_refused(room: AppServer, name: str) -> None:
    student = {"Cookie": room.join(room.codes()["student"], "Ada"), "Content-Type": "application/json"}
    assert room.gradio(headers=student).status == 200
    info = room.ask("GET", "/gradio/en/gradio_api/info", headers=student).json["named_endpoints"][name]
    data = [part["parameter_default"] if part["parameter_has_default"] else "echo" for part in info["parameters"]]
    begun = room.ask("POST", f"/gradio/en/gradio_api/call{name}", {"data": data}, student)
    assert begun.status == 200, begun.body
    told = room.ask("GET", f"/gradio/en/gradio_api/call{name}/{begun.json['event_id']}", headers=student).body
    assert b"access_denied" in told


def _value(part: dict[str, Any]) -> str | int | None:
    """What Gradio takes for such a component: it refuses a word for a number, and what is not among the choices, before
    we are asked.
    """
    if part["type"] == "number":
        return 1
    choices = part["props"].get("choices")
    return "echo" if choices is None or any("echo" in choice for choice in choices) else None


@pytest.mark.parametrize(
    "button",
    [
        "models.load",
        "models.unload",
        "models_publish.publish",
        "models_publish.withdraw",
        "room.wipe_confirm",
        "compare_vote.save_models",
        "compare_vote.clear_sure",
        "compare_prices.save_own",
        "compare_prices.save_electricity",
    ],
)
def test_a_student_who_presses_a_hidden_button_of_gradio_is_refused(room: AppServer, button: str) -> None:
    student = {"Cookie": room.join(room.codes()["student"], "Ada")}
    assert room.gradio(headers=student).status == 200
    config = room.ask("GET", "/gradio/en/config", headers=student).json
    label = words("en").t(button)
    pressed = [part["id"] for part in config["components"] if part["props"].get("value") == label]
    handlers = [
        found
        for found in config["dependencies"]
        if any([one, "click"] in [list(end) for end in found["targets"]] for one in pressed)
    ]
    assert len(handlers) >= len(pressed) > 0
    parts = {part["id"]: part for part in config["components"]}
    for handler in handlers:
        session = f"s{button}{handler['id']}"
        data = [_value(parts[part]) for part in handler["inputs"]]
        order = {"data": data, "fn_index": handler["id"], "session_hash": session}
        posted = student | {"Content-Type": "application/json"}
        assert room.ask("POST", "/gradio/en/gradio_api/queue/join", order, posted).status == 200
        told = room.ask("GET", f"/gradio/en/gradio_api/queue/data?session_hash={session}", headers=student).body
        assert b"access_denied" in told, told
