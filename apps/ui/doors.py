"""Endpoints that we ask, and the served API by which others ask us, in words: tables, addresses, keys, log, requests.

Knows no widget and no key, only whether there is one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.announce import addresses, root
from apps.background import own_host
from apps.options import Options
from apps.ui.i18n import Words
from apps.ui.models import Row
from apps.ui.present import error_text
from engine import snippets
from engine.errors import EngineError
from engine.keys import ApiKey, Spent
from engine.providers import Provider
from engine.published import Offer
from engine.requestlog import LEVELS, Served
from engine.settings import secret

# Method, path and words of each route of the served API, in the order to show them
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", "/v1/models", "models"),
    ("POST", "/v1/chat/completions", "chat"),
    ("POST", "/v1/completions", "completions"),
    ("POST", "/v1/responses", "responses"),
    ("POST", "/v1/messages", "messages"),
    ("POST", "/v1/embeddings", "embeddings"),
    ("POST", "/v1/rerank", "rerank"),
    ("POST", "/v1/tokenize", "tokenize"),
    ("POST", "/v1/detokenize", "detokenize"),
    ("POST", "/mcp", "mcp"),
    ("GET", "/metrics", "metrics"),
    ("GET", "/docs", "docs"),
)
ASKED = ("chat", "completions", "embeddings")  # routes of the request builder
FORMS = ("curl", "javascript", "python")
KEY_VARIABLE = "ATELIER_API_KEY"
LOGGED = 200  # requests in the log
ANY_LEVEL = tuple(LEVELS)


def endpoint_head(words: Words) -> Row:
    """The titles of `endpoint_rows`."""
    return tuple(words.t(f"models_endpoint.{name}") for name in ("name", "state", "models", "window", "key", "address"))


def endpoint_rows(rows: Iterable[Provider], tested: Mapping[str, Any], visit: Iterable[str], words: Words) -> list[Row]:
    """One row an endpoint. `tested` are connections by id, `visit` the ids with a key for this visit."""
    brought = set(visit)
    return [_endpoint(row, tested.get(row.id), row.id in brought, words) for row in rows]


def _endpoint(row: Provider, connection: Any, brought: bool, words: Words) -> Row:
    key = words.t("models_endpoint.key_visit") if brought else key_text(row, words)
    if connection is None:
        return row.name, words.t("models_endpoint.untested"), "", "", key, row.base_url
    return (row.name, connection_text(connection, words), words.number(len(connection.models)),
            words.number(connection.window), key, row.base_url)  # fmt: skip


def key_text(row: Provider, words: Words) -> str:
    """Whether the key of a row is there."""
    if row.key_env is None:
        return words.t("models_endpoint.key_none")
    known = "key_set" if secret(row.key_env) else "key_missing"
    return words.t(f"models_endpoint.{known}", variable=row.key_env)


def connection_text(connection: Any, words: Words) -> str:
    """How an endpoint answered when it was tried."""
    problem = connection.problem
    if problem is not None:
        told = error_text(problem, words).what if isinstance(problem, EngineError) else str(problem)
        return words.t("models_endpoint.silent", problem=told)
    return f"{words.t('models_endpoint.answers')}, {words.seconds(connection.latency_s)}"


def bases(options: Options) -> list[str]:
    """Base addresses under which this server is reached, the nearest first."""
    here = f"http://{own_host(options)}:{options.port}{root(options)}"
    return list(dict.fromkeys([here, *addresses(options)]))


def address_head(words: Words) -> Row:
    """The titles of `address_rows`."""
    return words.t("models_server.address"), words.t("models_server.what")


def address_rows(options: Options, words: Words) -> list[Row]:
    """Every address that this server answers at, with what is there."""
    parts = {"/": "streamlit", "/gradio": "gradio", "/v1": "api", "/docs": "docs", "/metrics": "metrics", "/mcp": "mcp"}
    found = [(f"{base}{path}", words.t(f"models_server.{name}")) for base in bases(options)[:3]
             for path, name in parts.items()]  # fmt: skip
    if options.lmstudio_port:
        found.append((extra_address(options.lmstudio_port), words.t("models_server.lmstudio")))
    return found


def extra_address(port: int) -> str:
    """The base address of the extra port."""
    return f"http://localhost:{port}/v1"


def route_head(words: Words) -> Row:
    """The titles of `route_rows`."""
    return tuple(words.t(f"models_server.{name}") for name in ("method", "route", "route_says"))


def route_rows(words: Words) -> list[Row]:
    """One row a route."""
    return [(method, path, words.t(f"models_route.{name}")) for method, path, name in ROUTES]


def key_head(words: Words) -> Row:
    """The titles of `key_rows`."""
    return tuple(
        words.t(f"models_keys.{name}") for name in ("name", "id", "created", "expires", "quota", "used", "state")
    )


def key_rows(keys: Iterable[ApiKey], spent: Mapping[str, Spent], words: Words) -> list[Row]:
    """One row a key: its name, its end, what it may and has used today."""
    return [_key(key, spent.get(key.id, Spent()), words) for key in keys]


def _key(key: ApiKey, spent: Spent, words: Words) -> Row:
    t = words.t
    limits = {"requests": key.requests_per_day, "tokens": key.tokens_per_day}
    told = {
        name: t("models_keys.unlimited") if limit is None else words.number(limit) for name, limit in limits.items()
    }
    used = {"requests": words.number(spent.requests), "tokens": words.number(spent.tokens)}
    expires = t("models_keys.never") if key.expires is None else _day(key.expires)
    return (key.name or t("unit.unknown"), key.id, _day(key.created), expires, t("models_keys.quota_of", **told),
            t("models_keys.quota_of", **used), t(f"models_keys.{key.state()}"))  # fmt: skip


def _day(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d}"


def offer_head(words: Words) -> Row:
    """The titles of `offer_rows`."""
    return tuple(words.t(f"models_publish.{name}") for name in ("name", "answers", "documents"))


def offer_rows(offers: Iterable[Offer], words: Words) -> list[Row]:
    """One row a published preset: what clients ask for, who answers, how many collections it reads."""
    return [(offer.name, offer.model, words.number(len(offer.collections))) for offer in offers]


def log_head(words: Words) -> Row:
    """The titles of `log_rows`."""
    names = ("time", "key", "route", "model", "status", "tokens", "seconds")
    return tuple(words.t(f"models_log.{name}") for name in names)


def log_rows(served: Sequence[Served], wanted: str, names: Mapping[str, str], words: Words) -> list[Row]:
    """One row a request, the newest first, those in which every word of `wanted` occurs; `names` of keys by id."""
    found = [_logged(one, names, words) for one in reversed(served)]
    parts = wanted.casefold().split()
    return [row for row in found if all(part in " ".join(row).casefold() for part in parts)]


def _logged(one: Served, names: Mapping[str, str], words: Words) -> Row:
    key = (names.get(one.key) or one.key) if one.key else words.t("unit.unknown")
    status = f"{one.status} {one.error}" if one.error else str(one.status)
    when = time.strftime("%H:%M:%S", time.localtime(one.time))
    return (when, key, one.route, one.model or words.t("unit.unknown"), status, words.number(one.tokens),
            words.seconds(one.duration))  # fmt: skip


def request_body(route: str, model: str, message: str, stream: bool) -> dict[str, Any]:
    """The JSON body of a request to one of ASKED."""
    if route == "embeddings":
        return {"model": model, "input": message}
    said: dict[str, Any] = (
        {"messages": [{"role": "user", "content": message}]} if route == "chat" else {"prompt": message}
    )
    return {"model": model, **said, "stream": stream}


def request_forms(route: str, body: Mapping[str, Any], base: str, keyed: bool) -> list[tuple[str, str, str]]:
    """Name, language and text of each form of a request that somebody else can run. `base` is one of `bases`."""
    variable = KEY_VARIABLE if keyed else None
    if route == "embeddings":
        made = {"curl": snippets.curl, "javascript": snippets.javascript}
        return [(name, snippets.FORMS[name], form(body, f"{base}/v1", variable)) for name, form in made.items()]
    forms = snippets.snippets(body, f"{base}/v1", variable).forms()
    return [(form.name, form.language, form.text) for form in forms if form.name in FORMS and form.text]
