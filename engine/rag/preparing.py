"""What a question finds before a model is asked: passages or whole files, fitted to the window, or no need to ask.

Knows no interface and starts no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput, PromptTooLong
from engine.params import Params
from engine.rag.budget import Fitted, fit
from engine.rag.grounding import MODES, Grounding, Language, Mode, Source, source_of
from engine.rag.prompts import block, language_of, listed, refusal
from engine.rag.values import Retrieval
from engine.types import Message
from engine.window.values import Policy

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model
    from engine.rag.retrieval import Asking

FITTING = 12  # characters of a token at most: whole files with more are not even counted


@dataclass
class Watching:
    """Who waits for the preparation: `stopped` says that nobody does any more; `done` of `total` parts are read."""

    asked_to_stop: Callable[[], bool] = lambda: False
    done: int = 0
    total: int = 0

    @property
    def stopped(self) -> bool:
        """Whether the work is to end."""
        return self.asked_to_stop()

    def step(self, done: int, total: int) -> None:
        """So many of the parts are done."""
        self.done, self.total = done, total


@dataclass(frozen=True)
class Wanted:
    """How a question is to be answered from which collections (ids); `language` is the reader's."""

    collections: tuple[str, ...]
    mode: Mode = "documents_only"
    retrieval: Retrieval | None = None
    rewrite: bool = True
    language: Language | None = None
    policy: Policy = "rolling"
    virtual_window: int | None = None
    interactive: bool = True
    params: Params = field(default_factory=Params)
    asking: Asking | None = None  # None: the owner's stored role, without a key


@dataclass(frozen=True)
class Prepared:
    """`passages` is what goes before the question; None where no model is asked and `said` is the answer."""

    grounding: Grounding
    passages: str | None
    said: str = ""

    @classmethod
    def of(cls, grounding: Grounding) -> Prepared:
        """The same for the same grounding: what a model reads, or the fixed text."""
        if grounding.mode == "retrieval_only":
            return cls(grounding, None, listed(grounding.sources, grounding.language))
        if not grounding.asked:
            return cls(grounding, None, refusal(grounding.language))
        return cls(grounding, block(grounding))


def prepare(
    engine: Engine, owner: str, model: Model, messages: Sequence[Message], wanted: Wanted, *,
    question: str | None = None, options: dict[str, Any] | None = None, watch: Watching | None = None,
) -> Prepared:  # fmt: skip
    """What the last of the messages finds. `question` is what was typed, where the message holds files too.

    Raises BadInput, NotFound, PromptTooLong, and what search and model raise.
    """
    if wanted.mode not in MODES:
        raise BadInput(f"there is no mode {wanted.mode}", reason="unknown_mode", what="mode")
    asked = (messages[-1].content if question is None else question).strip()
    if not asked:
        raise BadInput("nothing was asked", what="message", reason="empty")
    one = _One(engine, owner, model, tuple(messages), wanted, asked, options or {}, watch or Watching())
    return Prepared.of(one.grounding())


@dataclass(frozen=True)
class _One:
    """One question on its way to its grounding."""

    engine: Engine
    owner: str
    model: Model
    messages: tuple[Message, ...]
    wanted: Wanted
    question: str
    options: dict[str, Any]
    watch: Watching

    def grounding(self) -> Grounding:
        """Whole files or passages, by the mode."""
        if self.wanted.mode == "summary":
            return self._summary()
        if self.wanted.mode == "whole_document" and (found := self._whole()) is not None:
            return found
        return self._passages()

    def _begun(self, mode: Mode, query: str | None = None, **more: Any) -> Grounding:
        wanted = self.wanted
        language = language_of(self.question, wanted.language)
        return Grounding(mode, wanted.mode, self.question, query or self.question, language, wanted.collections, **more)

    def _passages(self) -> Grounding:
        from engine.rag.retrieval import search

        mode: Mode = "documents_only" if self.wanted.mode == "whole_document" else self.wanted.mode
        query, more = self._query(mode)
        wanted = self.wanted
        found = search(self.engine, self.owner, wanted.collections, query, wanted.retrieval, asking=wanted.asking)
        sources = tuple(source_of(passage, number) for number, passage in enumerate(found.passages, 1))
        told = self._begun(mode, found.query_sent, below=found.below, nearest=found.nearest, sources=sources,
                           seconds=dict(found.seconds), retrieval=asdict(found.retrieval), **more)  # fmt: skip
        if mode == "retrieval_only" or (mode == "documents_only" and not sources):
            return replace(told, asked=False)
        return self._fitted(told)

    def _query(self, mode: Mode) -> tuple[str, dict[str, Any]]:
        """What to look for: the question, made to stand alone where there is a conversation before it."""
        history = [message for message in self.messages[:-1] if message.role != "system"]
        if not self.wanted.rewrite or not history or mode == "retrieval_only":
            return self.question, {}
        from engine.rag.rewriting import rewrite

        told = rewrite(self.model, history, self.question, owner=self.owner)
        return told.query, {"rewritten": told.query != self.question, "rewriting_trace": told.trace_id}

    def _whole(self) -> Grounding | None:
        """Every page of the files; None where they do not fit into the window beside the conversation."""
        told = self._begun("whole_document")
        sources = self._files(short=True)
        if not sources:
            return None
        try:
            fitted = self._fit(told, sources)
        except PromptTooLong:
            return None
        return replace(told, sources=fitted.sources, tokens=fitted.tokens) if fitted.whole else None

    def _summary(self) -> Grounding:
        """Parts of the files, or the model's summaries of these."""
        from engine.rag.summary import condensed

        told = self._begun("summary")
        every = self._files(short=False)
        if not every:
            return replace(told, asked=False)
        made = condensed(self.model, every, lambda sources: self._all_fit(told, sources), told.language,
                         owner=self.owner, watch=self.watch, interactive=self.wanted.interactive,
                         virtual_window=self.wanted.virtual_window)  # fmt: skip
        return self._fitted(replace(told, sources=made))

    def _files(self, *, short: bool) -> tuple[Source, ...]:
        """The chosen files page by page; nothing where they should be short and cannot fit into any window of ours."""
        from engine.rag.wholes import chosen_files, whole

        retrieval = self.wanted.retrieval or Retrieval()
        chosen = chosen_files(self.engine, self.owner, self.wanted.collections, retrieval.files)
        window = self.wanted.virtual_window or self.model.window()
        if short and window and sum(file.characters or 0 for _, file in chosen) > window * FITTING:
            return ()
        return whole(self.engine, self.owner, chosen)

    def _all_fit(self, told: Grounding, sources: Sequence[Source]) -> bool:
        window = self.wanted.virtual_window or self.model.window()
        if window and sum(len(source.text) for source in sources) > window * FITTING:
            return False
        try:
            return self._fit(told, sources).whole
        except PromptTooLong:
            return False

    def _fitted(self, told: Grounding) -> Grounding:
        fitted = self._fit(told, told.sources)
        return replace(told, sources=fitted.sources, left_out=fitted.left_out, tokens=fitted.tokens)

    def _fit(self, told: Grounding, sources: Sequence[Source]) -> Fitted:
        wanted = self.wanted
        return fit(self.model, self.messages, sources, lambda some: block(replace(told, sources=some)), wanted.params,
                   policy=wanted.policy, virtual_window=wanted.virtual_window, options=self.options)  # fmt: skip
