"""Presets: kept, written, read back; LM Studio's files, whose unknown keys are named."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.conversation import ChatSettings
from engine.errors import BadInput, BadParameter, NotFound
from engine.library import Library
from engine.params import Params
from engine.people import People
from engine.presets import Preset, Presets, read_preset, ready, write_preset
from engine.store import Store

POET = Preset.of(
    "poète",
    Params(temperature=1.2, top_k=80, stop=["END"], samplers="top_k; temperature"),
    ChatSettings(system="Réponds en rimes.", policy="rolling", output_kind="grammar", output_source='root ::= "a"'),
)


def test_written_and_read_it_is_the_same() -> None:
    assert read_preset(write_preset(POET)) == POET
    assert POET.to_params() == Params(temperature=1.2, top_k=80, stop=["END"], samplers="top_k; temperature")
    settings = POET.apply(ChatSettings(virtual_window=100, token_view=True))
    assert (settings.system, settings.policy, settings.preset) == ("Réponds en rimes.", "rolling", "poète")
    assert settings.virtual_window is None and settings.token_view


def test_a_person_keeps_them(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    try:
        presets, people = Presets(Library(store)), People(store)
        ada, bob = people.join("Ada", "student").id, people.join("Bob", "student").id
        presets.save(ada, POET)
        presets.save(ada, Preset("poète", "In rhymes."))
        assert presets.names(ada) == ("poète",) and presets.names(bob) == ()
        assert presets.get(ada, "poète").system == "In rhymes."
        with pytest.raises(NotFound):
            presets.get(bob, "poète")
        presets.drop(ada, "poète")
        assert presets.names(ada) == ()
    finally:
        store.close()


def lmstudio(**fields: Any) -> bytes:
    """A file of ~/.lmstudio/config-presets with these prediction fields, a dot written as two underscores."""
    rows = [{"key": "llm.prediction." + key.replace("__", "."), "value": value} for key, value in fields.items()]
    load = {"fields": [{"key": "llm.load.contextLength", "value": 4096}]}
    file = {"identifier": "@local:rimes", "name": "Rimes", "changed": True, "operation": {"fields": rows}, "load": load}
    return json.dumps(file).encode()


def test_lm_studios_files_are_read() -> None:
    preset = read_preset(
        lmstudio(
            systemPrompt="Always answer in rhymes.",
            temperature=0.2,
            topKSampling=20,
            topPSampling={"checked": True, "value": 0.9},
            minPSampling={"checked": False, "value": 0.3},
            repeatPenalty={"checked": True, "value": 1.1},
            llama__presencePenalty={"checked": True, "value": 0.5},
            maxPredictedTokens={"checked": False, "value": 1000},
            stopStrings=["\n"],
            contextOverflowPolicy="truncateMiddle",
            structured={"type": "json", "jsonSchema": {"type": "integer"}},
            llama__cpuThreads=4,
            reasoning__enableThinking=True,
        )
    )
    assert (preset.name, preset.system) == ("Rimes", "Always answer in rhymes.")
    assert preset.to_params().changed() == {
        "temperature": 0.2,
        "top_k": 20,
        "top_p": 0.9,
        "repeat_penalty": 1.1,
        "presence_penalty": 0.5,
        "max_tokens": -1,
        "stop": ("\n",),
    }
    assert preset.settings["policy"] == "truncate_middle"
    assert json.loads(preset.settings["output_source"]) == {"type": "integer"}
    assert preset.unread == (
        "llm.prediction.llama.cpuThreads", "llm.prediction.reasoning.enableThinking", "llm.load.contextLength",
    )  # fmt: skip


def test_what_is_unknown_in_our_own_is_named_too() -> None:
    told = {**POET.to_dict(), "colour": "red", "settings": {"policy": "stop", "shape": 1}}
    assert read_preset(json.dumps(told).encode()).unread == ("colour", "settings.shape")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"\xff", b"{}", b'{"operation": {"fields": [{"value": 1}]}}', b"[" * 200_000, b" " * 600_000,
        b'{"format": "atelier-preset/1"}', b'{"format": "atelier-preset/1", "name": "a", "settings": {"policy": "x"}}',
    ],
)  # fmt: skip
def test_what_is_no_preset_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_preset(data)


def test_values_are_checked() -> None:
    with pytest.raises(BadParameter):
        read_preset(lmstudio(temperature=7))


LONG = {"format": "atelier-preset/1", "name": "a"}


@pytest.mark.parametrize(
    "told",
    [
        {**LONG, "params": {"stop": {"x": 1}}},
        {**LONG, "params": {"stop": ["a", None]}},
        {**LONG, "settings": {"virtual_window": True}},
        {**LONG, "settings": {"virtual_window": 10**30}},
        {"operation": {"fields": [{"key": "llm.prediction.stopStrings", "value": [{"a": 1}]}]}},
        {"operation": {"fields": [{"key": "llm.prediction.stopStrings", "value": 5}]}},
    ],
)
def test_values_of_another_type_are_refused(told: Any) -> None:
    with pytest.raises(BadInput):
        read_preset(json.dumps(told).encode())


@pytest.mark.parametrize("value", [[], {}, 5, "nothing"])
def test_a_policy_that_nobody_has_is_named(value: Any) -> None:
    told = {"operation": {"fields": [{"key": "llm.prediction.contextOverflowPolicy", "value": value}]}}
    assert read_preset(json.dumps(told).encode()).unread == ("llm.prediction.contextOverflowPolicy",)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_ready_presets_are_sound_and_a_persons_own_comes_first(language: str, tmp_path: Path) -> None:
    (crontab,) = ready(language)
    assert crontab.to_params()["temperature"] == 0.0 and "crontab" in crontab.system
    assert read_preset(write_preset(crontab)) == crontab
    with closing(Store(f"sqlite:///{tmp_path / 's.sqlite3'}")) as store:
        presets, ada = Presets(Library(store)), People(store).join("Ada", "student").id
        assert presets.names(ada) == () and presets.get(ada, crontab.name) == crontab
        presets.save(ada, Preset(crontab.name, "mine"))
        assert presets.get(ada, crontab.name).system == "mine"
        presets.drop(ada, crontab.name)
        assert presets.get(ada, crontab.name) == crontab
    assert ready("de") == ready("en")
