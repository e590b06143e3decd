"""Pages are fetched from public addresses only, whole or not at all: redirects, rebinding, sizes, times, bombs."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from engine.errors import BadInput, ServerFailed, StreamCut, TimedOut, Unreachable
from engine.rag.web import Limits, fetch

PAGE = b"<html><title>Un cours</title><p>\xc3\x89nergie.</p></html>"
SMALL = Limits(bytes=100_000)
BOMB = 8 * 2**20  # bytes of zeros, which pack into a thousandth


class Site(BaseHTTPRequestHandler):
    """Pages that misbehave as their paths say."""

    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        getattr(self, "page_" + self.path.strip("/").split("?")[0].split("/")[0].split(".")[0])()

    def reply(self, body: bytes, kind: str | None = "text/html; charset=utf-8", status: int = 200, **more: str) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), **{name.replace("_", "-"): text for name, text in more.items()}}
        for name, text in (headers | ({"Content-Type": kind} if kind else {})).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def page_page(self) -> None:
        self.reply(PAGE)

    def page_course(self) -> None:
        self.reply(b"# Cours\n", "text/plain")

    def page_file(self) -> None:
        self.reply(
            b"%PDF-1.4 ...", "application/pdf", Content_Disposition='attachment; filename="../notes du cours.pdf"'
        )

    def page_unknown(self) -> None:
        self.reply(b"a,b\n1,2\n", "application/octet-stream")

    def page_picture(self) -> None:
        self.reply(b"\x89PNG", "image/png")

    def page_missing(self) -> None:
        self.reply(b"no", status=404)

    def page_empty(self) -> None:
        self.reply(b" \n")

    def page_to(self) -> None:
        self.reply(b"", status=302, Location=unquote(self.path.partition("?")[2]))

    def page_round(self) -> None:
        self.reply(b"", status=302, Location="/round")

    def page_announced(self) -> None:
        self.reply(b"x", Content_Length=str(10**9))

    def page_endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"again " * 1000)
        except OSError:
            pass

    def page_drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b".")
                time.sleep(0.05)
        except OSError:
            pass

    def page_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                self.wfile.write(b"X-A: b\r\n"[:1])
                time.sleep(0.05)
        except OSError:
            pass

    def page_cut(self) -> None:
        self.reply(b"only this", Content_Length="5000")

    def page_gzip(self) -> None:
        self.reply(gzip.compress(PAGE), Content_Encoding="gzip")

    def page_deflate(self) -> None:
        self.reply(zlib.compress(PAGE), Content_Encoding="deflate")

    def page_raw(self) -> None:
        packer = zlib.compressobj(wbits=-15)
        self.reply(packer.compress(PAGE) + packer.flush(), Content_Encoding="deflate")

    def page_bomb(self) -> None:
        self.reply(gzip.compress(bytes(BOMB)), Content_Encoding="gzip")

    def page_brotli(self) -> None:
        self.reply(PAGE, Content_Encoding="br")

    def page_broken(self) -> None:
        self.reply(b"not packed at all", Content_Encoding="gzip")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    Site.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def got(site: str, path: str, limits: Limits = SMALL) -> Any:
    return fetch(f"http://{site}{path}", limits, allowed=frozenset({site}))


def reason(url: str, **more: Any) -> Any:
    with pytest.raises(BadInput) as caught:
        fetch(url, **more)
    assert caught.value.details["what"] == "url"
    return caught.value.details["reason"]


WRITTEN = (
    "http://127.0.0.1/ http://localhost/ http://2130706433/ http://0x7f.1/ http://0177.0.0.1/ http://[::1]/ "
    "http://[::ffff:127.0.0.1]/ http://127.1/ https://10.0.0.1/ http://169.254.169.254/latest/meta-data/ "
    "http://[fe80::1%25eth0]/ http://0/ http://127.0.0.1:8080/ http://\uff11\uff12\uff17.0.0.1/"
)


@pytest.mark.parametrize("url", WRITTEN.split())
def test_private_addresses_are_refused_however_they_are_written(url: str) -> None:
    assert reason(url) == "private_address"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.org/a", "scheme"),
        ("gopher://example.org/", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("example.org", "scheme"),
        ("http://", "host"),
        ("http://[::1/", "host"),
        ("http://example.org:99999/", "host"),
        ("http://user:word@example.org/", "credentials"),
        ("http://8.8.8.8@127.0.0.1/", "credentials"),
        ("http://example.org:22/", "port"),
        ("http://example.org:6379/", "port"),
        ("http://" + "a" * 70 + ".fr/", "host"),
        ("http://example.org/" + "a" * 5000, "host"),
    ],
)
def test_what_is_no_page_is_refused(url: str, why: str) -> None:
    assert reason(url) == why


def test_a_page_comes_with_its_name(site: str) -> None:
    page = got(site, "/page")
    assert (page.name, page.data, page.content_type) == ("page.html", PAGE, "text/html")
    assert page.url == f"http://{site}/page"
    assert got(site, "/course.md").name == "course.md" and got(site, "/course").name == "course.txt"
    assert got(site, "/file").name == "notes du cours.pdf"
    assert got(site, "/unknown.csv").name == "unknown.csv"


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/raw"])
def test_packed_pages_are_unpacked(site: str, path: str) -> None:
    assert got(site, path).data == PAGE


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/announced", "too_large"),
        ("/endless", "too_large"),
        ("/bomb", "too_large"),
        ("/brotli", "encoding"),
        ("/broken", "encoding"),
        ("/picture", "content_type"),
        ("/unknown", "content_type"),
        ("/empty", "empty"),
        ("/round", "redirects"),
        ("/to?file:///etc/passwd", "scheme"),
        ("/to?http://169.254.169.254/latest", "private_address"),
        ("/to?//127.0.0.1:8000/x", "private_address"),
        ("/to?http://[::1]/", "private_address"),
        ("/to?http://localhost:22/", "port"),
    ],
)
def test_bad_pages_are_refused(site: str, path: str, why: str) -> None:
    assert reason(f"http://{site}{path}", limits=SMALL, allowed=frozenset({site})) == why


def test_redirects_are_followed(site: str) -> None:
    assert got(site, "/to?/to?/page").url == f"http://{site}/page"


def test_errors_of_servers(site: str) -> None:
    with pytest.raises(ServerFailed) as missing:
        got(site, "/missing")
    assert missing.value.details["status"] == 404
    with pytest.raises(StreamCut):
        got(site, "/cut")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(Unreachable):
        got(nobody, "/")
    with pytest.raises(Unreachable):
        fetch("http://nothing.invalid/", resolver=lambda *_: [])


@pytest.mark.parametrize("path", ["/drip", "/headers"])
def test_what_drips_ends_in_time(site: str, path: str) -> None:
    with pytest.raises(TimedOut):
        got(site, path, Limits(seconds=0.5))


def test_a_name_server_that_does_not_answer_ends_in_time() -> None:
    never = threading.Event()
    with pytest.raises(TimedOut):
        fetch("http://example.org/", Limits(seconds=0.2), resolver=lambda *_: [str(never.wait())])


def test_a_name_that_changes_its_mind_gains_nothing(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it is checked, private afterwards. It is asked once, and that answer is used."""
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    reached: list[Any] = []

    def connect(address: Any, timeout: float | None = None) -> socket.socket:
        reached.append(address)
        raise OSError("nobody there")

    monkeypatch.setattr("engine.rag.web.socket.create_connection", connect)
    before = len(Site.asked)
    with pytest.raises(Unreachable):
        fetch("http://rebound.example/", resolver=lambda *_: next(answers))
    assert reached == [("93.184.216.34", 80)] and len(Site.asked) == before


def test_a_name_with_one_private_address_is_refused_as_a_whole() -> None:
    assert reason("http://both.example/", resolver=lambda *_: ["8.8.8.8", "10.0.0.1"]) == "private_address"


def test_the_network_may_be_asked_for_the_hosts_of_one_machine_only(site: str) -> None:
    assert reason(f"http://{site}/page") in ("port", "private_address")


def test_details_of_errors_are_json(site: str) -> None:
    with pytest.raises(BadInput) as caught:
        got(site, "/bomb")
    assert json.dumps(caught.value.to_dict())
