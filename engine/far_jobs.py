"""Orders to LM Studio and Ollama as jobs: a large model takes minutes to load, longer to fetch, and its page goes on.

Each runs in a child process that has no secrets but the key that it is given, which is written nowhere. It connects to
the addresses that were checked when the order was given, and to no others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.errors import AccessDenied, BadInput, NotSupported, Unreachable
from engine.providers import Provider
from engine.settings import secret
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.addresses import Reach
    from engine.engine import Engine
    from engine.jobs import Job

TASKS = {order: f"engine.far_jobs:{order}ing" for order in ("load", "unload", "pull")}
NAME_MAX = 200  # characters of a model's name
BY_ORDER = frozenset({"lmstudio", "ollama"})
LOOK_UP_S = 5.0
Places = Mapping[str, Sequence[str]]  # addresses by "host:port"


def orders(row: Provider) -> tuple[str, ...]:
    """What servers of that kind do by order: load, unload, pull, or nothing of it."""
    if row.native not in BY_ORDER:
        return ()
    return ("load", "unload", "pull") if row.native == "ollama" else ("load", "unload")


def start_order(
    engine: Engine, owner: str, order: str, row_id: str, model: str, window: int | None = None, *, role: str,
    key: str | None = None,
) -> Job:  # fmt: skip
    """The job that has the servers of that row load, unload or fetch a model; a fetch tells bytes. `key` is the
    person's own for it. Raises AccessDenied, NotFound, NotSupported, BadInput.
    """
    from engine.endpoints import check_variable
    from engine.far import forget

    if role != "teacher":
        raise AccessDenied(f"{row_id} is the teacher's to order", role="teacher")
    row, name = engine.endpoints.row(row_id), model.strip()
    if order not in orders(row):
        raise NotSupported(f"{row.name} does not {order} by order", capability="load_params", backend=row.id)
    if not name or len(name) > NAME_MAX or not name.isprintable():
        raise BadInput("a model's name is needed", what="model")
    check_variable(row)
    args: dict[str, Any] = {"row": row.to_dict(), "model": name, "places": _places(row, engine.endpoints.reach(row))}
    args |= {"window": window} if order == "load" else {}
    known = key or (secret(row.key_env) if row.key_env else None)
    forget(engine, row)
    return engine.jobs.submit(owner, TASKS[order], args, f"{row.name} · {name}", secrets={"key": known}, lane="network")


def loading(
    row: Mapping[str, Any], model: str, places: Places | None, window: int | None = None, key: str | None = None
) -> Generator[Progress, None, dict[str, Any]]:
    """Have the model in memory; nobody tells how far it is. Returns `row`, its `name`, `model`, and the `windows` in
    tokens, one of each address. Raises what engine.far does.
    """
    from engine.far import load_of

    yield Progress(0)
    known = Provider.model_validate(row)
    found = load_of(known, model, window, _reach(places), key)
    return _told(known, model) | {"windows": [one.window for one in found]}


def unloading(
    row: Mapping[str, Any], model: str, places: Places | None, key: str | None = None
) -> Generator[Progress, None, dict[str, Any]]:
    """Give the model's memory back. Returns `row`, its `name`, `model`, and whether it `was` there. Raises what
    engine.far does.
    """
    from engine.far import unload_of

    yield Progress(0)
    known = Provider.model_validate(row)
    was = unload_of(known, model, _reach(places), key)
    return _told(known, model) | {"was": was}


def pulling(
    row: Mapping[str, Any], model: str, places: Places | None, key: str | None = None
) -> Generator[Progress, None, dict[str, Any]]:
    """Have the model fetched; bytes of the part that comes. Returns `row`, its `name`, `model`. Raises what engine.far
    does.
    """
    from engine.far import pull_of

    yield Progress(0)
    known = Provider.model_validate(row)
    for _, done, total in pull_of(known, model, _reach(places), key=key):
        yield Progress(done or 0, total)
    return _told(known, model)


def _told(row: Provider, model: str) -> dict[str, Any]:
    return {"row": row.id, "name": row.name, "model": model}


def _places(row: Provider, reach: Callable[[str, int, float], list[str]] | None) -> dict[str, list[str]] | None:
    """The addresses that the row's servers have now, as far as they have to be checked. Raises as `reach`."""
    if reach is None:
        return None
    found = {}
    for url in row.all_addresses():
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        found[f"{host}:{port}"] = reach(host, port, LOOK_UP_S)
    return found


def _reach(places: Places | None) -> Reach | None:
    if places is None:
        return None

    def known(host: str, port: int, seconds: float) -> list[str]:
        if f"{host}:{port}" not in places:
            raise Unreachable(f"{host}:{port} was not checked")
        return list(places[f"{host}:{port}"])

    return known
