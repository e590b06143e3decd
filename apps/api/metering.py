"""What each request to the served API costs and leaves behind: quotas and rate limits before it, tokens, log and
metrics after it. Knows no model and no text.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.api import errors, messages
from apps.api.errors import ApiError
from engine.engine import Engine
from engine.errors import EngineError, StoreFailed, TooManyRequests
from engine.keys import ApiKey
from engine.metrics import CONTENT_TYPE, Busy
from engine.person import LOCAL_OWNER, Person
from engine.rates import Rates
from engine.requestlog import Served
from engine.types import Usage

if TYPE_CHECKING:
    from apps.api.call import Call

log = logging.getLogger(__name__)

KNOWN_FOR_S = 2.0
OTHER = "other"  # a path that is none of ours is somebody's text


@dataclass
class Meter:
    """What a route tells of itself while it answers; `status` where it is another than the client was told, in the
    middle of a stream.
    """

    route: str = OTHER
    model: str | None = None
    error: str | None = None
    status: int | None = None
    usage: Usage = field(default_factory=Usage)

    def failed(self, error: EngineError) -> None:
        """Note an error, by its code."""
        self.error = error.name if isinstance(error, ApiError) else error.code
        self.status = errors.status_of(error)


def meter(scope: Scope) -> Meter:
    """The request's meter; one of its own where nobody reads it."""
    found: Meter = scope.setdefault("state", {}).setdefault("meter", Meter())
    return found


class Metered:
    """ASGI middleware behind the guard, around the API. Second processes of the same person (`/runtime`) pass."""

    def __init__(
        self, app: ASGIApp, engine: Callable[[], Engine], *, rates: Rates | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.app = app
        self._engine = engine
        paths = [route.path for route in getattr(app, "routes", ()) if "{" not in route.path]
        self._paths = frozenset(paths)  # ours to the letter, so that a refused request may be named
        self._rates = rates or Rates()
        self._clock = clock
        self._per_minute: tuple[float, int] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.get("state", {})
        person: Person | None = state.get("person")
        if scope["type"] != "http" or person is None or state.get("attached"):
            await self.app(scope, receive, send)
            return
        one, key, seen, started = meter(scope), state.get("key"), [500], time.monotonic()
        path = str(scope["path"])[len(scope.get("root_path", "")) :]
        one.route = path if path in self._paths else OTHER

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen[0] = message["status"]
            await send(message)

        try:
            await self._admitted(scope, person, key, one)
            await self.app(scope, receive, watched)
        except EngineError as error:
            one.failed(error)
            refused = messages.refused if path == "/v1/messages" else errors.response
            await refused(error)(scope, receive, watched)
        finally:
            served = Served(
                person.id, one.route, one.status or seen[0], time.monotonic() - started, key.id if key else None,
                one.model, one.error, one.usage.prompt_tokens, one.usage.completion_tokens,
            )  # fmt: skip
            asyncio.get_running_loop().run_in_executor(None, self._book, served, key)

    async def _admitted(self, scope: Scope, person: Person, key: ApiKey | None, one: Meter) -> None:
        """Return when the request may be answered. Raises TooManyRequests, QuotaSpent."""
        if key is None and person.id == LOCAL_OWNER:
            return
        limit = await self._limit()
        wait = self._rates.take(f"key {key.id}" if key else person.id, limit)
        if wait:
            message = f"more than {limit} requests in a minute"
            raise TooManyRequests(message, limit=limit, retry_after=math.ceil(wait))
        if key is not None and scope["method"] == "POST":  # looking is free
            await to_thread.run_sync(self._engine().keys.charge, key)

    async def _limit(self) -> int:
        now = self._clock()
        if self._per_minute is None or now - self._per_minute[0] > KNOWN_FOR_S:
            self._per_minute = now, await to_thread.run_sync(self._engine().serving.per_minute)
        return self._per_minute[1]

    def _book(self, served: Served, key: ApiKey | None) -> None:
        engine = self._engine()
        engine.metrics.served(served)
        engine.requests.add(served)
        if key is not None:
            try:
                engine.keys.add(key, served.tokens)
            except StoreFailed as error:
                log.warning("tokens of a key were not counted: %s", error.message)


async def metrics(call: Call) -> ASGIApp:
    """Counters and gauges for Prometheus; they name no person and no key."""
    busy = await to_thread.run_sync(busy_models, call.engine)
    return Response(call.engine.metrics.text(busy), media_type=CONTENT_TYPE)


def busy_models(engine: Engine) -> list[Busy]:
    """How busy each loaded model is."""
    found = []
    for runtime in engine.runtimes.running():
        if runtime.state().name == "ready":
            gate = runtime.gate.snapshot()
            waiting = len(gate.waiting)
            found.append(Busy(runtime.load.alias, gate.slots, gate.running, waiting, runtime.window, runtime.memory))
    return found
