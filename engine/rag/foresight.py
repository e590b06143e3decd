"""What the passages of a conversation's next question will about take, before there is a question: stand-ins of the
collections' own text, as many and as long as the search gives. Knows no store of chats and searches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from engine.errors import NotFound
from engine.params import Params
from engine.rag.budget import fit
from engine.rag.chatting import retrieval_of
from engine.rag.grounding import Grounding, Language, Mode, Source, source_of
from engine.rag.preparing import FITTING
from engine.rag.prompts import block, language_of
from engine.rag.retrieval import default
from engine.rag.rows import CollectionFile
from engine.rag.values import Chunk, Passage
from engine.rag.wholes import chosen_files, whole
from engine.window.values import Policy

if TYPE_CHECKING:
    from engine.conversation import Conversation
    from engine.engine import Engine
    from engine.model import Model

FORESEEN: frozenset[Mode] = frozenset({"documents_only", "documents_and_model", "whole_document"})


def foreseen(
    engine: Engine, owner: str, model: Model, conversation: Conversation, params: Params, language: str | None = None
) -> str | None:
    """What will stand before the next question, in its length; None where nothing will or nobody can say: no
    collection, none that is there, nothing in it, a mode that asks no model or sums up.

    A whole document is itself. Counts as `engine.rag.budget.fit` does. Raises PromptTooLong.
    """
    settings = conversation.settings
    mode = cast(Mode, settings.grounding)
    if not settings.collections or settings.mode == "raw" or mode not in FORESEEN:
        return None
    messages = conversation.messages()
    question = messages[-1].content if messages else ""
    told = Grounding(mode, mode, question, question, language_of(question, cast("Language | None", language)))

    def fitted(sources: Sequence[Source]) -> tuple[tuple[Source, ...], bool]:
        found = fit(model, messages, sources, lambda some: block(replace(told, sources=some)), params,
                    policy=cast(Policy, settings.policy), virtual_window=settings.virtual_window)  # fmt: skip
        return found.sources, found.whole

    try:
        files = chosen_files(engine, owner, settings.collections, tuple((settings.retrieval or {}).get("files", ())))
        if mode == "whole_document":
            window = settings.virtual_window or model.window() or 0
            if 0 < sum(file.characters or 0 for _, file in files) <= window * FITTING:
                sources, all_of_it = fitted(whole(engine, owner, files))
                if all_of_it:
                    return block(replace(told, sources=sources))
        sources = _stand_ins(engine, owner, conversation, files)
    except NotFound:  # what is gone is said when it is asked
        return None
    return block(replace(told, sources=fitted(sources)[0])) if sources else None


def _stand_ins(
    engine: Engine, owner: str, conversation: Conversation, files: Sequence[tuple[str, CollectionFile]]
) -> tuple[Source, ...]:
    """As many passages as a search keeps, of the middle length of a chunk with its neighbours."""
    chunks = sum(file.chunks or 0 for _, file in files)
    if not chunks:
        return ()
    settings = conversation.settings
    wanted = retrieval_of(engine, owner, settings)
    wanted = wanted or default(engine.collections.get(owner, settings.collections[0]).embedder)
    length = sum(file.characters or 0 for _, file in files) // chunks * (1 + 2 * wanted.neighbours)
    collection, longest = max(files, key=lambda entry: entry[1].characters or 0)
    text = engine.collections.document(owner, collection, longest.id).text
    pieces = [text[at : at + length] for at in range(0, len(text), max(1, length))]
    return tuple(
        source_of(Passage(_chunk(longest, pieces[number % len(pieces)])), number + 1)
        for number in range(min(wanted.k, chunks))
    )


def _chunk(file: CollectionFile, text: str) -> Chunk:
    return Chunk("", file.id, file.name, 0, text, 0, len(text), 0, 1 if file.pages else None)
