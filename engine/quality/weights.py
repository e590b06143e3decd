"""Which GGUF file a measurement is of: a path, or a model of the catalogue as it is served. Loads nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadFile, ModelFileCorrupt, NotSupported

if TYPE_CHECKING:
    from engine.catalog import ModelCard
    from engine.engine import Engine

SUFFIX = ".gguf"


def served_file(engine: Engine, model: str | None = None) -> Path:
    """The file that a model is served from, or the GGUF file of that path; None is the default model.

    A path is for the person at this machine: interfaces offer ids only. Raises UnknownModel, BadFile, ModelFileCorrupt,
    NotSupported for a model that is not local.
    """
    if model is not None and model.casefold().endswith(SUFFIX):
        return _file(Path(model))
    return Path(engine.load_params(_local(engine, model)).path)


def shipped_file(engine: Engine, model: str | None = None) -> Path:
    """The file to quantize from: as it was shipped, before any preparing of ours. Raises what `served_file` raises."""
    if model is not None and model.casefold().endswith(SUFFIX):
        return _file(Path(model))
    return _local(engine, model).files[-1].path


def _local(engine: Engine, model: str | None) -> ModelCard:
    card = engine.catalog.card(model or engine.settings.model)
    if card.backend != "llamacpp":
        raise NotSupported(f"{card.id} is not a local model", capability="weights", backend=card.backend)
    if card.problem is not None or not card.files:
        reason = card.problem or "no file"
        raise ModelFileCorrupt(f"{card.id} cannot be used: {reason}", path=card.id, reason=reason)
    return card


def _file(path: Path) -> Path:
    if not path.is_file():
        raise BadFile(f"{path} is not there", path=str(path), reason="missing")
    return path.absolute()
