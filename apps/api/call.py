"""One request of a program: who asks, what they sent, and which model they mean. Knows no answer."""

from __future__ import annotations

import functools
from typing import Any

from anyio import to_thread
from starlette.requests import Request

from apps import host
from apps.api import grounded
from apps.api.bodies import MAX_BODY, parse
from apps.api.errors import ApiError
from apps.api.metering import meter
from engine.engine import Engine
from engine.errors import AccessDenied
from engine.model import Model
from engine.person import Person
from engine.published import Offer
from engine.rag.collections import Collection


class Call:
    """One request: the engine, the person whom the guard found, and the body, read with a limit."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.engine: Engine = host.engine()

    @property
    def person(self) -> Person:
        """Who asks. Raises AccessDenied where no guard stood before."""
        person = self.request.scope.get("state", {}).get("person")
        if person is None:
            raise AccessDenied("nobody is asking", role="student")
        return person  # type: ignore[no-any-return]

    async def json(self) -> dict[str, Any]:
        """The body as an object. Raises ApiError."""
        data = bytearray()
        async for chunk in self.request.stream():
            data += chunk
            if len(data) > MAX_BODY:
                raise ApiError(f"the body has more than {MAX_BODY} bytes", status=413, code="body_too_large")
        return parse(bytes(data))

    async def model(self, name: str | None) -> Model:
        """The model of an id or alias, a remote one with the key that the person brought for this visit where there is
        one. A student reaches no endpoint that would spend this machine's keys.
        """
        who = self.person
        found = await to_thread.run_sync(functools.partial(self.engine.model, name, role=who.role, owner=who.spends))
        meter(self.request.scope).model = found.card.id
        return found

    async def collection(self, name: str) -> Collection:
        """The collection behind `rag/<name>` that this person may read."""
        return await to_thread.run_sync(grounded.collection_of, self.engine, self.person.reads, name)

    async def offer(self, name: str | None) -> Offer | None:
        """What the teacher published under that name."""
        found = await to_thread.run_sync(self.engine.published.get, name) if name else None
        if found is not None:
            meter(self.request.scope).model = found.name
        return found

    async def answering(self, name: str | None) -> Model:
        """The model of an id or alias, or the one behind what was published under that name."""
        offer = await self.offer(name)
        return await self.model(name) if offer is None else await to_thread.run_sync(self.engine.model, offer.model)
