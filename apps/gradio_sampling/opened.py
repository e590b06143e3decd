"""What the tab keeps for one browser page: its explorations, and what the model said there. Knows no widget.

A page belongs to its person and is found by nobody else. Numbers are bounded: those of pages not used for long are let
go, and are asked for again when somebody comes back.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.engine import Engine
from engine.errors import EngineError
from engine.model import Model
from engine.output import Output
from engine.sampling import Exploration, Lens, Moment, Recipe, Sample, TopN, lens_of, moment

PER_PERSON = 12
AT_ALL = 300
WARM = 60  # pages that keep numbers
KEPT_BYTES = 2 * 2**20  # of logits, for one page


class Seen:
    """What one page has seen through a lens: other settings on the same text ask neither model nor worker."""

    def __init__(self, lens: Lens) -> None:
        self.lens = lens
        self.vocabulary = lens.vocabulary
        self.runtime = lens.runtime
        self._logits: OrderedDict[tuple[int, ...], NDArray[np.float32]] = OrderedDict()
        self._masks: OrderedDict[tuple[Output, tuple[int, ...]], NDArray[np.bool_]] = OrderedDict()

    @property
    def breakers(self) -> Any:
        """Where DRY stops to look."""
        return self.lens.breakers

    def logits(self, visitor: str, ids: Sequence[int]) -> NDArray[np.float32]:
        """What may come after these tokens."""
        key = tuple(ids)
        if key not in self._logits:
            self._logits[key] = self.lens.logits(visitor, key)
        _bound(self._logits, key)
        return self._logits[key]

    def allowed(self, form: Output, answer: Sequence[int] = ()) -> NDArray[np.bool_]:
        """Which words the form lets follow."""
        key = form, tuple(answer)
        if key not in self._masks:
            self._masks[key] = self.lens.allowed(form, answer)
        _bound(self._masks, key)
        return self._masks[key]

    def cool(self) -> None:
        """Let the numbers go."""
        self._logits.clear()
        self._masks.clear()


class Page:
    """One browser page of one person; events of the same page come one after another."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.drawn = False  # whether the 200 darts are in sight
        self.samples: tuple[Sample, ...] = ()
        self.places: tuple[str, tuple[TopN, ...]] = ("", ())  # what a model elsewhere told, with its id
        self.place = 0  # the one of those in hand
        self.there: bool | None = None  # whether the page shows something explored
        self.failure: EngineError | None = None  # of what was done last
        self._explorations: dict[str, Exploration] = {}
        self._seen: Seen | None = None

    def exploration(self, model_id: str) -> Exploration | None:
        """What was explored with that model."""
        return self._explorations.get(model_id)

    def keep(self, exploration: Exploration) -> None:
        """Keep it as that of its model."""
        self._explorations[exploration.model] = exploration

    def open(self, engine: Engine, model: Model) -> Seen:
        """The model seen from inside; starts its worker where it was not opened yet. Raises EngineError."""
        lens = lens_of(engine, model)
        if self._seen is None or self._seen.lens is not lens:
            self._seen = Seen(lens)
        return self._seen

    def moment(self, seen: Seen, exploration: Exploration, recipe: Recipe) -> Moment:
        """What comes next where the exploration stands. Raises EngineError."""
        lens = cast(Lens, seen)
        return moment(lens, self.owner, exploration.ids, exploration.written, recipe, exploration.mu)

    def cool(self) -> None:
        """Let the model's numbers go; what was explored stays."""
        if self._seen is not None:
            self._seen.cool()


class Pages:
    """The pages that are open, by person and page."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[tuple[str, str], Page] = OrderedDict()

    def of(self, owner: str, session: str) -> Page:
        """That person's page, made where there is none."""
        key = owner, session
        with self._lock:
            page = self._pages.setdefault(key, Page(owner))
            self._pages.move_to_end(key)
            own = [one for one in self._pages if one[0] == owner]
            for one in own[: max(0, len(own) - PER_PERSON)] + list(self._pages)[: max(0, len(self._pages) - AT_ALL)]:
                self._pages.pop(one, None)
            cold = list(self._pages.values())[:-WARM]
        for other in cold:
            other.cool()
        return page


def _bound(kept: OrderedDict[Any, NDArray[Any]], key: Any) -> None:
    kept.move_to_end(key)
    while len(kept) > 1 and sum(array.nbytes for array in kept.values()) > KEPT_BYTES:
        kept.popitem(last=False)
