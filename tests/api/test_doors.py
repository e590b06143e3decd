"""The served API in a class as programs meet it: keys with quotas, pages of other sites, tools, metrics; and no key
anywhere afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from engine.keys import Keys
from engine.people import People
from engine.person import LOCAL
from engine.requestlog import RequestLog
from engine.serving import Serving
from engine.store import Store
from engine.values import Values
from tests.standins.app_server import AppServer, app_server, wait_for

HI = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
CHAT = "/v1/chat/completions"
PAGE = "http://page.example:5500"
PROVIDER_KEY = "sk-marked-of-the-machine-0123456789"


@pytest.fixture(scope="module")
def served() -> Iterator[AppServer]:
    """The application in class mode with the echo, one site allowed, a provider's key in its environment."""
    with app_server("--class", "--host", "127.0.0.1", environment={"OPENAI_API_KEY": PROVIDER_KEY}) as server:
        with closing(opened(server)) as store:
            Serving(Values(store)).allow([PAGE])
        yield server


def opened(server: AppServer) -> Store:
    """The store of the running application, as another process opens it."""
    return Store(f"sqlite:///{server.home / 'atelier.sqlite3'}")


def bearer(raw: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {raw}"}


def test_a_program_with_a_key(served: AppServer) -> None:
    with closing(opened(served)) as store:
        keys, log = Keys(store), RequestLog(store)
        key, raw = keys.create(LOCAL, "program", role="student", requests_per_day=2)
        streamed = served.ask("POST", CHAT, {**HI, "stream": True}, bearer(raw))
        assert streamed.status == 200 and streamed.body.endswith(b"data: [DONE]\n\n")
        assert served.ask("POST", CHAT, HI, {"X-Api-Key": raw}).json["usage"]["total_tokens"] > 0
        refused = served.ask("POST", CHAT, HI, bearer(raw))
        assert refused.status == 429 and int(refused.headers["retry-after"]) > 0
        assert refused.json["error"]["code"] == "insufficient_quota"
        assert wait_for(lambda: len(log.list(key=key.id)) == 3)
        assert {(row.status, row.route) for row in log.list(key=key.id)} == {(200, CHAT), (429, CHAT)}
        assert wait_for(lambda: keys.spent()[key.id].tokens == sum(row.tokens for row in log.list(key=key.id)) > 0)
        assert keys.revoke(key.id)
    assert served.ask("GET", "/v1/models", headers=bearer(raw)).status == 401


def test_a_students_key_of_the_teacher_spends_no_key_of_the_machine(served: AppServer) -> None:
    with closing(opened(served)) as store:
        _, raw = Keys(store).create(LOCAL, role="student")
    reply = served.ask("POST", CHAT, {**HI, "model": "openai/gpt-4o"}, bearer(raw))
    assert reply.status == 403 and reply.json["error"]["code"] == "access_denied"


def test_a_page_of_an_allowed_site(served: AppServer) -> None:
    with closing(opened(served)) as store:
        _, raw = Keys(store).create(LOCAL, role="student")
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    told = served.ask("OPTIONS", CHAT, headers=asks)
    assert told.status == 204 and told.headers["access-control-allow-origin"] == PAGE
    answer = served.ask("POST", CHAT, HI, {"Origin": PAGE, **bearer(raw)})
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == PAGE
    keyless = served.ask("POST", CHAT, HI, {"Origin": PAGE})
    assert keyless.status == 401 and keyless.headers["access-control-allow-origin"] == PAGE
    assert served.ask("POST", CHAT, HI, {"Origin": "http://other.example", **bearer(raw)}).status == 403


def test_tools_and_metrics_behind_the_guard(served: AppServer) -> None:
    with closing(opened(served)) as store:
        _, raw = Keys(store).create(LOCAL)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_models"}}
    for path, body in (("/mcp", call), ("/metrics", None)):
        method = "POST" if body else "GET"
        assert served.ask(method, path, body).status == 401
        assert served.ask(method, path, body, bearer(raw)).status == 200
    models = served.ask("POST", "/mcp", call, bearer(raw)).json["result"]["structuredContent"]["models"]
    assert "echo" in {one["id"] for one in models}
    wanted = b'atelier_requests_total{route="/mcp",status="200"}'
    assert wait_for(lambda: wanted in served.ask("GET", "/metrics", headers=bearer(raw)).body)


def test_no_key_is_anywhere_afterwards(served: AppServer) -> None:
    with closing(opened(served)) as store:
        ada = People(store).join("Ada", "student")
        marked = [Keys(store).create(who, "marked")[1] for who in (LOCAL, ada)]
        told = []
        for raw in marked:
            words = {"model": "echo", "messages": [{"role": "user", "content": f"my key is {raw} and {PROVIDER_KEY}"}]}
            for body in (HI, words, {**HI, "user": raw}, {**HI, "model": raw}, {**HI, raw: raw}, b"{" + raw.encode()):
                served.ask("POST", CHAT, body, bearer(raw))
                served.ask("POST", CHAT, body, {"X-Api-Key": raw})
            told += [served.ask("GET", path, headers=bearer(raw)).body for path in ("/metrics", "/v1/models")]
            served.ask("GET", f"/v1/{raw}", headers=bearer(raw))
            served.ask("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": raw}, bearer(raw))
            served.ask("GET", f"/{raw}?key={raw}", headers=bearer(raw))
        log = RequestLog(store)
        assert wait_for(lambda: sum(row.route == "/mcp" for row in log.list(limit=500)) >= 2)
        secrets = [raw.split("-", 2)[2].encode() for raw in marked] + [PROVIDER_KEY.encode()]
        assert len([row for row in log.list(limit=500) if row.key]) >= 2 * len(marked)
    files = [path for path in served.home.rglob("*") if path.is_file()]
    assert any(path.name.startswith("atelier.sqlite3") for path in files)
    assert any(b"[hidden]" in path.read_bytes() for path in files), "the requests with a key in their text are kept"
    holding = [path.name for path in files for secret in secrets if secret in path.read_bytes()]
    assert holding == []
    assert not [secret for secret in secrets if secret.decode() in served.output or secret in b"".join(told)]
