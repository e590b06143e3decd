"""How many people a local model carries on this machine, measured once: every slot asked at the same moment.

Knows no page. What a person takes is an assumption, told with the number: an answer of 200 tokens a minute.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from engine.errors import NotSupported
from engine.generation import Generation
from engine.params import Params
from engine.person import LOCAL_OWNER
from engine.types import Message

if TYPE_CHECKING:
    from engine.engine import Engine

NAME = "models.capacity/"
TOKENS = 32  # of each answer: seconds in all for a model that suits the machine
TOKENS_PER_PERSON = 200 / 60  # per second
PEOPLE_PER_SLOT = 2  # people of a class read and think for longer than the model writes
QUESTION = "Count from one to fifty, in words."


@dataclass(frozen=True)
class Capacity:
    """`rate` tokens per second of `slots` answers together, `first_token` seconds until the last of them had begun,
    with windows of `window` tokens; `measured` in seconds since 1970.
    """

    slots: int
    window: int
    rate: float
    first_token: float
    measured: float

    @property
    def people(self) -> int:
        """How many it carries, one at least: by its speed, and by its slots."""
        return max(1, min(self.slots * PEOPLE_PER_SLOT, int(self.rate / TOKENS_PER_PERSON)))


def known(engine: Engine, model_id: str) -> Capacity | None:
    """What was measured of the model as it is loaded now; None where it was not, or with other slots or windows."""
    kept, runtime = engine.values.get(LOCAL_OWNER, NAME + model_id), engine.loaded(model_id)
    try:
        found = TypeAdapter(Capacity).validate_python(kept)
    except ValidationError:  # nothing, or another version's
        return None
    if runtime is not None and (runtime.slots, runtime.window) != (found.slots, found.window):
        return None
    return found


def measure(engine: Engine, model_id: str) -> Capacity:
    """Ask all slots at once, behind everybody else, and keep what came of it. No trace is left. Raises NotSupported for
    a model that is not loaded here.
    """
    runtime = engine.loaded(model_id)
    if runtime is None:
        raise NotSupported(f"{model_id} is not loaded here", capability="load_params", backend=None)
    started, slots = time.monotonic(), runtime.slots
    asked = [_ask(engine, model_id, number) for number in range(slots)]
    results = [one.result for one in asked]
    elapsed = max(time.monotonic() - started, 1e-3)
    written = sum(result.usage.completion_tokens or 0 for result in results)
    first = max((result.stats.time_to_first_token or 0.0 for result in results), default=0.0)
    found = Capacity(slots, runtime.window, written / elapsed, first, time.time())
    kept: dict[str, Any] = asdict(found)
    engine.values.set(LOCAL_OWNER, NAME + model_id, kept)
    return found


def _ask(engine: Engine, model_id: str, number: int) -> Generation:
    model = engine.model(model_id)
    params = Params({"max_tokens": TOKENS, "temperature": 0.0, "seed": number})
    request = model.request([Message("user", QUESTION)], params, interactive=False)
    return Generation(model.backend, request, model=model_id)
