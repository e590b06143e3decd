"""Presets: a system prompt, parameters and settings under a name, kept in the library, read from and written to JSON.
LM Studio's preset files can be read. Knows no interface.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from engine.conversation import WINDOW_MAX, ChatSettings
from engine.errors import BadInput, NotFound
from engine.library import Library
from engine.params import Params

FORMAT = "atelier-preset/1"
KIND = "preset"
MAX_BYTES = 512 * 1024
SETTINGS = ("policy", "virtual_window", "mode", "template", "output_kind", "output_source")

# LM Studio's keys without "llm.prediction."; those of llama.cpp alone come with or without "llama."
_LMSTUDIO = {
    "temperature": "temperature",
    "topKSampling": "top_k",
    "topPSampling": "top_p",
    "minPSampling": "min_p",
    "typicalPSampling": "typical_p",
    "repeatPenalty": "repeat_penalty",
    "repeatLastN": "repeat_last_n",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "maxPredictedTokens": "max_tokens",
    "maxTokens": "max_tokens",
    "stopStrings": "stop",
    "seed": "seed",
    "xtcProbability": "xtc_probability",
    "xtcThreshold": "xtc_threshold",
    "topNSigma": "top_n_sigma",
}
_POLICIES = {"stopAtLimit": "stop", "truncateMiddle": "truncate_middle", "rollingWindow": "rolling"}


@dataclass(frozen=True)
class Preset:
    """What a person keeps under a name. `unread` names what a file held besides, which nothing here has a place for."""

    name: str
    system: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, params: Params, settings: ChatSettings) -> Preset:
        """The present parameters and settings, as far as they differ from the defaults."""
        plain = ChatSettings()
        kept = {key: getattr(settings, key) for key in SETTINGS if getattr(settings, key) != getattr(plain, key)}
        return cls(name, settings.system, _plain(params.changed()), kept)

    def to_params(self) -> Params:
        """The parameters, those that it does not name at their defaults. Raises BadParameter."""
        return Params(self.params)

    def apply(self, settings: ChatSettings) -> ChatSettings:
        """The settings of a conversation that takes this preset; what it does not name goes back to its default."""
        plain = ChatSettings()
        values = {key: self.settings.get(key, getattr(plain, key)) for key in SETTINGS}
        return dataclasses.replace(settings, system=self.system, preset=self.name, **values)

    def to_dict(self) -> dict[str, Any]:
        """Our own format, ready for JSON."""
        return {
            "format": FORMAT,
            "name": self.name,
            "system": self.system,
            "params": _plain(self.params),
            "settings": dict(self.settings),
        }


class _Settings(BaseModel):
    model_config = ConfigDict(extra="ignore")

    policy: str = Field("stop", pattern="^(stop|rolling|truncate_middle|summarize)$")
    virtual_window: StrictInt | None = Field(None, ge=1, le=WINDOW_MAX)
    mode: str = Field("chat", pattern="^(chat|raw)$")
    template: StrictStr | None = None
    output_kind: str = Field("text", pattern="^(text|json_schema|grammar)$")
    output_source: StrictStr = ""


class _Own(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: StrictStr = Field(min_length=1, max_length=200)
    system: StrictStr = ""
    params: dict[str, Any] = {}
    settings: _Settings = _Settings()


class _LmField(BaseModel):
    key: StrictStr
    value: Any = None


class _LmFields(BaseModel):
    fields: list[_LmField] = Field([], max_length=500)


class _LmStudio(BaseModel):
    """A file of ~/.lmstudio/config-presets."""

    identifier: StrictStr = ""
    name: StrictStr = ""
    operation: _LmFields
    load: _LmFields = _LmFields()


def write_preset(preset: Preset) -> bytes:
    """The preset as a JSON file of our own format."""
    return json.dumps(preset.to_dict(), ensure_ascii=False, indent=2).encode() + b"\n"


def read_preset(data: bytes) -> Preset:
    """The preset of a JSON file, our own or LM Studio's. Raises BadInput, BadParameter for a value out of its range."""
    if len(data) > MAX_BYTES:
        raise BadInput(f"a preset has at most {MAX_BYTES} bytes")
    try:
        told = json.loads(data.decode("utf-8-sig"))
        if isinstance(told, dict) and told.get("format") == FORMAT:
            preset = _own(_Own.model_validate(told), told)
        else:
            preset = _lmstudio(_LmStudio.model_validate(told))
    except (UnicodeDecodeError, RecursionError, ValueError) as error:  # pydantic's and json's errors are ValueErrors
        raise BadInput(f"neither a preset of ours nor one of LM Studio: {_first(error)}") from error
    preset.to_params()
    return preset


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        one = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
    return str(error).partition("\n")[0]


