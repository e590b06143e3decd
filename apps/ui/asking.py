"""Answers on their way, each in a thread of its own, so that the page stays usable and looks as often as it likes.

A `Look` is one answer at one moment and never changes: whoever draws takes one and draws all of it from that. Knows no
framework.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import EngineError
from engine.generation import Generation
from engine.live import Live
from engine.model import Model
from engine.rag.answering import Answered, Answering, Grounded, Reading, answer
from engine.rag.grounding import Grounding
from engine.types import Event, Message, Result


@dataclass(frozen=True)
class Look:
    """One answer as it is at one moment: `live` so far, `grounding` once passages were found, `reading` how many parts
    of a summary are done. At the end `result`, and `answered` for one from documents, or `error`.
    """

    question: str
    model: Model
    started: float
    live: Live = field(default_factory=Live)
    grounding: Grounding | None = None
    reading: Reading | None = None
    result: Result | None = None
    answered: Answered | None = None
    error: EngineError | None = None
    stopping: bool = False
    done: bool = False

    @property
    def text(self) -> str:
        """What was said so far."""
        return self.live.text if self.result is None else self.result.text


class Asked:
    """One answer under way or at its end; `wanted` says whether anybody still looks."""

    def __init__(self, question: str, model: Model, work: Answering | Generation, wanted: Callable[[], bool]) -> None:
        self.look = Look(question, model, time.monotonic())
        self._work = work
        self._wanted = wanted
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="documents-answer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; what was said so far is kept."""
        self._change(stopping=True)
        self._work.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it ended within `timeout` seconds."""
        self._thread.join(timeout)
        return self.look.done

    def _change(self, **news: Any) -> None:
        with self._lock:
            self.look = replace(self.look, **news)

    def _follow(self) -> None:
        end: dict[str, Any] = {}
        try:
            self._all(self._work)
            end = self._end()
        except EngineError as error:
            end = {"error": error}
        finally:  # a defect of ours has its traceback in the log, and the page sees an end without a result
            self._change(done=True, **end)

    def _all(self, news: Iterable[Reading | Grounded | Event]) -> None:
        for one in news:
            if isinstance(one, Grounded):
                self._change(grounding=one.grounding, reading=None)
            elif isinstance(one, Reading):
                self._change(reading=one)
            else:
                self._change(live=self.look.live.after((one,)))
            if not self._wanted():
                self._work.stop()

    def _end(self) -> dict[str, Any]:
        if isinstance(self._work, Generation):
            return {"result": self._work.result}
        answered = self._work.answered
        return {"result": answered.result, "answered": answered}


def asked(wanted: Mapping[str, Any], watched: Callable[[], bool]) -> dict[str, Asked]:
    """The answers that a question begins: with the documents, without them, or both at the same time."""
    question, model, found = wanted["question"], wanted["model"], dict[str, Asked]()
    if wanted["compared"] != "without":
        work = answer(wanted["engine"], wanted["owner"], wanted["collection"], question, model=model,
                      params=wanted["params"], retrieval=wanted["retrieval"], mode=wanted["mode"],
                      history=wanted["history"], language=wanted["language"])  # fmt: skip
        found["with"] = Asked(question, model, work, watched)
    if wanted["compared"] != "with":
        messages = (*wanted["history"], Message("user", question))
        said = model.stream(messages, wanted["params"], owner=wanted["owner"])
        found["without"] = Asked(question, model, said, watched)
    return found


def record(look: Look) -> dict[str, Any]:
    """Question and answer with all that they were made from, ready for JSON."""
    assert look.result is not None
    told = look.result.to_dict() if look.answered is None else look.answered.to_dict()
    return {"format": "atelier-document-answer/1", "question": look.question, **told}
