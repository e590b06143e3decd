"""The engine of Atelier LLM: models that stream, with exact prompts, counts, statistics, traces. Knows no interface."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.params import PARAMS, Param, Params
from engine.types import (
    Event,
    Finished,
    Message,
    ModelState,
    PromptProgress,
    Queued,
    Rendered,
    Result,
    Stats,
    TextDelta,
    Usage,
)

if TYPE_CHECKING:
    from engine.engine import Engine, Model
    from engine.generation import Generation
    from engine.settings import Settings

__all__ = [
    "PARAMS",
    "Engine",
    "EngineError",
    "Event",
    "Finished",
    "Generation",
    "Message",
    "Model",
    "ModelState",
    "Param",
    "Params",
    "PromptProgress",
    "Queued",
    "Rendered",
    "Result",
    "Settings",
    "Stats",
    "TextDelta",
    "Usage",
]

# Imported at first use: `python -m engine --help` needs none of them, and pydantic alone costs a quarter of a second.
_LATER = {
    "Engine": "engine.engine",
    "Generation": "engine.generation",
    "Model": "engine.engine",
    "Settings": "engine.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(name)
    return getattr(import_module(_LATER[name]), name)