def _own(read: _Own, told: Mapping[str, Any]) -> Preset:
    known = {"format", "name", "system", "params", "settings"}
    inner = [f"settings.{key}" for key in told.get("settings", {}) if key not in SETTINGS]
    unread = tuple(sorted([*(key for key in told if key not in known), *inner]))
    return Preset(read.name, read.system, read.params, read.settings.model_dump(exclude_unset=True), unread)


def _lmstudio(read: _LmStudio) -> Preset:
    params: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    system, unread = "", list[str]()
    for key, value in _switched_on(read.operation):
        short = key.removeprefix("llm.prediction.").removeprefix("llama.")
        if short == "systemPrompt" and isinstance(value, str):
            system = value
        elif short in _LMSTUDIO:
            params[_LMSTUDIO[short]] = value
        elif not _setting(short, value, settings):
            unread.append(key)
    unread += [key for key, _ in _switched_on(read.load)]
    name = read.name or read.identifier.rpartition(":")[2] or "LM Studio"
    return Preset(name[:200], system, params, settings, tuple(unread))


def _switched_on(fields: _LmFields) -> Iterator[tuple[str, Any]]:
    """Keys and values; a value may stand in {"checked", "value"}, and counts only when checked.

    "Maximum length" switched off means no limit, which is not what our default says.
    """
    for one in fields.fields:
        value = one.value
        if isinstance(value, dict) and "checked" in value:
            if not value["checked"]:
                if one.key.endswith("maxPredictedTokens"):
                    yield one.key, -1
                continue
            value = value.get("value")
        if value is not None:
            yield one.key, value


def _setting(short: str, value: Any, settings: dict[str, Any]) -> bool:
    """Whether it was one of the settings that a conversation has here."""
    if short == "contextOverflowPolicy" and isinstance(value, str) and value in _POLICIES:
        settings["policy"] = _POLICIES[value]
        return True
    if short == "structured" and isinstance(value, dict):
        schema = value.get("jsonSchema")
        if value.get("type") in (None, "none") or schema is None:
            return value.get("type") in (None, "none")
        source = schema if isinstance(schema, str) else json.dumps(schema, ensure_ascii=False, indent=2)
        settings |= {"output_kind": "json_schema", "output_source": source}
        return True
    return False


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}


@cache
def ready(language: str) -> tuple[Preset, ...]:
    """The ready presets of that language, the English ones for a language that has none."""
    data = _samples()
    rows = data.get(language[:2].lower(), data["en"])
    return tuple(Preset(row["name"], row["system"].strip(), row["params"]) for row in rows.values())


def _all_ready() -> Iterator[Preset]:
    for language in _samples():
        yield from ready(language)


@cache
def _samples() -> dict[str, Any]:
    return tomllib.loads(files("engine").joinpath("preset_samples.toml").read_text(encoding="utf-8"))


class Presets:
    """A person's presets. Raises StoreFailed."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def names(self, owner: str) -> tuple[str, ...]:
        """The names, in order."""
        return self._library.names(owner, KIND)

    def get(self, owner: str, name: str) -> Preset:
        """The preset of that name, the person's own before a ready one. Raises NotFound."""
        value = self._library.get(owner, KIND, name)
        if value is None:
            if found := next((one for one in _all_ready() if one.name == name), None):
                return found
            raise NotFound(f"no preset {name}", what="preset", key=name)
        return read_preset(json.dumps(value).encode())

    def save(self, owner: str, preset: Preset) -> None:
        """Keep it; one of the same name becomes its earlier version. Raises BadInput, BadParameter."""
        preset.to_params()
        self._library.put(owner, KIND, preset.name, preset.to_dict())

    def drop(self, owner: str, name: str) -> None:
        """Forget it. Raises NotFound."""
        self._library.drop(owner, KIND, name)
