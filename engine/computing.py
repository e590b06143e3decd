"""What computes the local models here, and what the teacher chose of it: threads, layers on a GPU, which GPU. Knows no
page.

A choice counts from a model's next loading on; what a model's own configuration says wins over it. Which build of
llama.cpp runs is no choice: one is installed.
"""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter, ValidationError

from engine.errors import AccessDenied, BadInput, StoreFailed
from engine.person import LOCAL_OWNER
from engine.runtime.build import Build, Device, build, gpus_of
from engine.runtime.load import RANGES

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.settings import Settings
    from engine.values import Values

log = logging.getLogger(__name__)

NAME = "runtime.choice"


@dataclass(frozen=True)
class Choice:
    """`threads` of a local model, its `gpu_layers` (-1: all of them) and the `device` that they lie on, by its name;
    None leaves it to the application.
    """

    threads: int | None = None
    gpu_layers: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Options:
    """What there is to choose from: `gpus` are empty where there is no GPU, or the build can use none; `threads` are
    those without a choice, `threads_max` the processors of the machine.
    """

    build: Build
    gpus: tuple[Device, ...]
    threads: int
    threads_max: int


_KEPT = TypeAdapter(Choice)


class Computing:
    """The choice of one installation, in the store."""

    def __init__(self, values: Values, settings: Settings) -> None:
        self._values = values
        self._settings = settings

    def options(self) -> Options:
        """What there is; takes a second the first time, for a child process is asked. Raises LoadFailed."""
        found = build()
        return Options(found, gpus_of(found), self._settings.threads, os.cpu_count() or self._settings.threads)

    def get(self) -> Choice:
        """What was chosen; nothing where the store is broken or another version wrote it."""
        try:
            return _KEPT.validate_python(self._values.get(LOCAL_OWNER, NAME) or {})
        except (StoreFailed, ValidationError) as error:
            log.warning("the choice of the runtime cannot be read: %s", error)
            return Choice()

    def set(self, choice: Choice, role: Literal["teacher", "student"] = "teacher") -> Choice:
        """This choice from now on. Raises AccessDenied, BadInput (`what` is the field), LoadFailed."""
        if role != "teacher":
            raise AccessDenied("the runtime is the teacher's to choose", role="teacher")
        options = self.options()
        if choice.threads is not None and not 1 <= choice.threads <= options.threads_max:
            raise _wrong("threads", f"this machine has 1 to {options.threads_max} threads", high=options.threads_max)
        low, high = RANGES["gpu_layers"]
        if choice.gpu_layers is not None and not (options.gpus and low <= choice.gpu_layers <= high):
            raise _wrong("gpu_layers", f"{choice.gpu_layers} layers cannot lie on a GPU here", high=high)
        if choice.device is not None and choice.device not in {one.name for one in options.gpus}:
            raise _wrong("device", f"this machine has no GPU {choice.device!r} that llama.cpp can use", high=0)
        said = {name: value for name, value in asdict(choice).items() if value is not None}
        self._values.set(LOCAL_OWNER, NAME, said or None)
        return choice

    def wishes(self) -> dict[str, int | str]:
        """The fields of LoadParams that a model has where its configuration says nothing else."""
        chosen = {name: value for name, value in asdict(self.get()).items() if value is not None}
        return {"threads": self._settings.threads} | chosen

    def outdated(self, engine: Engine) -> tuple[str, ...]:
        """The ids of the models of this process that are loaded in another way than they would be now."""
        loaded = ((card, engine.loaded(card.id)) for card in engine.catalog.cards())
        return tuple(card.id for card, runtime in loaded if runtime and runtime.wishes != engine.load_params(card))


def _wrong(field: str, text: str, *, high: int) -> BadInput:
    return BadInput(text, what=field, reason=f"runtime_{field}", high=high)
