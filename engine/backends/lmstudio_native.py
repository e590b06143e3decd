"""LM Studio's own routes: which models it has, which are loaded with which window, load, unload. Knows no chat.

`/api/v1` is asked first (from LM Studio 0.4.0 on), then the older `/api/v0`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.addresses import Reach
from engine.backends.json_line import JsonLine, root_of, shaped, whole
from engine.errors import NotFound, NotSupported, ServerFailed

LOAD_S = 600.0  # that a large model may take


@dataclass(frozen=True)
class Instance:
    """A model in memory under a name of its own, with its window in tokens."""

    id: str
    window: int | None


@dataclass(frozen=True)
class LMModel:
    """One model of LM Studio: `longest` is the window it was made for, `instances` are those loaded now."""

    key: str
    name: str
    type: str
    quantization: str | None
    size_bytes: int | None
    longest: int | None
    instances: tuple[Instance, ...]


class LMStudioServer:
    """The native routes beside chat. Raises BackendError, and NotSupported where LM Studio is too old to load."""

    def __init__(
        self, base_url: str, key: str | None = None, *, seconds: float | None = 10.0, reach: Reach | None = None
    ) -> None:
        self.root = root_of(base_url)
        self._key = key
        self._seconds = seconds
        self._reach = reach

    def models(self) -> tuple[LMModel, ...]:
        """The models that are there, loaded or not."""
        with JsonLine(self.root, self._key, seconds=self._seconds, reach=self._reach) as line:
            try:
                return _read(_model, _rows(line.get("/api/v1/models"), "models"))
            except (NotFound, ServerFailed):  # LM Studio 0.3 answers 200 to a route that it does not know
                rows = _rows(line.get("/api/v0/models"), "data")
        if not all("state" in row for row in rows):
            raise ServerFailed("this is not LM Studio", status=None)
        return _read(_old_model, rows)

    def window_of(self, model: str) -> int | None:
        """The window of a loaded model, by its key or the name of an instance; None where it is not loaded."""
        for one in self.models():
            for instance in one.instances:
                if model in (instance.id, one.key):
                    return instance.window
        return None

    def load(self, model: str, window: int | None = None) -> Instance:
        """Have the model in memory, with that window in tokens; returns once it is."""
        asked = {} if window is None else {"context_length": window}
        told = self._post("/api/v1/models/load", {"model": model, **asked, "echo_load_config": True}, model)
        config = told.get("load_config") or {}
        return Instance(str(told.get("instance_id") or model), config.get("context_length"))

    def unload(self, instance: str) -> None:
        """Give the memory of an instance back."""
        self._post("/api/v1/models/unload", {"instance_id": instance}, instance)

    def _post(self, path: str, body: Mapping[str, Any], model: str) -> Mapping[str, Any]:
        with JsonLine(self.root, self._key, model=model, seconds=LOAD_S, reach=self._reach) as line:
            try:
                told = line.post(path, body)
            except NotFound:
                told = {}
        if not isinstance(told, dict) or "instance_id" not in told:  # it answers 200 to a route that it does not know
            raise NotSupported("LM Studio loads by order from 0.4.0 on", capability="load_params", backend="lmstudio")
        return told


def _rows(told: Any, name: str) -> list[Mapping[str, Any]]:
    rows = told.get(name) if isinstance(told, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServerFailed("this is not LM Studio", status=None)
    return rows


def _read(reader: Callable[[Mapping[str, Any]], LMModel], rows: list[Mapping[str, Any]]) -> tuple[LMModel, ...]:
    with shaped("LM Studio"):
        return tuple(map(reader, rows))


def _model(row: Mapping[str, Any]) -> LMModel:
    instances = tuple(
        Instance(str(one.get("id")), whole((one.get("config") or {}).get("context_length")))
        for one in row.get("loaded_instances") or ()
    )
    return LMModel(
        str(row.get("key")),
        str(row.get("display_name") or row.get("key")),
        str(row.get("type", "llm")),
        (row.get("quantization") or {}).get("name"),
        whole(row.get("size_bytes")),
        whole(row.get("max_context_length")),
        instances,
    )


def _old_model(row: Mapping[str, Any]) -> LMModel:
    key = str(row.get("id"))
    loaded = (Instance(key, whole(row.get("loaded_context_length"))),) if row.get("state") == "loaded" else ()
    return LMModel(
        key,
        key,
        str(row.get("type", "llm")),
        row.get("quantization"),
        None,
        whole(row.get("max_context_length")),
        loaded,
    )
