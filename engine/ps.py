"""What is loaded now and how busy it is, as the runtimes report it; in a second process, those of the application.

Loads nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

from engine.errors import EngineError, LoadFailed, ServerFailed
from engine.models.configuration import split

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.runtime.client import LlamaServer
    from engine.runtime.supervisor import LocalRuntime


@dataclass(frozen=True)
class Loaded:
    """One model with a worker process; `model` is the one that an instance is of.

    `window` is tokens of one slot, None while it is being loaded; `busy` of its `slots` are writing, `waiting` requests
    stand in front; `memory_bytes` are its worker's; `since` is seconds since 1970, `idle` seconds without a request,
    `ttl` after how many of them it is unloaded (None never).
    """

    id: str
    model: str
    window: int | None
    slots: int
    busy: int
    waiting: int
    memory_bytes: int | None
    since: float | None
    idle: float
    ttl: float | None
    state: Literal["ready", "loading"] = "ready"
    kv_type: str = "f16"
    gpu_layers: int | None = None
    threads: int = 1
    pid: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


SlotState = Literal["idle", "reading", "writing"]
LOOK_S = 2.0  # that a busy server may take to tell of its slots


@dataclass(frozen=True)
class SlotNow:
    """One slot of a model: whose request it has, its prompt's tokens and those written so far, `window` tokens in all;
    `seconds` since the request came. None where nobody is in it, or its server was too busy to tell.
    """

    number: int
    state: SlotState
    window: int
    owner: str | None = None
    prompt_tokens: int | None = None
    written: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class WaitingNow:
    """One request that waits for a slot: whose, since how many seconds, with how many tokens."""

    owner: str
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Busy:
    """What a loaded model is doing: its slots in their order, its queue with the next one first, and the long prompt
    that is being read (tokens done, in all). It names people: the teacher's to see.
    """

    id: str
    slots: tuple[SlotNow, ...]
    waiting: tuple[WaitingNow, ...]
    reading: tuple[int, int] | None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


_LIST = TypeAdapter(tuple[Loaded, ...])


def loaded(engine: Engine) -> tuple[Loaded, ...]:
    """The models that have a worker: in the application where one runs, and in this process. Raises Unreachable."""
    app = application(engine)
    if app is None:
        return loaded_here(engine)
    try:
        told = _LIST.validate_python(app.get("/ps")["loaded"])
    except (ValidationError, KeyError, TypeError) as error:
        raise ServerFailed("the application does not say what is loaded", status=200) from error
    return (*told, *loaded_here(engine))


def loaded_here(engine: Engine) -> tuple[Loaded, ...]:
    """The models that have a worker of this process."""
    if "runtimes" not in engine.__dict__:  # a part that was never used is not opened to be asked
        return ()
    found = (_loaded(runtime) for runtime in engine.runtimes.running())
    return tuple(one for one in found if one is not None)


def busy(engine: Engine) -> tuple[Busy, ...]:
    """The slots and queues of the models that are loaded in this process, now; in a fraction of a second."""
    if "runtimes" not in engine.__dict__:
        return ()
    found = (_busy(runtime) for runtime in engine.runtimes.running() if runtime.state().name == "ready")
    return tuple(one for one in found if one is not None)


def _busy(runtime: LocalRuntime) -> Busy | None:
    try:
        gate, window, told = runtime.gate.snapshot(), runtime.window, _slots_told(runtime)
    except LoadFailed:  # unloaded in this moment
        return None
    inside = {one.slot: one for one in gate.inside}
    slots = []
    for number in range(gate.slots):
        if (one := inside.get(number)) is None:
            slots.append(SlotNow(number, "idle", window))
            continue
        written = _written(told.get(number))
        state: SlotState = "reading" if one.reading or written == 0 else "writing"
        slots.append(SlotNow(number, state, window, one.owner, one.tokens, written, round(one.seconds, 1)))
    waiting = tuple(WaitingNow(one.owner, round(one.seconds, 1), one.tokens) for one in gate.waiting)
    return Busy(runtime.wishes.alias, tuple(slots), waiting, gate.reading)


def _slots_told(runtime: LocalRuntime) -> dict[int, dict[str, Any]]:
    """What the server says of its slots by their numbers; nothing where it has no time to."""
    if not runtime.gate.snapshot().running:
        return {}
    server = runtime.server.within(LOOK_S)
    try:
        told = server.get("/slots")
    except EngineError:
        return {}
    finally:
        server.close()
    return {one["id"]: one for one in told if isinstance(one, dict) and isinstance(one.get("id"), int)}


def _written(told: dict[str, Any] | None) -> int | None:
    """The tokens that a slot has written; None where it is not known."""
    if told is None or not told.get("is_processing"):
        return None
    following = told.get("next_token")
    first = following[0] if isinstance(following, list) and following else following
    decoded = first.get("n_decoded") if isinstance(first, dict) else None
    return max(0, decoded) if isinstance(decoded, int) else None


def application(engine: Engine) -> LlamaServer | None:
    """What serves on this data folder, where that is another process: its routes below `/runtime`."""
    if engine.serve:
        return None
    from engine.runtime.attach import elsewhere
    from engine.runtime.client import LlamaServer

    attach = elsewhere(engine.settings)
    return None if attach is None else LlamaServer(f"{attach.address}/runtime", attach.key)


def _loaded(runtime: LocalRuntime) -> Loaded | None:
    state, wishes = runtime.state().name, runtime.wishes
    if state not in ("ready", "loading"):
        return None
    shared: dict[str, Any] = {
        "id": wishes.alias,
        "model": split(wishes.alias)[0],
        "memory_bytes": runtime.memory(),
        "idle": round(runtime.idle, 1),
        "ttl": runtime.time_out or None,
        "kv_type": wishes.kv_type,
        "threads": wishes.threads,
        "pid": runtime.pid,
    }
    try:
        gate = runtime.gate.snapshot()
        window, slots, layers = runtime.window, runtime.slots, runtime.load.gpu_layers
    except LoadFailed:  # never ready before
        return Loaded(window=None, slots=wishes.slots, busy=0, waiting=0, since=None, state="loading", **shared)
    return Loaded(window=None if state == "loading" else window, slots=slots, busy=gate.running, since=runtime.since,
                  waiting=len(gate.waiting), state=state, gpu_layers=layers, **shared)  # fmt: skip
