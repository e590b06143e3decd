"""Whether an endpoint answers, how fast, and with which models; and what is listening on this machine. Knows no store
and keeps no key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from engine.addresses import Reach
from engine.backends.json_line import JsonLine, root_of, shaped, whole
from engine.backends.lmstudio_native import LMStudioServer
from engine.backends.ollama import OllamaServer
from engine.errors import BackendError, EngineError, ServerFailed, TimedOut, Unauthorized
from engine.providers import Provider, providers

TEST_S = 10.0
DETECT_S = 0.9  # the whole of it
PLACES = (("lmstudio", 1234), ("ollama", 11434), ("llama-server", 8080), ("llama-server", 9931), ("vllm", 8000))
MODELS_MAX = 2000

# The window under the names that servers give it: vLLM, OpenRouter and Together, Groq, Mistral, LM Studio's /v1
_WINDOW_NAMES = ("max_model_len", "context_length", "context_window", "max_context_length", "loaded_context_length")


@dataclass(frozen=True)
class Served:
    """One model of an endpoint: `window` in tokens and `loaded` where its server tells."""

    id: str
    window: int | None = None
    loaded: bool | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class Connection:
    """How one address answered: `latency_s` seconds for the list of its models, `window` in tokens of the model that is
    loaded, or of the only one; `problem` is why there is no list.
    """

    address: str
    latency_s: float | None = None
    models: tuple[Served, ...] = ()
    window: int | None = None
    version: str | None = None
    problem: EngineError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Every field, ready for JSON."""
        told = asdict(replace(self, problem=None))
        return {**told, "problem": self.problem.to_dict() if self.problem else None}


@dataclass(frozen=True)
class Detected:
    """A server on this machine: `row` is the kind of endpoint that it is."""

    row: str
    name: str
    base_url: str
    connection: Connection


def test(
    row: Provider,
    key: str | None = None,
    *,
    address: str | None = None,
    seconds: float = TEST_S,
    reach: Reach | None = None,
) -> Connection:
    """How the row's address answers, the first one unless another is given. Never raises a BackendError: it is the
    `problem`. The key is the one given, else the row's own; it connects where `reach` says. Raises BadInput where the
    address lacks a variable.
    """
    where = address or row.address()
    known = key or row.key_of(where)
    started = time.monotonic()
    try:
        found = _asked(row, where, known, seconds, reach)
    except EngineError as error:
        return Connection(where, problem=error)
    return replace(found, latency_s=found.latency_s or time.monotonic() - started)


def test_all(
    row: Provider, key: str | None = None, *, seconds: float = TEST_S, reach: Reach | None = None
) -> tuple[Connection, ...]:
    """How each of the row's addresses answers, all asked at once."""
    addresses = row.all_addresses()
    asked = [partial(test, row, key, address=one, seconds=seconds, reach=reach) for one in addresses]
    found = _together(asked, seconds * 4)
    return tuple(found.get(at) or _late(one, seconds * 4) for at, one in enumerate(addresses))


def alive(row: Provider, address: str, key: str | None, *, reach: Reach | None = None) -> bool:
    """Whether that address answers at all; a server that wants another key is alive."""
    problem = test(row, key, address=address, seconds=2.0, reach=reach).problem
    return problem is None or isinstance(problem, Unauthorized)


def detect(
    places: tuple[tuple[str, int], ...] = PLACES, host: str = "127.0.0.1", seconds: float = DETECT_S
) -> tuple[Detected, ...]:
    """The LM Studio, Ollama, llama.cpp and vLLM servers that run on this machine; whoever takes more than `seconds`
    is not among them.
    """
    rows = providers()
    asked = [(rows[row], f"http://{host}:{port}/v1") for row, port in places]
    found = _together([partial(_recognized, row, url, seconds) for row, url in asked], seconds)
    return tuple(
        Detected(row.id, row.name, url, connection)
        for at, (row, url) in enumerate(asked)
        if (connection := found.get(at)) is not None
    )


def _late(address: str, seconds: float) -> Connection:
    return Connection(address, problem=TimedOut(f"nothing came from {address}", seconds=seconds))


@shaped("a server of that kind")
def _asked(row: Provider, address: str, key: str | None, seconds: float, reach: Reach | None = None) -> Connection:
    """Raises EngineError."""
    if row.native == "ollama":
        return _ollama(address, key, seconds, reach)
    if row.native == "lmstudio":
        return _lmstudio(address, key, seconds, reach)
    if row.native == "replicate":
        return _replicate(row, address, key, seconds, reach)
    if "no_model_list" in row.quirks:
        return _reached(address, key, seconds, reach)
    return _openai(address, key, seconds, reach)


def _ollama(address: str, key: str | None, seconds: float, reach: Reach | None) -> Connection:
    server = OllamaServer(address, key, seconds=seconds, reach=reach)
    started = time.monotonic()
    names = server.tags()
    latency = time.monotonic() - started
    running = {one.name: one for one in server.ps()}
    models = tuple(
        Served(name, running[name].window if name in running else None, name in running,
               running[name].size_bytes if name in running else None)
        for name in names[:MODELS_MAX]
    )  # fmt: skip
    return Connection(address, latency, models, _window(models), server.version())


