from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import BadParameter
from engine.runtime.load import KV_TYPES, LoadParams


def test_it_goes_through_json_unchanged_and_is_a_key() -> None:
    load = LoadParams("m.gguf", context=512, slots=3, chat_template="{{ x }}", seed=0, kv_type="q8_0")
    again = LoadParams.from_dict(json.loads(json.dumps(load.to_dict())))
    assert again == load
    assert len({load, again, LoadParams("m.gguf")}) == 2
    assert load.cells == 1536


@pytest.mark.parametrize(
    "wrong",
    [
        {"context": 15},
        {"context": 512.0},
        {"slots": 0},
        {"slots": 65},
        {"slots": True},
        {"threads": 0},
        {"batch": 31},
        {"gpu_layers": -2},
        {"cache_ram_mib": -1},
        {"kv_type": "q3_0"},
        {"seed": -1},
        {"seed": 2**32},
        {"kv_type": "q8_0", "flash_attention": False},
        {"embedding": True, "reranking": True},
        {"path": ""},
        {"colour": 1},
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadParameter) as caught:
        LoadParams.from_dict({"path": "m.gguf", **wrong})
    assert caught.value.details["name"] in wrong


def test_a_path_is_needed() -> None:
    with pytest.raises(BadParameter):
        LoadParams.from_dict({})


def test_every_kv_type_loads_with_flash_attention() -> None:
    assert all(LoadParams("m.gguf", kv_type=kind).kv_type == kind for kind in KV_TYPES)
