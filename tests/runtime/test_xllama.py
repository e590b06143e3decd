"""What llama.cpp is told, attribute by attribute; an attribute that is gone is said by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xllamacpp

from engine.errors import LoadFailed
from engine.runtime import xllama
from engine.runtime.load import KV_TYPES, LoadParams

COMMON_PARAMS = xllamacpp.CommonParams
LOAD = LoadParams("m.gguf", context=512, slots=3, threads=2, batch=128, seed=7, chat_template="{{ x }}", alias="tiny")


def test_the_wishes_arrive() -> None:
    params = xllama.common_params(LOAD, "secret", Path("states"))
    assert (params.n_ctx, params.n_parallel, params.n_batch, params.n_ubatch) == (1536, 3, 128, 128)
    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads) == (2, 2)
    assert (params.kv_unified, params.fit_params, params.ctx_shift) == (False, False, False)
    assert (params.api_keys, params.hostnames, params.port) == (["secret"], ["127.0.0.1"], 0)
    assert (params.ui, params.cors_origins, params.endpoint_props) == (False, "", False)
    assert (params.endpoint_slots, params.endpoint_metrics) == (True, True)
    assert (params.slot_save_path, params.cache_ram_mib) == ("states/", 0)
    assert (params.sampling.seed, params.chat_template, params.model_alias) == (7, "{{ x }}", {"tiny"})
    assert params.model.path == "m.gguf"
    assert params.n_threads_http > LOAD.slots


def test_flash_attention_and_kv_types_have_their_members() -> None:
    on, off = (xllama.common_params(LoadParams("m", flash_attention=flash), "k", None) for flash in (True, False))
    assert (int(on.flash_attn_type), int(off.flash_attn_type)) == (1, 0)
    for kind in KV_TYPES:
        params = xllama.common_params(LoadParams("m", kv_type=kind), "k", None)
        assert params.cache_type_k == params.cache_type_v == xllamacpp.ggml_type[f"GGML_TYPE_{kind.upper()}"]
        assert params.slot_save_path == ""


def test_embedding_and_reranking_open_their_routes() -> None:
    assert xllama.common_params(LoadParams("m", embedding=True), "k", None).embedding
    reranker = xllama.common_params(LoadParams("m", reranking=True), "k", None)
    assert reranker.embedding
    assert int(reranker.pooling_type) == 4


class Older:
    """CommonParams of a version that names the hosts otherwise, as April 2026 did."""

    def __init__(self) -> None:
        object.__setattr__(self, "_real", COMMON_PARAMS())

    def __getattr__(self, name: str) -> Any:
        if name == "hostnames":
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "_real"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)


def test_a_name_that_has_drifted_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xllamacpp, "CommonParams", Older)
    with pytest.raises(LoadFailed, match=r"xllamacpp 2026.*CommonParams\.hostnames: there is no such attribute"):
        xllama.common_params(LOAD, "k", None)


def test_a_type_that_has_drifted_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xllama, "LOG_LEVEL", "low")
    with pytest.raises(LoadFailed, match=r"CommonParams\.verbosity"):
        xllama.common_params(LOAD, "k", None)


def test_no_layer_lies_on_a_gpu_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = xllamacpp.ggml_backend_dev_type
    monkeypatch.setattr(xllamacpp, "get_device_info", lambda: [{"type": kinds.GGML_BACKEND_DEVICE_TYPE_CPU}])
    assert xllama.effective_gpu_layers(LoadParams("m"), 30) == 0
    monkeypatch.setattr(xllamacpp, "get_device_info", lambda: [{"type": kinds.GGML_BACKEND_DEVICE_TYPE_GPU}])
    assert xllama.effective_gpu_layers(LoadParams("m"), 30) == 31
    assert xllama.effective_gpu_layers(LoadParams("m", gpu_layers=5), 30) == 5
