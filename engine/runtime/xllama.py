"""LoadParams as xllamacpp wants them: the only file that knows its attribute names, which drift between versions.

Checked against xllamacpp 2026.10.11549. Imported in the worker process only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xllamacpp

from engine.errors import LoadFailed
from engine.runtime.load import LoadParams

# Connections above the slots: waiting streams, tokenizing, templates, health. llama.cpp adds threads beyond that by
# itself and ends them again; these ones stay.
SPARE_HTTP_THREADS = 16
LOG_LEVEL = 3  # llama.cpp's "info": what was loaded and how fast each slot was, no text of anybody


def common_params(load: LoadParams, key: str, slot_dir: Path | None) -> Any:
    """The `xllamacpp.CommonParams` of these wishes. Raises LoadFailed naming an attribute that is not there (any
    more).
    """
    params = xllamacpp.CommonParams()
    for name, value in _settings(params, load, key, slot_dir).items():
        _set(params, name, value, load.alias)
    return params


def serve(load: LoadParams, key: str, slot_dir: Path | None) -> Any:
    """A loaded `xllamacpp.Server` that listens at its `listening_address`. Raises LoadFailed; the log says more."""
    params = common_params(load, key, slot_dir)
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, MemoryError, ValueError) as error:  # what Cython makes of C++ exceptions
        raise LoadFailed(f"llama.cpp: {error}", model=load.alias, reason=str(error)) from error


def effective_gpu_layers(load: LoadParams, layers: int) -> int:
    """How many of the model's layers lie on a GPU: 0 without one, else what was asked, -1 being all and the output."""
    kinds = xllamacpp.ggml_backend_dev_type
    processors = {kinds.GGML_BACKEND_DEVICE_TYPE_CPU, kinds.GGML_BACKEND_DEVICE_TYPE_ACCEL}
    if all(device["type"] in processors for device in xllamacpp.get_device_info()):
        return 0
    return layers + 1 if load.gpu_layers < 0 else min(load.gpu_layers, layers + 1)


def _settings(params: Any, load: LoadParams, key: str, slot_dir: Path | None) -> Mapping[str, Any]:
    """Dotted attribute names and their values, in the order in which they are set."""
    kv_type = _member(params, "cache_type_k", f"GGML_TYPE_{load.kv_type.upper()}", load.alias)
    flash = "ENABLED" if load.flash_attention else "DISABLED"
    settings = {
        "model.path": load.path,
        "model_alias": {load.alias},
        # the window: exactly what was asked for, in slots that share nothing
        "n_ctx": load.cells,
        "n_parallel": load.slots,
        "kv_unified": False,
        "fit_params": False,  # it may shrink the window, and costs 4 to 7 s of loading
        "ctx_shift": False,
        # speed
        "n_batch": load.batch,
        "n_ubatch": load.batch,
        "cpuparams.n_threads": load.threads,
        "cpuparams_batch.n_threads": load.threads,
        "n_gpu_layers": load.gpu_layers,
        "flash_attn_type": _member(params, "flash_attn_type", f"LLAMA_FLASH_ATTN_TYPE_{flash}", load.alias),
        "cache_type_k": kv_type,
        "cache_type_v": kv_type,
        "cache_ram_mib": load.cache_ram_mib,
        "cache_idle_slots": load.cache_ram_mib > 0,
        "warmup": True,  # no slower to start (measured), and the first answer finds the weights in memory
        # the server
        "hostnames": ["127.0.0.1"],
        "port": 0,
        "api_keys": [key],
        "cors_origins": "",  # an empty header allows nobody
        "cors_credentials": False,
        "ui": False,
        "endpoint_slots": True,
        "endpoint_metrics": True,
        "endpoint_props": False,  # only switches changing them on; they can be read in any case
        "n_threads_http": load.slots + SPARE_HTTP_THREADS,
        "sse_ping_interval": 30,  # seconds
        "slot_save_path": f"{slot_dir}/" if slot_dir else "",  # llama.cpp glues the file's name to it
        "verbosity": LOG_LEVEL,
        "embedding": load.embedding or load.reranking,
    }
    if load.device is not None:
        settings["split_mode"] = _member(params, "split_mode", "LLAMA_SPLIT_MODE_NONE", load.alias)
        settings["main_gpu"] = _number_of(load.device, load.alias)
    if load.chat_template is not None:
        settings["chat_template"] = load.chat_template
    if load.seed is not None:
        settings["sampling.seed"] = load.seed
    if load.pooling is not None:
        kind = f"LLAMA_POOLING_TYPE_{load.pooling.upper()}"
        settings["pooling_type"] = _member(params, "pooling_type", kind, load.alias)
    if load.reranking:
        settings["pooling_type"] = _member(params, "pooling_type", "LLAMA_POOLING_TYPE_RANK", load.alias)
    return settings


def _number_of(device: str, model: str) -> int:
    """The number of the GPU of that name, as llama.cpp counts them. Raises LoadFailed where it is not there."""
    kinds = xllamacpp.ggml_backend_dev_type
    found = xllamacpp.get_device_info()
    own = [one["name"] for one in found if one["type"] == kinds.GGML_BACKEND_DEVICE_TYPE_GPU]
    inside = [one["name"] for one in found if one["type"] == kinds.GGML_BACKEND_DEVICE_TYPE_IGPU]
    names = own or inside
    if device not in names:
        text = f"there is no GPU {device!r} here"
        raise LoadFailed(text, model=model, reason=text)
    return names.index(device)


def _set(params: Any, name: str, value: Any, model: str) -> None:
    *path, last = name.split(".")
    target = params
    for part in path:
        target = _get(target, part, name, model)
    _get(target, last, name, model)
    try:
        setattr(target, last, value)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise _drifted(name, str(error), model) from error


def _get(target: Any, part: str, name: str, model: str) -> Any:
    if not hasattr(target, part):
        raise _drifted(name, "there is no such attribute", model)
    return getattr(target, part)


def _member(params: Any, attribute: str, member: str, model: str) -> Any:
    """A member of the enumeration that the attribute holds; not all of them have a public name of their own."""
    members = type(_get(params, attribute, attribute, model)).__members__
    if member not in members:
        raise _drifted(attribute, f"it does not know {member}", model)
    return members[member]


def _drifted(name: str, reason: str, model: str) -> LoadFailed:
    version = getattr(xllamacpp, "__version__", "unknown")
    text = f"xllamacpp {version}: CommonParams.{name}: {reason}"
    return LoadFailed(text, model=model, reason=text)
