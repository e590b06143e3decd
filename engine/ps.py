"""What is loaded now and how busy it is, as the runtimes report it; in a second process, those of the application.

Loads nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

from engine.errors import LoadFailed, ServerFailed
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
