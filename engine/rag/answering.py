"""An answer from documents: passages are found, fitted to the window, put into a prompt, and a model answers.

Knows no interface.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.generation import HEARTBEAT_S, Generation
from engine.params import Params
from engine.rag.citations import Citation, citations, cited
from engine.rag.grounding import Grounding, Language, Mode
from engine.rag.preparing import Prepared, Wanted, Watching, prepare
from engine.rag.prompts import is_refusal
from engine.rag.said import say
from engine.rag.values import Retrieval
from engine.types import Event, Heartbeat, Message, Result

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model
    from engine.rag.retrieval import Asking
    from engine.window import Policy


@dataclass(frozen=True)
class Reading:
    """So many parts of a long text are summarized, `done` of `total`."""

    done: int
    total: int


@dataclass(frozen=True)
class Grounded:
    """What was found, before a word of the answer."""

    grounding: Grounding


@dataclass(frozen=True)
class Answered:
    """A whole answer from documents: `result` is that of the model (a fixed text where none was asked), `citations` the
    marks in its text in their order, `refused` whether it says that the documents hold no answer.
    """

    grounding: Grounding
    result: Result
    citations: tuple[Citation, ...]
    refused: bool

    @classmethod
    def of(cls, grounding: Grounding, result: Result) -> Answered:
        """The answer with its marks; a list of passages cites nothing."""
        numbers = frozenset(source.number for source in grounding.sources)
        marks = citations(result.text, numbers) if grounding.asked else ()
        return cls(grounding, result, marks, is_refusal(result.text))

    @property
    def text(self) -> str:
        """What was answered."""
        return self.result.text

    @property
    def cited(self) -> tuple[int, ...]:
        """Numbers of the passages that are cited."""
        return cited(self.citations)

    def to_dict(self) -> dict[str, Any]:
        """The result's keys, and `grounding`, `citations`, `cited`, `refused`; ready for JSON."""
        return {
            **self.result.to_dict(),
            "refused": self.refused,
            "citations": [one.to_dict() for one in self.citations],
            "cited": list(self.cited),
            "grounding": self.grounding.record(),
        }


class Answering:
    """An answer from documents on its way: iterate it once, `stop()` it from any thread, read `.answered` at the end.

    Iterating raises EngineError before the first word. `grounding` is there once `Grounded` has come.
    """

    def __init__(self, engine: Engine, owner: str, model: Model, messages: Sequence[Message], wanted: Wanted) -> None:
        self.model = model
        self.grounding: Grounding | None = None
        self._engine = engine
        self._owner = owner
        self._messages = tuple(messages)
        self._wanted = replace(wanted, params=wanted.params.over(model.defaults))  # the room goes by them too
        self._stopped = False
        self._generation: Generation | None = None

    def __iter__(self) -> Iterator[Reading | Grounded | Event]:
        """Heartbeats and Readings, `Grounded`, then the events of the model's Generation, `Finished` last."""
        prepared = yield from self._prepared()
        self.grounding = prepared.grounding
        yield Grounded(prepared.grounding)
        self._generation = generation = self._begun(prepared)
        if self._stopped:
            generation.stop()
        yield from generation

    def stop(self) -> None:
        """Ask for the end; safe from any thread."""
        self._stopped = True
        if self._generation is not None:
            self._generation.stop()

    @property
    def answered(self) -> Answered:
        """The whole answer, once it was iterated."""
        if self.grounding is None or self._generation is None:
            raise RuntimeError("iterate it first")
        return Answered.of(self.grounding, self._generation.result)

    def _prepared(self) -> Generator[Reading | Event, None, Prepared]:
        """Events while the search and the first questions to the model run in a thread; returns what they found."""
        watch = Watching(lambda: self._stopped)
        told = 0
        threads = ThreadPoolExecutor(1, "grounding")
        working = threads.submit(
            prepare, self._engine, self._owner, self.model, self._messages, self._wanted, watch=watch
        )
        try:
            while not wait([working], HEARTBEAT_S).done:
                yield Heartbeat() if watch.done == told else Reading(watch.done, watch.total)
                told = watch.done
        finally:
            self._stopped = self._stopped or not working.done()  # the consumer went away: nobody waits for it
            threads.shutdown(wait=False)
        return working.result()

    def _begun(self, prepared: Prepared) -> Generation:
        if prepared.passages is None:
            return say(prepared.said, self._owner, self.model.card.id)
        from engine.window import plan
        from engine.window.retrieved import Joining, placed, places, sent

        wanted = self._wanted
        messages = placed(self._messages, prepared.passages)
        found = places(messages)
        made = sent(plan(Joining(self.model), messages, wanted.params, wanted.policy, retrieved=found,
                         virtual_window=wanted.virtual_window), found)  # fmt: skip
        virtual = wanted.virtual_window if made.prompt_tokens is not None else None
        return self.model.stream(made.messages, wanted.params, owner=self._owner, virtual_window=virtual,
                                 interactive=wanted.interactive, window=made.record())  # fmt: skip


def answer(
    engine: Engine,
    owner: str,
    collections: str | Sequence[str],
    question: str,
    *,
    model: Model | None = None,
    params: Params | None = None,
    retrieval: Retrieval | None = None,
    mode: Mode = "documents_only",
    history: Sequence[Message] = (),
    rewrite: bool = True,
    language: Language | None = None,
    policy: Policy = "rolling",
    virtual_window: int | None = None,
    interactive: bool = True,
    asking: Asking | None = None,
) -> Answering:
    """An answer to the question from those collections (ids); nothing is done before it is iterated.

    `model` None is the engine's default one; `retrieval` None the collections' default. `history` are the messages
    before, a system prompt included; with `rewrite` the question is made to stand alone by them first. `language` is
    the reader's: that of the prompt where the question's own cannot be told. `asking` None has the powers of the
    owner's stored role.
    """
    ids = (collections,) if isinstance(collections, str) else tuple(collections)
    wanted = Wanted(ids, mode, retrieval, rewrite, language, policy, virtual_window, interactive, params or Params(),
                    asking)  # fmt: skip
    messages = (*history, Message("user", question))
    return Answering(engine, owner, model or engine.model(), messages, wanted)
