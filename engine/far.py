"""Models of LM Studio and of Ollama loaded, unloaded and fetched by order, through their own protocols. The servers
keep them: we only ask. Only the teacher may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from engine.backends.lmstudio_native import LMStudioServer
from engine.backends.ollama import WINDOW, OllamaServer
from engine.connection import Served
from engine.errors import AccessDenied, BadInput, NotSupported

if TYPE_CHECKING:
    from engine.addresses import Reach
    from engine.backends.base import Control
    from engine.engine import Engine
    from engine.providers import Provider

LOAD_S = 600.0  # that a large model may take
Role = Literal["teacher", "student"]


def load(engine: Engine, model_id: str, window: int | None = None, *, role: Role = "teacher") -> tuple[Served, ...]:
    """The model "row/model" as each server of its row has it in memory now, with that window in tokens.

    Raises AccessDenied, UnknownModel, NotSupported where the server is neither LM Studio nor Ollama, BackendError.
    """
    row, model = _asked(engine, model_id, role)
    if window is not None and window < 1:
        raise BadInput("a window has one token at least", what="window")
    found = load_of(row, model, window, engine.endpoints.reach(row))
    forget(engine, row)
    return found


def unload(engine: Engine, model_id: str, *, role: Role = "teacher") -> bool:
    """Whether any server of its row had the model in memory; none has now. Raises as `load`."""
    row, model = _asked(engine, model_id, role)
    was = unload_of(row, model, engine.endpoints.reach(row))
    forget(engine, row)
    return was


def pull(
    engine: Engine, row_id: str, name: str, *, role: Role = "teacher", control: Control | None = None
) -> Iterator[tuple[str, int | None, int | None]]:
    """What Ollama says while it fetches a model from its registry: a status, bytes that have come, bytes in all; for
    each server of the row. Raises AccessDenied, NotFound, NotSupported, BackendError.
    """
    row = _admitted(engine.endpoints.row(row_id), role)
    engine.endpoints.check(row)
    yield from pull_of(row, name, engine.endpoints.reach(row), control)


def load_of(
    row: Provider, model: str, window: int | None = None, reach: Reach | None = None, key: str | None = None
) -> tuple[Served, ...]:
    """As `load`, of a row that was admitted; it connects where `reach` says. `key` comes before the row's own."""
    return tuple(_load(row, address, model, window, reach, key) for address in row.all_addresses())


def unload_of(row: Provider, model: str, reach: Reach | None = None, key: str | None = None) -> bool:
    """As `unload`, of a row that was admitted."""
    return any([_unload(row, address, model, reach, key) for address in row.all_addresses()])


def pull_of(
    row: Provider, name: str, reach: Reach | None = None, control: Control | None = None, key: str | None = None
) -> Iterator[tuple[str, int | None, int | None]]:
    """As `pull`, of a row that was admitted."""
    if row.native != "ollama":
        raise NotSupported(f"{row.name} fetches no models by order", capability="load_params", backend=row.id)
    for address in row.all_addresses():
        yield from OllamaServer(address, key or row.key_of(address), reach=reach).pull(name, control)


def forget(engine: Engine, row: Provider) -> None:
    """Ask its servers for windows anew."""
    for address in row.all_addresses():
        engine.remotes.windows.forget(address)


def _asked(engine: Engine, model_id: str, role: Role) -> tuple[Provider, str]:
    card = engine.catalog.card(model_id)
    if card.endpoint is None:
        raise NotSupported(f"{card.id} is behind no endpoint", capability="load_params", backend=card.backend)
    row = _admitted(card.endpoint.provider, role)
    if row.native not in ("lmstudio", "ollama"):
        raise NotSupported(f"{row.name} loads no models by order", capability="load_params", backend=row.id)
    engine.endpoints.check(row)
    return row, card.endpoint.model


def _admitted(row: Provider, role: Role) -> Provider:
    if role != "teacher":
        raise AccessDenied(f"{row.id} is the teacher's to order", role="teacher")
    return row


def _load(row: Provider, address: str, model: str, window: int | None, reach: Reach | None, key: str | None) -> Served:
    key = key or row.key_of(address)
    if row.native == "lmstudio":
        loaded = LMStudioServer(address, key, reach=reach).load(model, window or row.window)
        return Served(loaded.id, loaded.window, True)
    server = OllamaServer(address, key, seconds=LOAD_S, reach=reach)
    server.load(model, window or row.window or WINDOW)
    there = (one for one in server.ps() if one.name in (model, f"{model}:latest"))
    return next((Served(one.name, one.window, True, one.size_bytes) for one in there), Served(model, None, False))


def _unload(row: Provider, address: str, model: str, reach: Reach | None, key: str | None) -> bool:
    key = key or row.key_of(address)
    if row.native == "ollama":
        server = OllamaServer(address, key, reach=reach)
        was = any(one.name in (model, f"{model}:latest") for one in server.ps())
        if was:
            server.unload(model)
        return was
    studio = LMStudioServer(address, key, reach=reach)
    instances = [one.id for each in studio.models() for one in each.instances if model in (each.key, one.id)]
    for instance in instances:
        studio.unload(instance)
    return bool(instances)
