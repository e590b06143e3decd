"""A published preset as a model of `/v1`: asked by its own name, answered as a conversation is. Knows no prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.api.grounded import FromDocuments
from engine.engine import Engine
from engine.errors import BadInput
from engine.person import Person
from engine.published import Offer, Speaking, Wish, opened

LIMITS = ("max_completion_tokens", "max_tokens", "n_predict")


def listed(offer: Offer) -> dict[str, Any]:
    """The offer as a row of the list of models; nothing of what it hides."""
    meta = {"type": "preset", "documents": bool(offer.collections)}
    return {"id": offer.name, "object": "model", "created": int(offer.created), "owned_by": "preset", "meta": meta}


@dataclass
class FromPreset(FromDocuments):
    """One answer of a published preset, told in chunks; one with collections tells its passages as `rag/…` does."""

    offer: Offer | None = None
    sees: bool = False

    @classmethod
    def asked_of(cls, engine: Engine, person: Person, offer: Offer, body: dict[str, Any]) -> FromPreset:
        """The answer to that body."""
        sees = person.role == "teacher"
        model = opened(engine, offer, Wish(person.id, (), body=body, sees=sees))
        return cls(model, person.id, body, name=offer.name, engine=engine, offer=offer, sees=sees)

    def _begun(self) -> Speaking:  # type: ignore[override]
        assert self.engine and self.offer
        messages, params, extra = self._said()
        if all(message.role == "system" for message in messages):
            raise BadInput("a preset is asked something: a message of a user is needed", param="messages")
        named = {name: params[name] for name in params.given}
        if not any(name in self.asked for name in LIMITS):
            named.pop("max_tokens", None)
        wish = Wish(self.owner, messages, named, extra, self.asked, self.sees)
        self._answering = Speaking(self.engine, self.offer, wish)
        return self._answering
