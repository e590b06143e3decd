"""A blind pair under way: two models of the arena answer one question, and who they are is told after the vote.

Knows no interface; who draws a pair shows its texts and nothing else of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.compare.running import Comparison
from engine.compare.side import Side, SideView
from engine.endpoints import admit
from engine.errors import BackendError, BadInput, NotSupported, UnknownModel

if TYPE_CHECKING:
    from engine.compare.arena import Vote
    from engine.engine import Engine
    from engine.person import Person

QUESTION_MAX = 20_000  # characters


@dataclass(frozen=True)
class Look:
    """A pair at one moment: the texts so far, left and right. `token` once it can be voted on; `failed` where a side
    has no answer, so that there is nothing to vote on, and then `reason` is why, the code of its error or "no_text": it
    names nobody.
    """

    left: str
    right: str
    running: bool
    token: str | None = None
    failed: bool = False
    reason: str | None = None


class Blind:
    """One pair; safe from any thread. Raises BadInput for no question and where fewer than two models vie."""

    def __init__(
        self, engine: Engine, person: Person, question: str, *, tag: str = "", wanted: Callable[[], bool] = lambda: True
    ) -> None:
        self.question = question.strip()[:QUESTION_MAX]
        self.tag = tag
        self._engine, self._owner, self._person = engine, person.id, person
        self._models = engine.arena.draw(person.id, lambda model: may_open(engine, person, model))
        sides = [Side(model) for model in self._models]
        self._both = Comparison(engine, sides, owner=person.id, role=person.role, wanted=wanted, lent=person.lent)
        self._lock = threading.Lock()
        self._token: str | None = None
        self._told = False
        self._both.ask(self.question)

    def look(self) -> Look:
        """The pair as it is now; the look that finds it ended keeps it for the vote. Raises BadInput where this person
        has too many pairs, StoreFailed.
        """
        running, views = self._both.running, self._both.views()
        left, right = (_text(view) for view in views)
        if running:
            return Look(left, right, True)
        if not left or not right or any(view.error for view in views):
            return Look(left, right, False, failed=True, reason=self._failed(views))
        return Look(left, right, False, self._kept(views, (left, right)))

    def looks(self, every: float = 0.1) -> Iterator[Look]:
        """The pair as it changes, at most once in `every` seconds; the last look is of its end."""
        for _ in self._both.looks(every):
            look = self.look()
            if not look.running:
                break
            yield look
        self._both.wait()
        yield self.look()

    def stop(self) -> None:
        """End both answers; what is written can be voted on."""
        self._both.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether both are done, at the latest after `seconds`."""
        return self._both.wait(seconds)

    def vote(self, winner: str) -> Vote:
        """The pair with its names, after this vote. Raises BadInput, NotSupported before the end."""
        token = self.look().token
        if token is None:
            raise NotSupported("both answers come first", capability="vote", backend="arena")
        return self._engine.arena.vote(self._owner, token, winner)

    def _kept(self, views: tuple[SideView, ...], answers: tuple[str, str]) -> str:
        with self._lock:
            if self._token is None:
                self._engine.arena.turns.ended(self._owner, self._models, {})
                names = [view.card.name for view in views if view.card is not None]
                self._token = self._engine.arena.keep(
                    self._owner, self.question, self._models, answers, tag=self.tag, names=names
                )
            return self._token

    def _failed(self, views: tuple[SideView, ...]) -> str | None:
        """Why there is nothing to vote on, told to the arena once; None where the person ended it."""
        reasons = {view.side.model: self._reason(view) for view in views if _silent(view)}
        with self._lock:
            told, self._told = self._told, True
        if reasons and not told:
            self._engine.arena.turns.ended(self._owner, self._models, reasons)
        return next((reason for reason, _ in reasons.values()), None)

    def _reason(self, view: SideView) -> tuple[str, bool]:
        """Why a side has no answer, and whether it would be so for everybody: not where the person's own key opened the
        model, or what was asked was refused.
        """
        if view.error is None:
            return "no_text", True
        own = self._person.spends is not None and self._engine.visit_keys.of(self._owner, view.side.model) is not None
        return view.error.code, isinstance(view.error, BackendError | UnknownModel | NotSupported) and not own


def may_open(engine: Engine, person: Person, model_id: str) -> bool:
    """Whether this person may open that model, as far as is known without asking anybody. One that there is not is
    tried all the same, so that it is told.
    """
    if person.role == "teacher":
        return True
    try:
        card = engine.catalog.card(model_id)
    except BadInput:
        return True
    if card.endpoint is None:
        return engine.may_load(card, person.role)
    key = engine.visit_keys.of(person.spends, card.model) if person.spends else None
    try:
        admit(card.endpoint.provider, key, person.role)
    except BadInput:
        return False
    return True


def _silent(view: SideView) -> bool:
    """Whether the side is why there is nothing to vote on; not where it was stopped before it had said anything."""
    stopped = view.result is not None and view.result.outcome == "user_stopped"
    return view.error is not None or not (_text(view) or stopped)


def _text(view: SideView) -> str:
    return view.result.text if view.result else view.live.text
