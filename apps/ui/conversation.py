"""A chat as it stands on one person's screen: what was asked, what came back, what is under way. Knows no framework and
stores nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from apps.ui.present import Live, follow
from engine.engine import Model
from engine.errors import EngineError
from engine.params import Params
from engine.types import Message, Result


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


class Answer:
    """An answer under way. It outlives the run of a page: the next run goes on reading where the last one stopped."""

    def __init__(self, question: str, asked: Asked, model: Model, owner: str) -> None:
        self.question = question
        self.asked = asked
        self._generation = model.stream(asked.messages, asked.params, owner=owner)
        self._views = follow(self._generation)
        self._last = Live()
        self.stopping = False

    def views(self) -> Iterator[Live]:
        """The growing view, from where reading stopped. Raises EngineError as the generation does."""
        yield self._last
        for view in self._views:
            self._last = view
            yield view

    def stop(self) -> None:
        """Ask for its end; what was written stays."""
        self.stopping = True
        self._generation.stop()

    def turn(self) -> Turn:
        """The whole turn; waits for the end."""
        return Turn(self.question, self.asked, self._generation.result)


@dataclass
class Conversation:
    """One chat: `draft` is what stands in the input next, `error` what went wrong with the last question."""

    system: str = ""
    turns: list[Turn] = field(default_factory=list)
    answer: Answer | None = None
    draft: str | None = None
    error: EngineError | None = None

    def ask(self, question: str, model: Model, params: Params, owner: str) -> None:
        """Send a question; an answer that is still coming is stopped and kept."""
        if self.answer is not None:
            self.answer.stop()
            self.finish()
        self.draft = self.error = None
        asked = Asked(model.card.id, self._messages(question), params.seeded())
        self.answer = Answer(question, asked, model, owner)

    def finish(self) -> None:
        """Keep the answer under way as a turn; without a text, its question goes back into the input."""
        if self.answer is None:
            return
        turn, self.answer = self.answer.turn(), None
        if turn.result.error is not None and not turn.result.text:
            self.refuse(turn.question, turn.result.error)
            return
        self.error = turn.result.error
        self.turns.append(turn)

    def refuse(self, question: str, error: EngineError) -> None:
        """Give a question back that got no answer."""
        self.answer, self.draft, self.error = None, question, error

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
