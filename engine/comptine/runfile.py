"""What makes a run repeatable: the card of model, file, runtime and machine, and a file that replays. Runs no sweep."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.comptine.cell import Cell, CellResult
from engine.comptine.running import prepare, run
from engine.errors import BadInput
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model

FORMAT = "atelier-comptine-run/1"
# What must be the same for the same text: weights, arithmetic, prompt
DECISIVE = ("model", "sha256", "quantization", "runtime", "window", "threads", "batch", "kv_type", "flash_attention",
            "gpu_layers", "template_sha256", "machine")  # fmt: skip


def open_engine(
    *, strict: bool = False, slots: int | None = None, threads: int | None = None, batch: int | None = None
) -> Engine:
    """An Engine for experiments: attached to a running application, else with as many slots as the settings allow.

    `strict` gets a worker of its own, with one slot and no saved prefixes, whatever else runs; `threads` and `batch`
    are those of a card. Close it.
    """
    from engine.engine import Engine

    known = Settings()
    chosen: dict[str, Any] = {"slots": 1 if strict else slots or known.slots}
    chosen |= {name: value for name, value in (("threads", threads), ("batch", batch)) if value is not None}
    if strict:
        chosen |= {"strict_reproducibility": True}
    return Engine(known.model_copy(update=chosen), serve=strict)


def card(engine: Engine, model: Model) -> dict[str, Any]:
    """The reproducibility card of a model, ready for JSON; None is unknown. Loads the model."""
    known = model.card
    told: dict[str, Any] = {
        "model": known.id, "name": known.name, "backend": known.backend, "quantization": known.quantization,
        "licence": known.licence, "source": known.source, "endpoint": known.endpoint and known.endpoint.base_url,
        "window": None, "machine": platform.machine(), "system": platform.system(), "python": platform.python_version(),
    }  # fmt: skip
    runtime = engine.served(known.id) if known.backend == "llamacpp" else None
    if runtime is not None:
        for _ in runtime.ready():
            pass
        props = runtime.server.get("/props")
        told |= _file(Path(engine.load_params(known).path)) | {"slots": runtime.slots}
        told |= {"runtime": {**_runtime_version(), "build": props.get("build_info")}}
        told["template_sha256"] = _sha256(str(props.get("chat_template", "")))
        load = runtime.load
        names = ("threads", "batch", "gpu_layers", "kv_type", "flash_attention")
        told |= {name: getattr(load, name) if load else None for name in names}
    return {**told, "window": model.window()}


def record(engine: Engine, model: Model, result: CellResult, *, strict: bool = False) -> dict[str, Any]:
    """The run file of a result, ready for JSON: card, cell, parameters, hash of the prompt, result."""
    return {
        "format": FORMAT,
        "created": time.time(),
        "strict": strict,
        "card": card(engine, model),
        "cell": result.cell.to_dict(),
        "params": dict(prepare(model, result.cell).params()),
        "prompt_sha256": result.prompt_sha256,
        "result": result.to_dict(),
    }


def run_card(record: Mapping[str, Any]) -> dict[str, Any]:
    """The card of one run, out of its run file: the model's, then parameters, seed and hash of the prompt."""
    told = {name: record[name] for name in ("params", "prompt_sha256", "strict")}
    return {**record["card"], "seed": record["cell"]["seed"], **told}


@dataclass(frozen=True)
class Replay:
    """A run repeated: its new result, whether the text is the same, and what of the card or the prompt is not."""

    result: CellResult
    before: CellResult
    same: bool
    differences: tuple[str, ...]


def replay(data: Mapping[str, Any], engine: Engine | None = None) -> Replay:
    """The run of a run file once more, with one slot and no cache. Raises BadInput for what is no run file.

    Without `engine` a worker of its own is started with the threads and the batch of the card.
    """
    cell, before, known = _read(data)
    own = engine is None
    used = engine or open_engine(strict=True, threads=known.get("threads"), batch=known.get("batch"))
    try:
        model = used.model(cell.model or known.get("model"))
        result = run(model, cell, strict=True)
        now = card(used, model)
    finally:
        if own:
            used.close()
    differences = [name for name in DECISIVE if known.get(name) != now.get(name)]
    differences += ["prompt_sha256"] if result.prompt_sha256 != before.prompt_sha256 else []
    return Replay(result, before, result.answer == before.answer, tuple(differences))


def _read(data: Mapping[str, Any]) -> tuple[Cell, CellResult, Mapping[str, Any]]:
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise BadInput("not a run file of the rhyme", format=FORMAT)
    known = data.get("card")
    if not isinstance(known, Mapping):
        raise BadInput("the run file has no card", format=FORMAT)
    return Cell.from_dict(data.get("cell") or {}), CellResult.from_dict(data.get("result") or {}), known


def _file(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {
        "file": path.name,
        "size_bytes": found.st_size,
        "sha256": _file_sha256(path, found.st_size, found.st_mtime_ns),
        "quantization": _quantization(path),
    }


@lru_cache(maxsize=16)
def _file_sha256(path: Path, size: int, changed: int) -> str:
    """Of the file as it is now: size and time of change are part of the question."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _quantization(path: Path) -> str | None:
    from engine.models.gguf_header import read_header

    return read_header(path).quantization


def _runtime_version() -> dict[str, str | None]:
    try:
        return {"name": "xllamacpp", "version": version("xllamacpp")}
    except PackageNotFoundError:
        return {"name": "llama.cpp", "version": None}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
