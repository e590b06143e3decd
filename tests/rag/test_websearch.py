"""The web as a source: off by default, keys and errors of Tavily (a stand-in on this machine), pages, and an end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from engine.errors import AccessDenied, BadInput, EngineError, RateLimited, TimedOut, Unauthorized, Unreachable
from engine.rag.web import Fetched
from engine.rag.websearch import Hit, find, pages, provider_of

WORD = "tvly-0123456789"


class Tavily(BaseHTTPRequestHandler):
    """The API of the course's provider, as far as it is asked."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append({**asked, "key": self.headers["Authorization"]})
        status = {"limit": 429, "broken": 500, "mine": 401}.get(asked["query"], 200)
        rows = [{"url": f"https://example.org/{n}", "title": f"Page {n}", "content": "Texte."} for n in (1, 2, 2, 3)]
        rows.append({"url": "javascript:alert(1)", "title": "no", "content": ""})
        body = json.dumps({"results": rows} if status == 200 else {"detail": {"error": f"no {WORD}"}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def tavily() -> Iterator[str]:
    Tavily.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tavily)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_it_is_off_unless_there_is_a_key_or_somebody_switched_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in (None, "tavily", "ddgs"):
        with pytest.raises(BadInput) as off:
            provider_of(provider, enabled=False)  # type: ignore[arg-type]
        assert off.value.details["reason"] == "web_search_off"
    assert provider_of(enabled=True) == ("ddgs", None)
    assert provider_of(enabled=False, key=WORD) == ("tavily", WORD)
    monkeypatch.setenv("TAVILY_API_KEY", WORD)
    assert provider_of(enabled=False) == ("tavily", WORD)
    assert provider_of("ddgs", enabled=True) == ("ddgs", None)


def test_the_environments_key_is_the_teachers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAVILY_API_KEY", WORD)
    with pytest.raises(AccessDenied):
        provider_of("tavily", enabled=True, role="student")
    assert provider_of(enabled=True, role="student") == ("ddgs", None)
    assert provider_of(enabled=False, role="student", key="own-key") == ("tavily", "own-key")


def test_hits_are_addresses_each_once(tavily: str) -> None:
    hits = find("  où est\nla tour ", "tavily", WORD, address=tavily)
    assert [hit.url for hit in hits] == [f"https://example.org/{n}" for n in (1, 2, 3)]
    assert hits[0] == Hit("https://example.org/1", "Page 1", "Texte.")
    assert Tavily.asked[-1]["query"] == "où est la tour" and Tavily.asked[-1]["key"] == f"Bearer {WORD}"
    assert len(find("q", "tavily", WORD, results=2, address=tavily)) == 2


@pytest.mark.parametrize(("query", "kind"), [("limit", RateLimited), ("broken", EngineError), ("mine", Unauthorized)])
def test_the_providers_errors_are_ours_and_hold_no_key(tavily: str, query: str, kind: type[EngineError]) -> None:
    with pytest.raises(kind) as caught:
        find(query, "tavily", WORD, address=tavily)
    assert WORD not in json.dumps(caught.value.to_dict())


def test_nobody_there_no_key_no_question(tavily: str) -> None:
    with pytest.raises(Unreachable):
        find("q", "tavily", WORD, address="http://127.0.0.1:9")
    with pytest.raises(Unauthorized):
        find("q", "tavily", None, address=tavily)
    with pytest.raises(BadInput):
        find(" \n", "tavily", WORD, address=tavily)


def test_ddgs_errors_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search engines cannot be reached from a test: their client is made to fail as it does."""
    from ddgs import DDGS, exceptions

    def failing(error: Exception) -> None:
        def text(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(type(DDGS()), "text", text)

    for error, kind in (
        (exceptions.RatelimitException("x"), RateLimited),
        (exceptions.TimeoutException("x"), TimedOut),
        (exceptions.DDGSException("no engine"), Unreachable),
    ):
        failing(error)
        with pytest.raises(kind):
            find("q", "ddgs")
    failing(exceptions.DDGSException("No results found."))
    assert find("q", "ddgs") == ()


def test_a_page_that_cannot_be_fetched_is_told_in_its_place() -> None:
    def get(url: str) -> Fetched:
        if url.endswith("2"):
            raise TimedOut("slow", seconds=1)
        return Fetched(url, "page.html", b"<p>x</p>", "text/html")

    found = pages([Hit(f"https://example.org/{n}", "", "") for n in (1, 2)], get)
    assert found[0].page and found[0].page.name == "page.html" and found[0].error is None
    assert found[1].page is None and found[1].error and found[1].error["code"] == "timed_out"


def test_addresses_that_a_provider_gives_are_not_trusted() -> None:
    [told] = pages([Hit("http://169.254.169.254/latest/meta-data", "", "")])
    assert told.error and told.error["details"]["reason"] == "private_address"
