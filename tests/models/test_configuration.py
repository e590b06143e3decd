"""What is kept for a model: what it accepts, how it is stored, which value wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Settings
from engine.catalog import Catalog
from engine.conversation import ChatSettings
from engine.decided import decided
from engine.errors import AccessDenied, BadInput, BadParameter, BadTemplate, NotFound, UnknownModel
from engine.instances import configure, remove
from engine.models.configuration import NOTHING, Configuration, Configurations, instance_id, split
from engine.models.deciding import SOURCES, recommended, resolve
from engine.params import Params
from engine.types import Message
from tests.models.gguf_files import F32, FIELDS, field, gguf, u32

WHOLE = {
    "load": {"context": 2048, "slots": 2, "kv_type": "q8_0", "ttl_s": 60},
    "prompt": {"system": "You rhyme.", "template": "chatml"},
    "params": {"temperature": 0.2, "stop": ["###"]},
    "output": {"kind": "json_schema", "source": "{}"},
}


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    opened = Engine(Settings(home=tmp_path, prepare=False))
    yield opened
    opened.close()


def config(**parts: Any) -> Configuration:
    return Configuration.from_dict(parts)


def test_what_is_kept_comes_back(engine: Engine) -> None:
    kept = Configurations(engine.values)
    assert kept.get("echo") == NOTHING and NOTHING.empty
    kept.put("echo", Configuration.from_dict(WHOLE))
    assert kept.get("echo").to_dict() == WHOLE
    assert list(kept.all()) == ["echo"]
    assert kept.remove("echo") and not kept.remove("echo")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"load": {"context": 1}}, "load.context"),
        ({"load": {"slots": True}}, "load.slots"),
        ({"load": {"kv_type": "q9"}}, "load.kv_type"),
        ({"load": {"kv_type": "q8_0", "flash_attention": False}}, "flash_attention"),
        ({"params": {"temperature": 9}}, "temperature"),
        ({"params": {"heat": 1}}, "heat"),
        ({"prompt": {"system": "x" * 40_000}}, "prompt.system"),
        ({"nonsense": 1}, "nonsense"),
        ([], "configuration"),
    ],
)
def test_what_cannot_be_is_refused_by_name(data: Any, name: str) -> None:
    with pytest.raises(BadParameter) as refused:
        Configuration.from_dict(data)
    assert refused.value.details["name"] == name


def test_what_another_version_wrote_counts_as_nothing(engine: Engine) -> None:
    engine.values.set("local", "models.configuration/echo", {"of_tomorrow": 1})
    assert engine.configurations.get("echo") == NOTHING


def test_names_of_instances() -> None:
    assert split("a@short") == ("a", "short")
    assert split("a@B c") == ("a@B c", None)
    assert instance_id("a@one", "two") == "a@two"
    with pytest.raises(BadInput):
        instance_id("a", "not a name")


def test_an_instance_is_a_model_of_the_catalogue(engine: Engine) -> None:
    assert configure(engine, "Echo@short", config(params={"temperature": 0})) == "echo@short"
    card = engine.catalog.card("echo@SHORT")
    assert (card.id, card.model, card.name) == ("echo@short", "echo", "Echo (short)")
    assert [one.id for one in engine.models()][-2:] == ["echo", "echo@short"]
    remove(engine, "echo@short")
    with pytest.raises(UnknownModel):
        engine.catalog.card("echo@short")
    with pytest.raises(NotFound):
        remove(engine, "echo")


def test_the_window_is_the_configured_one_and_at_most_the_trained(engine: Engine) -> None:
    bundled = engine.settings.model
    configure(engine, bundled, config(load={"context": 1024}))
    configure(engine, f"{bundled}@long", config(load={"context": 100_000}))
    assert engine.catalog.card(bundled).window == 1024
    assert engine.catalog.card(f"{bundled}@long").window == 8192
    assert Catalog(engine.settings).card(bundled).window == 8192
    assert engine.load_params(engine.catalog.card(bundled)).context == 1024


def test_how_it_is_loaded(engine: Engine) -> None:
    configure(engine, engine.settings.model, Configuration.from_dict(WHOLE))
    load = engine.load_params(engine.catalog.card(engine.settings.model))
    assert (load.context, load.slots, load.kv_type) == (2048, 2, "q8_0")
    assert load.chat_template is not None and "<|im_start|>" in load.chat_template


def test_an_instance_of_a_remote_model_keeps_its_address(engine: Engine) -> None:
    own = configure(engine, "openai/gpt-x@cold", config(params={"temperature": 0}))
    card = engine.catalog.card(own)
    assert card.endpoint is not None and card.endpoint.model == "gpt-x"
    assert engine.catalog.card("openai/gpt-x@other").endpoint.model == "gpt-x@other"  # type: ignore[union-attr]


def test_only_the_teacher_configures(engine: Engine) -> None:
    with pytest.raises(AccessDenied):
        configure(engine, "echo", NOTHING, role="student")
    with pytest.raises(AccessDenied):
        remove(engine, "echo", role="student")


def test_template_and_schema_are_tried_before_they_are_kept(engine: Engine) -> None:
    with pytest.raises(BadTemplate):
        configure(engine, "echo", config(prompt={"template": "{% for %}"}))
    assert engine.configurations.get("echo") == NOTHING


# --- which value wins


def test_the_first_who_says_something_wins_and_the_others_are_told() -> None:
    said = {source: {"temperature": place} for place, source in enumerate(SOURCES)}
    for place, source in enumerate(SOURCES):
        decided = next(one for one in resolve(said) if one.name == "temperature")  # type: ignore[arg-type]
        assert (decided.source, decided.value) == (source, place)
        assert [other for other, _ in decided.overruled] == list(SOURCES[place + 1 :])
        del said[source]
    assert resolve(said) == ()  # type: ignore[arg-type]


def test_what_a_file_recommends() -> None:
    fields = {"general.sampling.temp": 0.6000000238418579, "general.sampling.top_k": 20,
              "general.sampling.penalty_repeat": 99.0, "general.sampling.mirostat": 2}  # fmt: skip
    assert recommended(fields) == {"temperature": 0.6, "top_k": 20, "mirostat": 2}


def test_all_five_win_in_turn_and_the_request_is_asked_with_the_winners(engine: Engine) -> None:
    more = (field("general.sampling.temp", F32, b"\x9a\x99\x19\x3f"), u32("general.sampling.top_k", 20))
    engine.settings.models_dir.mkdir(parents=True)
    (engine.settings.models_dir / "tiny.gguf").write_bytes(gguf((*FIELDS, *more)))
    configure(engine, "tiny", config(params={"top_k": 7, "min_p": 0.3, "top_p": 0.5}, prompt={"system": "Kept."}))
    request, settings = Params(top_p=0.9), ChatSettings(system="Said.")
    found = {one.name: one for one in decided(engine, "tiny", request=request, settings=settings)}
    assert {name: found[name].source for name in ("top_p", "system", "min_p", "temperature", "seed")} == {
        "top_p": "request", "system": "conversation", "min_p": "configuration", "temperature": "gguf",
        "seed": "engine",
    }  # fmt: skip
    assert found["top_k"].overruled == (("gguf", 20), ("engine", 40))
    assert found["context"].value == 2048 and found["context"].source == "gguf"
    asked = engine.params("tiny", request)
    assert {name: asked[name] for name in asked} == {name: found[name].value for name in asked}


def test_the_request_itself_is_asked_with_what_is_kept(engine: Engine) -> None:
    configure(engine, "echo", config(params={"temperature": 0.2, "max_tokens": 3}))
    model = engine.model("echo")
    request = model.request([Message("user", "hi")], Params(temperature=0.7))
    assert (request.params["temperature"], request.params["max_tokens"]) == (0.7, 3)
    assert model.answer([Message("user", "one two three four five")]).outcome == "max_tokens"


def test_said_at_its_default_is_said() -> None:
    assert Params(temperature=0.7).over({"temperature": 0.2})["temperature"] == 0.7
    assert Params().over({"temperature": 0.2})["temperature"] == 0.2
    assert Params(temperature=0.7).replace(seed=1).over({"temperature": 0.2, "seed": 2})["seed"] == 1


def test_what_somebody_moved_is_what_differs_from_where_it_stood() -> None:
    shown = Params(temperature=0.2, top_k=40, stop=["#"], seed=3)
    assert shown.apart({"temperature": 0.2, "stop": ["#"]}).changed() == {"seed": 3}
    assert shown.apart({"top_k": 5}).given == {"temperature", "top_k", "stop", "seed"}
