"""What is loaded, loading and unloading, for a second process on the same data folder. Knows no socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.responses import JSONResponse

from apps.api.errors import ApiError
from engine import instances
from engine.errors import AccessDenied
from engine.ps import loaded

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from apps.api.call import Call


async def ps(call: Call) -> ASGIApp:
    """What is loaded."""
    _attached(call)
    found = await to_thread.run_sync(loaded, call.engine)
    return JSONResponse({"loaded": [one.to_dict() for one in found]})


async def load(call: Call) -> ASGIApp:
    """The model or instance that the body names, once it is loaded."""
    return await _acted(call, lambda model: (one := instances.load(call.engine, model)) and one.to_dict())


async def unload(call: Call) -> ASGIApp:
    """Whether the model or instance that the body names was loaded; it is not any more."""
    return await _acted(call, lambda model: instances.unload(call.engine, model))


async def _acted(call: Call, act: Callable[[str], Any]) -> ASGIApp:
    _attached(call)
    model = (await call.json()).get("model")
    if not isinstance(model, str):
        raise ApiError("model: an id is needed", code="invalid_type", param="model")
    return JSONResponse({"done": await to_thread.run_sync(act, model)})


def _attached(call: Call) -> None:
    if not call.request.scope.get("state", {}).get("attached"):
        raise AccessDenied("the key of the attach file is needed here", role="teacher")
