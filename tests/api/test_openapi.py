"""The description of our routes: it is whole, it is true, and its page needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from starlette.routing import Router
from starlette.testclient import TestClient

from apps import host
from apps.api.openapi import OPERATIONS, document
from apps.api.routes import api
from apps.ui.i18n import LANGUAGES, words
from engine import Engine, Settings
from engine.person import LOCAL

OURS = ("/v1", "/docs", "/mcp", "/metrics")  # the others are doors of their own


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    opened = Engine(Settings(model="echo"))
    monkeypatch.setattr(host, "engine", lambda: opened)
    app = api()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["person"] = LOCAL
        await app(scope, receive, send)

    yield TestClient(guarded)
    opened.close()


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    routes = api()
    assert isinstance(routes, Router)
    served = {route.path.replace(":path}", "}") for route in routes.routes}  # type: ignore[attr-defined]
    served = {path for path in served if not path.startswith("/runtime") and path != "/{path}"}
    assert served == {one.path for one in OPERATIONS if one.path.startswith(OURS)}


def test_the_description_is_whole(client: TestClient) -> None:
    told = client.get("/v1/openapi.json").json()
    assert told["openapi"].startswith("3.1") and told == document(words("en"))
    assert set(told["paths"]) == {one.path for one in OPERATIONS}
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(told)))
    assert names <= set(told["components"]["schemas"])
    for schema in told["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("one", [one for one in OPERATIONS if one.body], ids=lambda one: one.key)
def test_examples_are_what_they_show(client: TestClient, one: Any) -> None:
    told = document(words("en"))
    schema = {"$ref": f"#/components/schemas/{one.body.__name__}", "components": told["components"]}
    jsonschema.validate(dict(one.example), schema)
    reply = client.post(one.path, json=one.example)
    assert reply.status_code in (200, 501), reply.text
    assert reply.status_code == 200 or one.key in ("rerank", "reranking", "detokenize")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_shows_every_route_and_loads_nothing(client: TestClient, lang: str) -> None:
    reply = client.get("/docs", params={"lang": lang})
    assert reply.status_code == 200 and f'<html lang="{lang}">' in reply.text
    assert all(f'id="{one.key}"' in reply.text for one in OPERATIONS)
    assert "<script" not in reply.text and "default-src 'none'" in reply.headers["content-security-policy"]
    outside = [link for link in re.findall(r'(?:href|src)="([^"]+)"', reply.text) if "//" in link]
    assert outside == []
    assert client.get("/docs", headers={"Accept-Language": "fr"}).text.count('lang="fr"') >= 1
