"""The web as a source: addresses found by Tavily or by ddgs, fetched safely, in a collection that passes.

Nothing here runs by itself: Tavily needs a key, ddgs (which needs none) somebody who switched it on. Only the question
leaves the machine. Knows no interface and no model.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from engine.errors import (
    AccessDenied,
    BadInput,
    EngineError,
    PaymentRequired,
    RateLimited,
    ServerFailed,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from engine.rag.web import Fetched, Limits, fetch

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.jobs import Job
    from engine.rag.collections import Collection
    from engine.rag.sources import Source

Provider = Literal["tavily", "ddgs"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)
KEY = "TAVILY_API_KEY"
TAVILY = "https://api.tavily.com"
RESULTS_MAX = 10
AT_ONCE = 4
KEPT = 3  # collections of searches that a person has at once
SEARCH_S = 15
PAGE = Limits(bytes=5 * 2**20, seconds=15.0)
REGIONS = {"fr": "fr-fr", "en": "us-en"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hit:
    """One address that a provider found, with its title and the few words that it shows."""

    url: str
    title: str
    snippet: str


@dataclass(frozen=True)
class Page:
    """What became of a hit: the page, or the dict of the error for which there is none."""

    hit: Hit
    page: Fetched | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Web:
    """Pages of one search: `collection` holds those that could be fetched; None where there is none. `job` indexes it
    where that is not done.
    """

    query: str
    provider: Provider
    pages: tuple[Page, ...]
    collection: Collection | None = None
    job: Job | None = None


def provider_of(
    provider: Provider | None = None, *, enabled: bool, key: str | None = None, role: str = "teacher"
) -> tuple[Provider, str | None]:
    """Which provider may be asked, with its key: Tavily with a key, else ddgs where somebody switched it on.

    The environment's key is the teacher's. Raises AccessDenied, BadInput (`reason` web_search_off, unknown_provider).
    """
    from engine.settings import from_environment

    if provider not in (None, *PROVIDERS):
        raise BadInput(f"there is no provider {provider}", reason="unknown_provider", what="web_search")
    known = key or (from_environment(KEY) if role == "teacher" else None)
    if provider == "tavily" and known is None and from_environment(KEY):
        raise AccessDenied("the key for Tavily is the teacher's", role="teacher")
    if provider != "ddgs" and known is not None:
        return "tavily", known
    if provider == "tavily" or not enabled:
        raise BadInput("the search of the web is off", reason="web_search_off", what="web_search")
    return "ddgs", None


def find(
    query: str, provider: Provider, key: str | None = None, *, results: int = 5, language: str = "fr",
    address: str = TAVILY,
) -> tuple[Hit, ...]:  # fmt: skip
    """Addresses for the question, best first, each once. Raises BadInput, and BackendErrors of the provider."""
    text = " ".join(query.split())[:400]
    if not text:
        raise BadInput("an empty question", reason="empty_question", what="web_search")
    most = max(1, min(results, RESULTS_MAX))
    found = _tavily(text, key, most, address) if provider == "tavily" else _ddgs(text, most, language)
    hits = {hit.url: hit for hit in found if hit.url.startswith(("http://", "https://"))}
    return tuple(hits.values())[:most]


def pages(hits: Sequence[Hit], get: Callable[[str], Fetched] | None = None) -> tuple[Page, ...]:
    """Every hit with its page or why there is none; four are fetched at once."""
    read = get or (lambda url: fetch(url, PAGE))

    def one(hit: Hit) -> Page:
        try:
            return Page(hit, read(hit.url))
        except EngineError as error:
            return Page(hit, error=error.to_dict())

    with ThreadPoolExecutor(AT_ONCE, "web") as threads:
        return tuple(threads.map(one, hits))


def gather(
    engine: Engine, owner: str, query: str, *, enabled: bool, provider: Provider | None = None, key: str | None = None,
    role: str = "teacher", results: int = 5, language: str = "fr", embedder: str | None = None,
    address: str = TAVILY, get: Callable[[str], Fetched] | None = None,
) -> Web:  # fmt: skip
    """The pages that the web has for the question, in a temporary collection of the owner's: searched and answered from
    like any other by its id, once `job` has indexed it. Takes seconds: up to 15 of the provider, 15 of the pages.

    `engine.collections.passing(owner)` lists it under its question; it is gone when the program that serves starts
    again, a day later, or when three newer ones are there. `key` is Tavily's, for this search only. Raises what
    `provider_of` and `find` raise, BadInput collection_full; a page that cannot be fetched is told in its place.
    """
    from engine.rag.indexing import start

    chosen, known = provider_of(provider, enabled=enabled, key=key, role=role)
    found = pages(find(query, chosen, known, results=results, language=language, address=address), get)
    sources = _sources(found)
    if not sources:
        return Web(query, chosen, found)
    collections = engine.collections
    collections.sweep()
    for old in collections.passing(owner)[KEPT - 1 :]:
        collections.delete(owner, old.id)
    made = collections.create(owner, query, embedder, temporary=True)
    try:
        job = start(engine, owner, made.id, sources)
    except EngineError:
        collections.delete(owner, made.id)
        raise
    return Web(query, chosen, found, collections.get(owner, made.id), job)


@contextmanager
def searched(
    engine: Engine, owner: str, query: str, *, enabled: bool, provider: Provider | None = None, key: str | None = None,
    role: str = "teacher", results: int = 5, language: str = "fr", embedder: str | None = None,
    address: str = TAVILY, get: Callable[[str], Fetched] | None = None,
) -> Iterator[Web]:  # fmt: skip
    """The same, indexed here and deleted when the block ends: for commands and notebooks.

    Raises what `provider_of` and `find` raise; a page that cannot be fetched is told in its place.
    """
    from engine.rag.indexing import temporary

    chosen, known = provider_of(provider, enabled=enabled, key=key, role=role)
    found = pages(find(query, chosen, known, results=results, language=language, address=address), get)
    sources = _sources(found)
    if not sources:
        yield Web(query, chosen, found)
        return
    with temporary(engine, owner, sources, embedder) as collection:
        yield Web(query, chosen, found, collection)


def _sources(found: Sequence[Page]) -> list[Source]:
    """The pages that came, each under its host and its name."""
    from engine.rag.sources import fetched

    came = [one.page for one in found if one.page]
    return [fetched(page.url, f"{urlsplit(page.url).hostname or ''}/{page.name}", page.data) for page in came]


def _tavily(query: str, key: str | None, results: int, address: str) -> list[Hit]:
    import requests
    from tavily import TavilyClient  # type: ignore[import-untyped]
    from tavily import errors as wrong

    if key is None:
        raise Unauthorized("Tavily needs a key", status=401)
    client = TavilyClient(key, api_base_url=address)
    try:
        told = client.search(query, max_results=results, search_depth="basic", timeout=SEARCH_S)
    except (wrong.InvalidAPIKeyError, wrong.MissingAPIKeyError) as error:
        raise Unauthorized("Tavily refused the key", status=401) from error
    except wrong.UsageLimitExceededError as error:
        raise RateLimited("Tavily: the key's limit is reached", status=429, retry_after=None) from error
    except wrong.ForbiddenError as error:
        raise PaymentRequired("Tavily: the key's plan does not allow this", status=402) from error
    except (wrong.BadRequestError, requests.exceptions.HTTPError) as error:
        raise ServerFailed(f"Tavily: {_without(key, error)}", status=None) from error
    except (wrong.TimeoutError, requests.exceptions.Timeout) as error:
        raise TimedOut("Tavily did not answer", seconds=SEARCH_S) from error
    except (requests.exceptions.RequestException, ValueError) as error:
        raise Unreachable(f"Tavily: {_without(key, error)}", address=address) from error
    finally:
        client.session.close()
    return [_hit(row, "url", "title", "content") for row in told.get("results", ()) if isinstance(row, dict)]


def _ddgs(query: str, results: int, language: str) -> list[Hit]:
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

    try:
        rows = DDGS(timeout=SEARCH_S).text(query, region=REGIONS.get(language, "us-en"), max_results=results)
    except RatelimitException as error:
        raise RateLimited("the search engines ask for fewer questions", status=429, retry_after=None) from error
    except TimeoutException as error:
        raise TimedOut("no search engine answered", seconds=SEARCH_S) from error
    except DDGSException as error:
        if "No results" in str(error):
            return []
        raise Unreachable(f"no search engine answered: {str(error)[:200]}", address="ddgs") from error
    return [_hit(row, "href", "title", "body") for row in rows]


def _hit(row: dict[str, Any], url: str, title: str, snippet: str) -> Hit:
    return Hit(*(str(row.get(name) or "").strip() for name in (url, title, snippet)))


def _without(key: str, error: Exception) -> str:
    return str(error).replace(key, "[hidden]")[:200]
