"""A chat as it stands on one person's screen: what was asked, what came back, what is under way. Knows no framework and
stores nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from apps.ui.present import Live, follow
from engine.errors import EngineError
from engine.generation import HEARTBEAT_S, Generation
from engine.params import Params
from engine.types import Message, Result

LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Asked:
    """What a request was made of, so that its exact prompt and its code can be shown later."""

    model: str
    messages: tuple[Message, ...]
    params: Params


@dataclass(frozen=True)
class Turn:
    """A question and its answer."""

    question: str
    asked: Asked
    result: Result


Begin = Callable[[Asked], Generation]


class Answer:
    """An answer under way. It outlives the run of a page that asked for it: any later run draws it from where it is.

    A thread of its own reads it; once `wanted` says no, because the person has gone, it is stopped.
    """

    def __init__(
        self, question: str, asked: Asked, begin: Callable[[], Generation], wanted: Callable[[], bool]
    ) -> None:
        self.question = question
        self.asked = asked
        self.started = time.monotonic()
        self.stopping = False
        self._begin = begin
        self._generation: Generation | None = None
        self._wanted = wanted
        self._news = threading.Condition()
        self._view, self._number = Live(), 0
        self._done = False
        self._error: EngineError | None = None
        threading.Thread(target=self._read, name="answer", daemon=True).start()

    def views(self) -> Iterator[Live]:
        """The growing view as it is now, then at every change and at least every 0.2 s; ends with the answer."""
        seen, done = -1, False
        while not done:
            with self._news:
                self._news.wait_for(lambda: self._done or self._number != seen, HEARTBEAT_S)  # noqa: B023
                view, seen, done = self._view, self._number, self._done
            yield view

    def stop(self) -> None:
        """Ask for its end; what was written stays."""
        self.stopping = True
        if self._generation is not None:
            self._generation.stop()

    def turn(self) -> Turn:
        """The whole turn; waits for the end. Raises EngineError when nothing came before it."""
        with self._news:
            self._news.wait_for(lambda: self._done)
        if self._error is not None:
            raise self._error
        assert self._generation is not None
        return Turn(self.question, self.asked, self._generation.result)

    def _read(self) -> None:
        try:
            self._follow()
        except EngineError as error:
            self._error = error
        except BaseException:  # a defect: its traceback goes to the thread's hook, and the page must not wait for ever
            self._error = EngineError("internal error; see the log")
            raise
        finally:
            with self._news:
                self._done = True
                self._news.notify_all()

    def _follow(self) -> None:
        looked = self.started
        self._generation = self._begin()  # a model's first use may prepare its file, which takes seconds
        if self.stopping:
            self._generation.stop()
        for view in follow(self._generation):
            with self._news:
                self._view, self._number = view, self._number + 1
                self._news.notify_all()
            if time.monotonic() - looked > LOOK_EVERY_S and not self.stopping:
                looked = time.monotonic()
                if not self._wanted():
                    self.stop()


@dataclass
class Conversation:
    """One chat: `draft` is what stands in the input next, `error` what went wrong with the last question."""

    system: str = ""
    turns: list[Turn] = field(default_factory=list)
    answer: Answer | None = None
    draft: str | None = None
    error: EngineError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ask(self, question: str, model_id: str, params: Params, begin: Begin, wanted: Callable[[], bool]) -> None:
        """Send a question; an answer that is still coming is stopped and kept. Returns at once."""
        if self.answer is not None:
            self.answer.stop()
            self.finish(self.answer)
        self.draft = self.error = None
        asked = Asked(model_id, self._messages(question), params.seeded())
        self.answer = Answer(question, asked, lambda: begin(asked), wanted)

    def finish(self, answer: Answer) -> None:
        """Keep this answer as a turn, once; without a text, its question goes back into the input."""
        turn: Turn | None = None
        try:
            turn = answer.turn()
            error = turn.result.error
        except EngineError as failure:
            error = failure
        with self._lock:  # a page may run twice at the same time: the old run ends while the new one begins
            if self.answer is not answer:
                return
            self.answer, self.error = None, error
            if turn is not None and (turn.result.text or error is None):
                self.turns.append(turn)
            else:
                self.draft = answer.question

    def clear(self) -> None:
        """Forget everything but the system prompt."""
        if self.answer is not None:
            self.answer.stop()
        self.turns.clear()
        self.answer = self.draft = self.error = None

    def used(self) -> tuple[int, int]:
        """Tokens of the last prompt and of its answer, as the server counted them; 0 where there is none yet."""
        usage = self.turns[-1].result.usage if self.turns else None
        return (usage.prompt_tokens or 0, usage.completion_tokens or 0) if usage else (0, 0)

    def _messages(self, question: str) -> tuple[Message, ...]:
        said = [Message("system", self.system)] if self.system.strip() else []
        for turn in self.turns:
            if turn.result.text:  # two questions in a row are more than many templates can take
                said += [Message("user", turn.question), Message("assistant", turn.result.text)]
        return (*said, Message("user", question))
