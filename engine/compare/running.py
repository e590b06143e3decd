"""Several models answer one question at once: each side is opened, streamed and timed in a thread of its own, so that a
slow one delays nobody and a failing one stops nobody. Knows no interface.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from engine.compare.money import LOCAL
from engine.compare.prices import Prices, price_at, unbilled
from engine.compare.side import QUESTION_MAX, RECORDED, SIDES_MAX, SIDES_MIN, Side, SideView
from engine.errors import BadInput, EngineError
from engine.generation import HEARTBEAT_S, Generation
from engine.live import Live, follow
from engine.types import Event, Finished, Message, ReasoningDelta, Result, Stats, TextDelta, ToolCall, Usage

if TYPE_CHECKING:
    from engine.backends.base import Request
    from engine.catalog import ModelCard
    from engine.compare.money import Cost
    from engine.compare.report import ComparisonReport
    from engine.engine import Engine
    from engine.model import Model

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # whether anybody still wants the answers
INTERNAL = "internal error; see the log"


@dataclass
class _Answer:
    """One answer of one side: its thread writes the view, under the comparison's lock."""

    view: SideView
    began: float
    model: Model | None = None
    generation: Generation | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def now(self) -> SideView:
        """The view, with the time that it has been asked for."""
        waiting = self.view.status == "running"
        return replace(self.view, waited=time.monotonic() - self.began) if waiting else self.view


@dataclass(frozen=True)
class Turn:
    """One question and how its sides look."""

    question: str
    views: tuple[SideView, ...]


@dataclass
class _Turn:
    question: str
    answers: list[_Answer]

    def now(self) -> Turn:
        return Turn(self.question, tuple(answer.now() for answer in self.answers))


