"""A conversation that is grounded in collections: what its next answer is to be made from. Knows no store of chats and
no interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from engine.errors import BadInput
from engine.params import Params
from engine.rag.grounding import Grounding, Language
from engine.rag.preparing import Prepared, Wanted, Watching, prepare
from engine.rag.values import Retrieval

if TYPE_CHECKING:
    from engine.catalog import ModelCard
    from engine.conversation import ChatSettings, Conversation
    from engine.engine import Engine
    from engine.jobs import Job
    from engine.model import Model
    from engine.rag.collections import Collection
    from engine.rag.retrieval import Asking
    from engine.rag.sources import Source


def prepared(
    engine: Engine, owner: str, model: Model, conversation: Conversation, leaf: str | None, params: Params, *,
    language: str | None = None, stopped: Callable[[], bool] = lambda: False, asking: Asking | None = None,
) -> Prepared | None:  # fmt: skip
    """What an answer to the question at `leaf` is made from; None where the conversation is grounded in nothing.

    A raw prompt is sent as it stands, without passages. Raises what search and model raise.
    """
    settings = conversation.settings
    path = conversation.path(leaf) if leaf is not None else ()
    if not settings.collections or settings.mode == "raw" or not path or path[-1].role != "user":
        return None
    wanted = Wanted(
        settings.collections, cast(Any, settings.grounding), retrieval_of(engine, owner, settings), settings.rewrite,
        cast("Language | None", language), cast(Any, settings.policy), settings.virtual_window, params=params,
        asking=asking,
    )  # fmt: skip
    messages = conversation.messages(leaf)
    return prepare(engine, owner, model, messages, wanted, question=path[-1].content or None, watch=Watching(stopped))


def taken_in(
    engine: Engine, owner: str, settings: ChatSettings, name: str, files: Sequence[Source]
) -> tuple[Collection, Job]:  # fmt: skip
    """The collection that these files of a message go into, and the job that reads them: the last one of the owner's
    that the conversation is grounded in, else the one of that name, made where there is none. Raises BadInput.
    """
    from engine.rag.indexing import start

    store = engine.collections
    mine = {one.id: one for one in (*store.list(owner), *store.passing(owner)) if one.owner == owner}
    known = next((mine[key] for key in reversed(settings.collections) if key in mine), None)
    known = known or next((one for one in mine.values() if one.name == name), None) or store.create(owner, name)
    return known, start(engine, owner, known.id, files)


def again(record: Mapping[str, Any] | None) -> Prepared | None:
    """The same passages as before, for an answer that goes on; nothing is searched, and nothing said twice."""
    if record is None:
        return None
    kept = Prepared.of(Grounding.of(record))
    return replace(kept, said="")


def retrieval_of(engine: Engine, owner: str, settings: ChatSettings) -> Retrieval | None:
    """How the conversation's passages are looked for: the collection's default with what the settings change; None
    where they change nothing. Raises BadInput for a field that there is not.
    """
    if not settings.retrieval:
        return None
    return retrieval(engine, owner, settings.collections[0], settings.retrieval)


def asking(role: Literal["teacher", "student"], key: str | None, card: ModelCard) -> Asking:
    """The powers of the person who asks that model: the key that opens it is for its own provider's embedders too."""
    from engine.rag.retrieval import Asking

    return Asking(role, key, card.endpoint.provider.id if card.endpoint else "")


def retrieval(engine: Engine, owner: str, collection: str, changes: Mapping[str, Any]) -> Retrieval:
    """The default of that collection (id) with these changes. Raises NotFound, BadInput for a field that there is
    not, BadParameter for a value that it cannot have.
    """
    from engine.rag.looking import check
    from engine.rag.retrieval import default

    unknown = [name for name in changes if name not in Retrieval.__dataclass_fields__]
    if unknown:
        raise BadInput(f"a search has no {unknown[0]}", reason="unknown_field", what="retrieval", field=unknown[0])
    told: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}
    changed = replace(default(engine.collections.get(owner, collection).embedder), **told)
    check(changed)
    return changed
