"""Recorded answers, for a comparison that needs no weights, no key and no network. All of them are of models that ran
on one machine; none is a provider's. Knows no thread and no interface.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from engine.backends.recorded import Recorded, Tape, from_dict, to_dict
from engine.errors import UnknownModel
from engine.types import Event, PromptProgress, Result, TextDelta

if TYPE_CHECKING:
    from engine.catalog import ModelCard

FILE = "demo.json"
FORMAT = "atelier-recordings/1"


@dataclass(frozen=True)
class Recording:
    """What one model was asked with one set of parameters: `id` is a model of the engine, "recorded/…".

    `date` (UTC), `machine` as engine.quality tells it and `load`, the number of busy programs beside it, say how far
    its times can be believed.
    """

    id: str
    name: str
    model: str
    quantization: str
    params: Mapping[str, Any]
    threads: int
    date: str
    machine: Mapping[str, Any]
    load: float
    tapes: tuple[Tape, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """What it was asked."""
        return tuple(tape.question for tape in self.tapes)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        named = {name: getattr(self, name) for name in ("id", "name", "model", "quantization", "threads", "date")}
        told = {"params": dict(self.params), "machine": dict(self.machine), "load": self.load}
        return {**named, **told, "tapes": [to_dict(tape) for tape in self.tapes]}


@cache
def recorded() -> tuple[Recording, ...]:
    """All recordings, in the order to show them."""
    data = json.loads(files("engine.compare").joinpath(FILE).read_text(encoding="utf-8"))
    return tuple(recording_of(one) for one in data["recordings"])


def recording_of(data: Mapping[str, Any]) -> Recording:
    """The recording that `to_dict` told."""
    return Recording(**{**data, "tapes": tuple(from_dict(tape) for tape in data["tapes"])})


def recording(model_id: str) -> Recording:
    """The recording of that id. Raises UnknownModel."""
    found = next((one for one in recorded() if one.id == model_id.casefold()), None)
    if found is None:
        known = [one.id for one in recorded()]
        raise UnknownModel(f"no recording {model_id!r}; there are {', '.join(known)}", model=model_id, known=known)
    return found


def questions() -> tuple[str, ...]:
    """The questions that every recording answers."""
    first, *others = recorded()
    return tuple(question for question in first.questions if all(question in one.questions for one in others))


def card(model_id: str) -> ModelCard:
    """The card of a recording. Raises UnknownModel."""
    from engine.catalog import ModelCard

    found = recording(model_id)
    told = f"recorded {found.date[:10]}"
    return ModelCard(found.id, found.name, "recorded", quantization=found.quantization, source=told,
                     note_key="model.note.recorded")  # fmt: skip


def backend(model_id: str) -> Recorded:
    """The backend that replays a recording. Raises UnknownModel."""
    found = recording(model_id)
    return Recorded(found.id, found.tapes)


class Taping:
    """Notes when the events of one answer came; `tape` once it has ended."""

    def __init__(self, question: str, clock: float) -> None:
        self._question = question
        self._clock = clock
        self._read = 0.0
        self._pieces: list[tuple[float, str]] = []

    def note(self, event: Event, now: float) -> None:
        """Keep what came, at `now` seconds of the clock that began at `clock`."""
        if isinstance(event, PromptProgress):
            self._read = now - self._clock
        elif isinstance(event, TextDelta):
            self._pieces.append((now - self._clock, event.text))

    def tape(self, result: Result, now: float) -> Tape:
        """The answer as a tape."""
        finish = "length" if result.outcome in ("max_tokens", "window_full") else "stop"
        return Tape(self._question, self._read, tuple(self._pieces), now - self._clock, finish,
                    result.usage, result.stats)  # fmt: skip