class Comparison:
    """Two to six sides and the questions that all of them are asked; safe from any thread.

    Each side has a conversation of its own: the shared questions and its own answers, of which one that brought no text
    is left out. `keys` opens remote models, by the id of the model or of its endpoint, and is stored nowhere. `wanted`
    is asked once a second; once it says no, all is stopped. `lent`: who asks in the owner's name spends none of the
    keys that the owner brought. Raises BadInput for too few or too many sides.
    """

    def __init__(
        self,
        engine: Engine,
        sides: Sequence[Side],
        *,
        owner: str = "local",
        role: Literal["teacher", "student"] = "teacher",
        keys: Mapping[str, str] | None = None,
        wanted: Callable[[], bool] = lambda: True,
        lent: bool = False,
    ) -> None:
        if not SIDES_MIN <= len(sides) <= SIDES_MAX:
            told = f"a comparison has {SIDES_MIN} to {SIDES_MAX} sides, not {len(sides)}"
            raise BadInput(told, what="sides", low=SIDES_MIN, high=SIDES_MAX, value=len(sides))
        self.owner = owner
        self._engine = engine
        self._role: Literal["teacher", "student"] = role
        self._keys = dict(keys or {})
        self._spends = None if lent else owner
        self._wanted = wanted
        self._sides = list(sides)
        self._turns: list[_Turn] = []
        self._news = threading.Condition()
        self._version = 0
        self._prices = engine.prices
        if any("/" in side.model and not side.model.startswith(RECORDED) for side in sides):
            price_at("", "", "openai")  # the list is read here, in 0.3 s, and not while clocks run
        # Opened here: a part opens under the engine's lock, where the others would wait for the side that is first
        _ = engine.endpoints, engine.remotes, engine.visit_keys, engine.traces

    @property
    def sides(self) -> tuple[Side, ...]:
        """Who is asked."""
        return tuple(self._sides)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The questions so far, each with its answers."""
        with self._news:
            return tuple(turn.now() for turn in self._turns)

    @property
    def version(self) -> int:
        """A number that grows with every change."""
        return self._version

    @property
    def running(self) -> bool:
        """Whether a side is still at it."""
        with self._news:
            return self._busy()

    def views(self) -> tuple[SideView, ...]:
        """All sides as they look now, of the last question; idle before the first."""
        with self._news:
            return self._turns[-1].now().views if self._turns else tuple(SideView(side) for side in self._sides)

    def ask(self, question: str) -> None:
        """Ask all sides; returns at once. Raises BadInput for an empty question, and while a side still answers."""
        if not question.strip():
            raise BadInput("nothing was asked", what="message", reason="empty")
        if len(question) > QUESTION_MAX:
            raise BadInput("the question is too long", what="message", reason="too_long", high=QUESTION_MAX)
        with self._news:
            if self._busy():
                raise BadInput("a side is still answering", what="comparison", reason="running")
            begun = [self._begin(index, side, question) for index, side in enumerate(self._sides)]
            self._turns.append(_Turn(question, [answer for answer, _ in begun]))
            self._changed()
        for answer, messages in begun:
            self._start(answer, messages)

    def regenerate(self, index: int, side: Side | None = None) -> None:
        """Ask one side the last question again, in place of its answer; with `side`, as that one from now on. Returns
        at once. Raises BadInput before the first question, and where there is no such side.
        """
        with self._news:
            self._check(index)
            turn, before = self._turns[-1], self._turns[-1].answers[index]
            self._sides[index] = side or self._sides[index]
            del self._turns[-1]  # what it was asked is what came before this question
            answer, messages = self._begin(index, self._sides[index], turn.question)
            self._turns.append(turn)
            turn.answers[index] = answer
            self._changed()
        self._end_early([before])
        self._start(answer, messages)

    def change(self, index: int, side: Side) -> None:
        """Ask that side as `side` from the next question on; its conversation goes on. Raises BadInput where there is
        no such side.
        """
        with self._news:
            if not 0 <= index < len(self._sides):
                raise BadInput(f"there is no side {index}", what="sides", value=index)
            self._sides[index] = side

    def stop(self, index: int | None = None) -> None:
        """End the answer of one side, or of all; what was written stays. Returns at once."""
        with self._news:
            if not self._turns:
                return
            if index is not None:
                self._check(index)
            answers = self._turns[-1].answers
            ending = list(answers) if index is None else [answers[index]]
        self._end_early(ending)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether all sides are done, at the latest after `seconds`."""
        with self._news:
            return self._news.wait_for(lambda: not self._busy(), seconds)

    def changed(self, since: int, seconds: float) -> int:
        """The version, as soon as it is not `since`, at the latest after `seconds`."""
        with self._news:
            self._news.wait_for(lambda: self._version != since, seconds)
            return self._version

    def looks(self, every: float = 0.1) -> Iterator[tuple[SideView, ...]]:
        """All sides as they look now, then after changes, at most once in `every` seconds and at least every 0.2 s; the
        last look is of the end.
        """
        while True:
            with self._news:
                seen, busy = self._version, self._busy()
                views = self.views()
            yield views
            if not busy:
                return
            drawn = time.monotonic()
            self.changed(seen, HEARTBEAT_S)
            rest = every - (time.monotonic() - drawn)
            if rest > 0:
                self.wait(rest)

    def asked(self, index: int) -> tuple[Model, Request] | None:
        """The model of that side and what its last answer was asked with; None where it was not. Raises BadInput."""
        with self._news:
            self._check(index)
            answer = self._turns[-1].answers[index]
            if answer.model is None or answer.generation is None:
                return None
            return answer.model, answer.generation.request

    def report(self) -> ComparisonReport:
        """What was asked and answered so far, as values to export; no key is in it."""
        from engine.compare.report import report

        with self._news:
            turns = self.turns
            models = [answer.model for turn in self._turns for answer in turn.answers if answer.model is not None]
        return report(turns, models, self.sides, tuple(self._keys.values()))

    # Under the lock

    def _busy(self) -> bool:
        return bool(self._turns) and any(answer.view.status == "running" for answer in self._turns[-1].answers)

    def _changed(self) -> None:
        self._version += 1
        self._news.notify_all()

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._sides):
            raise BadInput(f"there is no side {index}", what="sides", value=index)
        if not self._turns:
            raise BadInput("nothing was asked yet", what="message", reason="empty")

    def _begin(self, index: int, side: Side, question: str) -> tuple[_Answer, list[Message]]:
        """A new answer and the side's own conversation before it."""
        messages = []
        for turn in self._turns:
            result = turn.answers[index].view.result
            if result is not None and result.text:
                messages += [Message("user", turn.question), Message("assistant", result.text)]
        answer = _Answer(SideView(side, status="running"), time.monotonic())
        return answer, [*messages, Message("user", question)]

    # In the side's own thread

    def _start(self, answer: _Answer, messages: list[Message]) -> None:
        name = f"compare-{answer.view.side.model}"
        threading.Thread(target=self._run, args=(answer, messages), name=name, daemon=True).start()

    def _run(self, answer: _Answer, messages: list[Message]) -> None:
        error: EngineError | None = EngineError(INTERNAL)  # a defect: its traceback goes to the thread's hook
        try:
            self._answer(answer, messages)
            error = None
        except EngineError as failure:
            error = failure
        finally:
            if answer.view.status == "running":
                self._finish(answer, _nothing(answer, error))

    def _answer(self, answer: _Answer, messages: list[Message]) -> None:
        model, side = self._open(answer.view.side), answer.view.side
        self._show(answer, card=model.card)
        answer.model = model
        system = side.system or model.configuration.prompt.system
        if system:
            messages = [Message("system", system), *messages]
        if answer.stopping.is_set():
            return
        answer.generation = generation = model.stream(messages, side.params, owner=self.owner)
        if answer.stopping.is_set():  # it was said while the generation began
            generation.stop()
        with suppress(EngineError):  # it is in the result too
            for live in follow(self._noted(answer, generation)):
                if live.finished is None:
                    self._show(answer, live=live)
        self._finish(answer, generation.result, self._cost(answer, generation.result))

    def _open(self, side: Side) -> Model:
        key = self._keys.get(side.model) or self._keys.get(side.model.partition("/")[0])
        return self._engine.model(side.model, key, role=self._role, owner=self._spends)

    def _noted(self, answer: _Answer, generation: Generation) -> Iterator[Event]:
        """The events as they are; the first token is noted when it comes, not when it is drawn."""
        looked = began = time.monotonic()
        for event in generation:
            now = time.monotonic()
            if answer.view.ttft is None and isinstance(event, TextDelta | ReasoningDelta | ToolCall):
                self._show(answer, ttft=now - began)
            if now - looked > LOOK_EVERY_S:
                looked = now
                if not self._wanted():
                    self.stop()
            yield event

    def _show(self, answer: _Answer, **changes: Any) -> None:
        with self._news:
            answer.view = replace(answer.view, **changes)
            self._changed()

    def _finish(self, answer: _Answer, result: Result, cost: Cost | None = None) -> None:
        """The last look: whatever came, with its numbers and its cost."""
        finished = Finished(result.outcome, result.usage, result.stats, result.trace_id, result.error)
        live = Live(result.text, result.reasoning, finished=finished)
        self._show(answer, status="done", live=live, result=result, error=result.error,
                   ttft=result.stats.time_to_first_token, waited=time.monotonic() - answer.began,
                   cost=cost)  # fmt: skip

    def _cost(self, answer: _Answer, result: Result) -> Cost | None:
        card = answer.view.card
        if card is None:
            return None
        try:
            return answer_cost(self._prices, card, result)
        except EngineError as error:  # an answer is worth more than what it cost
            log.warning("the price of %s cannot be read: %s", card.id, error.message)
            return None

    def _end_early(self, answers: Sequence[_Answer]) -> None:
        for answer in answers:
            answer.stopping.set()
            if answer.generation is not None:
                answer.generation.stop()


def answer_cost(prices: Prices, card: ModelCard, result: Result) -> Cost:
    """What an answer of that model cost, by its tokens, and by its seconds where the host told them. A recorded one
    cost nothing now.
    """
    if card.id.startswith(RECORDED):
        return LOCAL
    told = result.stats
    free = unbilled(card, result.error)
    return prices.cost(card, result.usage, told, seconds=told.billed_time, unbilled=free)


def _nothing(answer: _Answer, error: EngineError | None) -> Result:
    """The result of a side whose model was never asked, or with which something else went wrong."""
    outcome: Literal["failed", "user_stopped"] = "failed" if error else "user_stopped"
    return Result(answer.view.live.text, outcome, Usage(), Stats(), answer.view.side.model, error=error)
