"""The table of parameters: ranges, types, and the bodies that come out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadParameter
from engine.params import BY_NAME, MAX_SEED, PARAMS, SAMPLERS, Params, random_seed
from engine.runtime.client import LlamaServer
from tests.standins.llama_server import BareServer

NUMBERS = [param for param in PARAMS if param.kind in ("int", "float")]


def test_defaults_lie_in_their_ranges() -> None:
    assert all(param.check(param.default) == param.default for param in PARAMS)
    assert Params().changed() == {}


@pytest.mark.parametrize("param", NUMBERS, ids=lambda param: param.name)
def test_ranges_are_closed(param: Any) -> None:
    for edge in (param.low, param.high):
        assert Params({param.name: edge})[param.name] == edge
    for outside in (param.low - param.step, param.high + param.step):
        with pytest.raises(BadParameter) as refused:
            Params({param.name: outside})
        assert refused.value.details == {
            "name": param.name,
            "value": str(outside),
            "low": param.low,
            "high": param.high,
        }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "warm", True, [1], {}, "10" * 400])
@pytest.mark.parametrize("name", ["temperature", "top_k", "max_tokens"])
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(BadParameter):
        Params({name: value})


def test_whole_numbers_stay_whole() -> None:
    assert Params(top_k=5.0)["top_k"] == 5
    assert isinstance(Params(top_k="5")["top_k"], int)
    with pytest.raises(BadParameter):
        Params(top_k=5.5)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(BadParameter) as refused:
        Params(temperatur=0.1)
    assert refused.value.details["name"] == "temperatur"


def test_stop_strings() -> None:
    assert Params(stop="a\n\nb")["stop"] == ("a", "b")
    assert Params(stop=["a", "", "b\n"])["stop"] == ("a", "b\n")
    with pytest.raises(BadParameter):
        Params(stop=5)


def test_the_order_of_the_samplers() -> None:
    assert Params(samplers="top_k\n temperature\n")["samplers"] == ("top_k", "temperature")
    assert Params(samplers="min_p; temperature").to_llamacpp()["samplers"] == ["min_p", "temperature"]
    for wrong in ("top_k\ntop_k", "top_k\nnucleus", ["temp"], 7):
        with pytest.raises(BadParameter) as refused:
            Params(samplers=wrong)
        assert refused.value.details["name"] == "samplers"


def test_bodies_by_hand() -> None:
    params = Params(temperature=0, max_tokens=10, seed=3, stop=["x"], top_k=1)
    assert params.to_openai() == {
        "temperature": 0.0,
        "max_tokens": 10,
        "seed": 3,
        "top_p": 0.95,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop": ["x"],
    }
    assert params.to_llamacpp() == {
        **params.to_openai(),
        "top_k": 1,
        "min_p": 0.05,
        "typical_p": 1.0,
        "repeat_penalty": 1.0,
        "repeat_last_n": 64,
    }


def test_what_is_not_set_is_not_sent() -> None:
    body = Params(max_tokens=-1).to_openai()
    assert not {"seed", "stop", "max_tokens"} & set(body)
    assert Params(max_tokens=-1).to_llamacpp()["max_tokens"] == -1


def test_a_rare_one_is_sent_when_it_says_something() -> None:
    assert not {"mirostat", "dry_multiplier", "samplers"} & set(Params().to_llamacpp())
    assert Params(mirostat=2).to_llamacpp()["mirostat"] == 2
    assert "mirostat" not in Params(mirostat=2).to_openai()


@pytest.fixture
def server(bare_llama: BareServer) -> Iterator[LlamaServer]:
    """A client of the real server."""
    client = LlamaServer(bare_llama.address, bare_llama.key)
    yield client
    client.close()


def elsewhere(param: Any) -> Any:
    """A value in the middle of its range, not the default."""
    if param.name == "samplers":
        return ["top_k", "temperature"]
    if param.name == "stop":
        return ["stop here"]
    middle = (param.low + param.high) / 2 + param.step
    return int(middle) if param.kind == "int" else round(middle, 6)


@pytest.mark.model
def test_llama_cpp_takes_each_one_and_says_so(server: LlamaServer) -> None:
    for value in (elsewhere, lambda param: param.low, lambda param: param.high):
        wanted = {param.name: value(param) for param in NUMBERS} | {"max_tokens": 1}
        wanted |= {name: elsewhere(BY_NAME[name]) for name in ("samplers", "stop")}
        told = server.post("/completion", {"prompt": "Hello", **Params(wanted).to_llamacpp()})["generation_settings"]
        assert {name: told[name] for name in wanted} == {
            name: pytest.approx(each) if isinstance(each, float) else each for name, each in wanted.items()
        }


@pytest.mark.model
def test_what_is_not_sent_is_llama_cpps_default(server: LlamaServer) -> None:
    told = server.get("/props")["default_generation_settings"]["params"]
    assert tuple(told["samplers"]) == SAMPLERS
    for param in PARAMS:
        if param.rare and param.name != "samplers":
            assert told[param.name] == pytest.approx(param.default), param.name


def test_a_seed_is_drawn_once() -> None:
    drawn = Params().seeded()
    assert 0 <= drawn["seed"] <= MAX_SEED
    assert drawn.seeded() == drawn
    assert Params(seed=0).seeded()["seed"] == 0
    assert random_seed() != random_seed()  # one chance in four thousand million


def test_they_are_values() -> None:
    assert Params(top_k=3) == Params().replace(top_k=3)
    assert len({Params(top_k=3), Params().replace(top_k=3), Params()}) == 2
    assert Params(top_k=3).changed() == {"top_k": 3}
    assert repr(Params(top_k=3)) == "Params({'top_k': 3})"


@given(st.dictionaries(st.sampled_from(sorted(BY_NAME)), st.one_of(st.none(), st.integers(), st.floats(), st.text())))
def test_anything_else_is_a_bad_parameter(values: dict[str, Any]) -> None:
    try:
        params = Params(values)
    except BadParameter as refused:
        assert refused.details["name"] in values
    else:
        assert Params(dict(params)) == params
