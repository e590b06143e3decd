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
from engine.errors import NotSupported

if TYPE_CHECKING:
    from engine.compare.arena import Vote
    from engine.engine import Engine
    from engine.person import Person

QUESTION_MAX = 20_000  # characters


@dataclass(frozen=True)
class Look:
    """A pair at one moment: the texts so far, left and right. `token` once it can be voted on; `failed` where a side
    has no answer, so that there is nothing to vote on.
    """

    left: str
    right: str
    running: bool
    token: str | None = None
    failed: bool = False


class Blind:
    """One pair; safe from any thread. Raises BadInput for no question and where fewer than two models vie."""

    def __init__(
        self, engine: Engine, person: Person, question: str, *, tag: str = "", wanted: Callable[[], bool] = lambda: True
    ) -> None:
        self.question = question.strip()[:QUESTION_MAX]
        self.tag = tag
        self._engine, self._owner = engine, person.id
        self._models = engine.arena.draw()
        sides = [Side(model) for model in self._models]
        self._both = Comparison(engine, sides, owner=person.id, role=person.role, wanted=wanted, lent=person.lent)
        self._lock = threading.Lock()
        self._token: str | None = None
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
            return Look(left, right, False, failed=True)
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
                names = [view.card.name for view in views if view.card is not None]
                self._token = self._engine.arena.keep(
                    self._owner, self.question, self._models, answers, tag=self.tag, names=names
                )
            return self._token


def _text(view: SideView) -> str:
    return view.result.text if view.result else view.live.text
