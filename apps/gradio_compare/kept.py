"""The comparisons that are open in browsers, of each person a bounded number. Knows no widget.

Gradio copies what lies in `gr.State`; so a page keeps an id only, and the comparison lies here under its owner.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from engine.compare import Comparison, Side, SideView
from engine.engine import Engine
from engine.person import Person

PER_PERSON = 6
AT_ALL = 300
UNSEEN_S = 20.0  # a busy machine may take that long to ask for the next look
LEFT_S = 2.0


class Open:
    """A comparison and until when somebody is sure to look at it; after that it is stopped."""

    def __init__(self, engine: Engine, sides: Sequence[Side], person: Person) -> None:
        self._until = time.monotonic() + UNSEEN_S
        self.comparison = Comparison(engine, sides, owner=person.id, role=person.role, lent=person.lent,
                                     wanted=lambda: time.monotonic() < self._until)  # fmt: skip

    def looks(self) -> Iterator[tuple[SideView, ...]]:
        """Its looks until the end; once nobody reads this any more, it is stopped soon after."""
        try:
            for views in self.comparison.looks():
                self._until = time.monotonic() + UNSEEN_S
                yield views
        except GeneratorExit:
            self._until = time.monotonic() + LEFT_S
            raise


class Comparisons:
    """Open comparisons by owner and id; those used longest ago are stopped and let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], Open] = OrderedDict()

    def keep(self, owner: str, made: Open) -> str:
        """Its id, under which only that owner finds it."""
        name = secrets.token_urlsafe(9)
        with self._lock:
            self._open[owner, name] = made
            own = [key for key in self._open if key[0] == owner]
            gone = [self._open.pop(key) for key in {*own[:-PER_PERSON], *list(self._open)[:-AT_ALL]}]
        for one in gone:
            one.comparison.stop()
        return name

    def find(self, owner: str, name: str) -> Open | None:
        """The person's comparison; another's id finds nothing."""
        with self._lock:
            found = self._open.get((owner, name))
            if found is not None:
                self._open.move_to_end((owner, name))
            return found
