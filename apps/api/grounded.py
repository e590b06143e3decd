"""`rag/<collection>` as a model of `/v1`: an answer from a person's documents, with its passages as `citations`.

Knows no search and no prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import StrictBool, StrictStr, ValidationError

from apps.api.answer import Answer
from apps.api.bodies import Open
from apps.api.errors import ApiError
from apps.api.remote import Told
from engine.engine import Engine
from engine.errors import BadInput, NotFound, UnknownModel
from engine.model import Model
from engine.person import Person
from engine.published import Speaking
from engine.rag.answering import Answered, Answering, Grounded, Reading
from engine.rag.chatting import retrieval
from engine.rag.collections import Collection
from engine.rag.grounding import Language, Mode
from engine.rag.preparing import Wanted
from engine.rag.retrieval import Asking
from engine.types import Event, Result, Stats, Usage

PREFIX = "rag/"


class Asked(Open):
    """The field `rag` of a body: how to answer, each with a default; `retrieval` changes fields of the search."""

    model: StrictStr | None = None
    mode: Mode = "documents_only"
    rewrite: StrictBool = False
    language: Language | None = None
    retrieval: dict[StrictStr, Any] = {}


def collection_of(engine: Engine, owner: str, name: str) -> Collection:
    """The collection behind `rag/<name or id>`. Raises UnknownModel."""
    try:
        return engine.collections.find(owner, name.removeprefix(PREFIX))
    except NotFound as error:
        raise UnknownModel(f"no collection {name.removeprefix(PREFIX)}", model=name) from error


def listed(collection: Collection) -> dict[str, Any]:
    """The collection as a row of the list of models."""
    meta = {"collection": collection.id, "files": collection.files, "chunks": collection.chunks,
            "embedder": collection.embedder, "shared": collection.shared}  # fmt: skip
    created = int(collection.created)
    return {"id": PREFIX + collection.name, "object": "model", "created": created, "owned_by": "rag", "meta": meta}


def asked(body: dict[str, Any]) -> Asked:
    """How the body wants to be answered. Raises ApiError."""
    try:
        return Asked.model_validate(body.get("rag") or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, ("rag", *first["loc"])))
        raise ApiError(f"{place}: {first['msg']}", param=place) from error


@dataclass
class FromDocuments(Told):
    """One answer from documents, told in chunks: the first one has `citations` and `rag`, the last one what of them was
    cited.
    """

    engine: Engine | None = None
    collection: Collection | None = None
    how: Asked = field(default_factory=Asked)
    asking: Asking | None = None
    _found: dict[str, Any] = field(default_factory=dict)
    _answering: Answering | Speaking | None = None

    @classmethod
    def of(
        cls, engine: Engine, person: Person, model: Model, collection: Collection, body: dict[str, Any]
    ) -> FromDocuments:
        """The answer to that body, with the powers of its person."""
        how = asked(body)
        rest = {name: value for name, value in body.items() if name != "rag"}
        return cls(model, person.id, rest, name=PREFIX + collection.name, engine=engine, collection=collection, how=how,
                   asking=Asking(person.role, lent=person.lent))  # fmt: skip

    def _begun(self) -> Answering | Speaking:  # type: ignore[override]
        assert self.engine and self.collection
        messages, params, _ = self._said()
        if not messages or messages[-1].role != "user":
            raise BadInput("the last message must be the question of a user", param="messages")
        chosen = None
        if self.how.retrieval:
            chosen = retrieval(self.engine, self.owner, self.collection.id, self.how.retrieval)
        wanted = Wanted((self.collection.id,), self.how.mode, chosen, self.how.rewrite, self.how.language, "stop",
                        params=params, asking=self.asking)  # fmt: skip
        self._answering = Answering(self.engine, self.owner, self.model, messages, wanted)
        return self._answering

    def _told(self, event: Event | Grounded | Reading) -> list[bytes]:
        if isinstance(event, Grounded):
            record = event.grounding.record()
            citations = record.pop("sources")
            self._found = {"citations": citations, "rag": record}
            return []
        return [] if isinstance(event, Reading) else super()._told(event)

    def _ending(self, event: Any) -> list[bytes]:
        self._found = {"rag": ends} if (ends := self._ends()) else {}
        return super()._ending(event)

    def _event(self, body: dict[str, Any]) -> bytes:
        told, self._found = self._found, {}
        return super()._event({**body, **told})

    def answer(self) -> Answer:
        """What has come, added up; its `rag` says what was cited."""
        answer = super().answer()
        if "rag" in answer.frame:
            answer.frame["rag"] = {**answer.frame["rag"], **self._ends(answer)}
        return answer

    def _ends(self, so_far: Answer | None = None) -> dict[str, Any]:
        """What of the passages is cited, and whether the answer refuses; nothing of an answer without passages."""
        if self._answering is None or self._answering.grounding is None:
            return {}
        text = "".join((so_far or super().answer()).text)
        result = Result(text, "stop", Usage(), Stats(), self.name or "")
        told = Answered.of(self._answering.grounding, result)
        unknown = sorted({number for one in told.citations for number in one.unknown})
        return {"cited": list(told.cited), "unknown": unknown, "refused": told.refused}