def _lmstudio(address: str, key: str | None, seconds: float, reach: Reach | None) -> Connection:
    started = time.monotonic()
    listed = LMStudioServer(address, key, seconds=seconds, reach=reach).models()
    latency = time.monotonic() - started
    models = tuple(
        Served(one.key, one.instances[0].window if one.instances else one.longest, bool(one.instances), one.size_bytes)
        for one in listed[:MODELS_MAX]
    )
    return Connection(address, latency, models, _window(models))


def _replicate(row: Provider, address: str, key: str | None, seconds: float, reach: Reach | None) -> Connection:
    """Whose key it is says that it answers; of its thousands of models its own list of language models is told."""
    from engine.backends.replicate import Replicate

    with Replicate(address, "any/model", key, row, reach=reach).api(seconds) as api:
        started = time.monotonic()
        api.account()
        latency = time.monotonic() - started
        try:
            names = api.collection("language-models")
        except EngineError:  # the list has another name by now
            names = ()
    return Connection(address, latency, tuple(map(Served, names[:MODELS_MAX])))


def _openai(address: str, key: str | None, seconds: float, reach: Reach | None) -> Connection:
    with JsonLine(address, key, seconds=seconds, reach=reach) as line:
        started = time.monotonic()
        told = line.get("/models")
        latency = time.monotonic() - started
    rows = told.get("data") if isinstance(told, dict) else told  # Together sends the bare list
    if not isinstance(rows, list):
        raise ServerFailed(f"{address} sent no list of models", status=None)
    models = tuple(_served(row) for row in rows[:MODELS_MAX] if isinstance(row, dict) and "id" in row)
    window = _window(models) if len(models) != 1 else _props_window(address, key, seconds, reach) or _window(models)
    return Connection(address, latency, models, window)


def _reached(address: str, key: str | None, seconds: float, reach: Reach | None) -> Connection:
    """An endpoint that has no list: that it refuses a question without a model says that it is there."""
    with JsonLine(address, key, seconds=seconds, reach=reach) as line:
        started = time.monotonic()
        try:
            line.post("/chat/completions", {"model": "", "messages": []})
        except BackendError:
            raise
        except EngineError:  # it was read, and found wanting
            return Connection(address, time.monotonic() - started)
    return Connection(address, time.monotonic() - started)


def _served(row: Mapping[str, Any]) -> Served:
    meta = row.get("meta")
    told = [row.get(name) for name in _WINDOW_NAMES] + [meta.get("n_ctx") if isinstance(meta, dict) else None]
    return Served(str(row["id"])[:200], next(filter(None, map(whole, told)), None))


def _window(models: tuple[Served, ...]) -> int | None:
    """The window of what is loaded; where nobody tells what is, of the only model."""
    loaded = [one.window for one in models if one.loaded]
    if loaded:
        return loaded[0]
    return models[0].window if len(models) == 1 else None


def _props_window(address: str, key: str | None, seconds: float, reach: Reach | None) -> int | None:
    """The window of one slot of a llama.cpp server; None for every other one."""
    try:
        with JsonLine(root_of(address), key, seconds=seconds, reach=reach) as line:
            told = line.get("/props")
    except EngineError:
        return None
    settings = told.get("default_generation_settings") if isinstance(told, dict) else None
    window = settings.get("n_ctx") if isinstance(settings, dict) else None
    return whole(window)


def _recognized(row: Provider, url: str, seconds: float) -> Connection | None:
    """What answers there, where it is what usually listens on that port."""
    try:
        if row.native is None and not _is(row.id, url, seconds):
            return None
        return _asked(row, url, row.key_of(url), seconds)
    except Unauthorized as error:
        return Connection(url, problem=error)
    except EngineError:
        return None


def _is(kind: str, url: str, seconds: float) -> bool:
    """Whether a llama.cpp server or vLLM answers, told by a route that only they have. Raises EngineError."""
    with JsonLine(root_of(url), None, seconds=seconds) as line:
        told = line.get("/props" if kind == "llama-server" else "/version")
    mark = "default_generation_settings" if kind == "llama-server" else "version"
    return isinstance(told, dict) and mark in told


def _together(calls: Sequence[Callable[[], Any]], seconds: float) -> dict[int, Any]:
    """What the calls gave, by their place, as far as they ended in time; the others go on and nobody waits."""
    found: dict[int, Any] = {}

    def ask(at: int) -> None:
        found[at] = calls[at]()

    threads = [threading.Thread(target=ask, args=(at,), name="probe", daemon=True) for at in range(len(calls))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)


def names(found: tuple[Connection, ...]) -> Iterator[str]:
    """The models that any of the addresses has, each once."""
    yield from dict.fromkeys(model.id for one in found for model in one.models)
