"""Which value wins for a model: gathers what request, conversation, configuration, file and settings say. Asks nothing
of a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.models.deciding import Decided, Source, configured, recommended_by, resolve
from engine.models.gguf_header import read_header
from engine.params import PARAMS, Params
from engine.runtime.load import LoadParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.catalog import ModelCard
    from engine.conversation import ChatSettings
    from engine.engine import Engine


def decided(
    engine: Engine,
    model_id: str,
    *,
    request: Params | None = None,
    settings: ChatSettings | None = None,
    preset: Mapping[str, Any] | None = None,
) -> tuple[Decided, ...]:
    """Every value as the next request to that model would have it, with what was overruled. Raises UnknownModel.

    `request` are the parameters sent with it, of which those `given` count; `settings` are its conversation's and
    `preset` the parameters that the conversation's preset names.
    """
    card = engine.catalog.card(model_id)
    said: dict[Source, Mapping[str, Any]] = {
        "request": {name: request[name] for name in request.given} if request else {},
        "conversation": {**(preset or {}), **(_conversation(settings) if settings else {})},
        "configuration": _configuration(engine, card),
        "gguf": _file(engine, card),
        "engine": _engine(engine, card),
    }
    return resolve(said)


def _conversation(settings: ChatSettings) -> dict[str, Any]:
    output = (
        {"kind": settings.output_kind, "source": settings.output_source} if settings.output_kind != "text" else None
    )
    return {"system": settings.system.strip() or None, "template": settings.template, "output": output}


def _configuration(engine: Engine, card: ModelCard) -> dict[str, Any]:
    found = configured(engine.configuration(card))
    return found | {"context": card.window} if "context" in found else found  # at most the trained window


def _file(engine: Engine, card: ModelCard) -> dict[str, Any]:
    if card.backend != "llamacpp" or card.problem or not card.files:
        return {}
    header = read_header(card.files[0].path)
    trained = header.context_length
    capped = {"context": trained} if trained and trained < engine.settings.window else {}
    return {**recommended_by(card), **capped, "template": header.chat_template}


def _engine(engine: Engine, card: ModelCard) -> dict[str, Any]:
    found: dict[str, Any] = {param.name: param.default for param in PARAMS} | {"system": None, "output": None}
    if card.backend != "llamacpp":
        return found
    settings, chosen = engine.settings, engine.computing.wishes()
    load: dict[str, Any] = {"context": settings.window, "slots": engine.plain_slots, "threads": chosen["threads"]}
    layers = chosen.get("gpu_layers", LoadParams.gpu_layers)
    load |= {"batch": settings.batch, "gpu_layers": layers, "kv_type": LoadParams.kv_type}
    load |= {"flash_attention": LoadParams.flash_attention, "load_seed": None, "ttl_s": settings.idle_unload_s}
    return found | load
