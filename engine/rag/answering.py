"""An answer from documents: passages are found, fitted to the window, put into a prompt, and a model answers.

Knows no interface.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.rag.grounding import Grounding, Language, Mode
from engine.rag.values import Retrieval
from engine.types import Event, Message, Result

if TYPE_CHECKING:
    from engine.engine import Engine, Model
    from engine.params import Params
    from engine.rag.citations import Citation
    from engine.window import Policy


@dataclass(frozen=True)
class Grounded:
    """The first event of an answer from documents: what was found, before a word of the answer."""

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

    @property
    def text(self) -> str:
        """What was answered."""
        return self.result.text

    def to_dict(self) -> dict[str, Any]:
        """The result's keys, and `grounding`, `citations`, `refused`; ready for JSON."""
        raise NotImplementedError


class Answering:
    """An answer from documents on its way: iterate it once, `stop()` it from any thread, read `.answered` at the end.

    Iterating raises EngineError before the first word. The search runs in the thread that iterates.
    """

    grounding: Grounding | None

    def __iter__(self) -> Iterator[Grounded | Event]:
        """`Grounded` first, then the events of the model's Generation, `Finished` last."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ask for the end."""
        raise NotImplementedError

    @property
    def answered(self) -> Answered:
        """The whole answer, once it was iterated."""
        raise NotImplementedError


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
) -> Answering:
    """An answer to the question from those collections (ids); nothing is done before it is iterated.

    `model` None is the engine's default one; `retrieval` None the collections' default. `history` are the messages
    before, a system prompt included; with `rewrite` the question is made to stand alone by them first. `language` is
    the reader's: that of the prompt where the question's own cannot be told.
    """
    raise NotImplementedError
