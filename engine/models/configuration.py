"""What a teacher keeps for a model or a named instance of it: how it is loaded, what it is told, its parameters.

Knows the store's small values and no engine, no runtime and no page. An instance is called "model@name".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)

from engine.errors import BadInput, BadParameter
from engine.params import Params
from engine.person import LOCAL_OWNER
from engine.runtime.load import RANGES, KvType, LoadParams
from engine.values import Values

PREFIX = "models.configuration/"
TEXT_MAX = 32 * 1024  # characters of a template, a system prompt or a schema
TTL_MAX = 30 * 24 * 3600.0
INSTANCE = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")

Text = Annotated[StrictStr, Field(max_length=TEXT_MAX)]


def _between(name: str) -> Any:
    low, high = RANGES[name]
    return Field(None, ge=low, le=high)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoadWishes(_Part):
    """How it is loaded: `context` in tokens per slot, `batch` in tokens; `ttl_s` is after how many seconds without a
    request it is unloaded (0 never).

    None leaves it to the application's settings.
    """

    context: StrictInt | None = _between("context")
    slots: StrictInt | None = _between("slots")
    threads: StrictInt | None = _between("threads")
    batch: StrictInt | None = _between("batch")
    gpu_layers: StrictInt | None = _between("gpu_layers")
    seed: StrictInt | None = Field(None, ge=0, le=2**32 - 1)
    kv_type: KvType | None = None
    flash_attention: StrictBool | None = None
    ttl_s: StrictInt | StrictFloat | None = Field(None, ge=0, le=TTL_MAX)

    @model_validator(mode="after")
    def _loadable(self) -> LoadWishes:
        LoadParams("file", **self.wishes())  # refuses what does not go together
        return self

    def wishes(self) -> dict[str, Any]:
        """The fields of LoadParams that are wished for."""
        return self.model_dump(exclude_none=True, exclude={"ttl_s"})


class PromptWishes(_Part):
    """What it is told: `template` is a name of llama.cpp's or a Jinja source, `system` stands where nobody says one."""

    template: Text | None = None
    system: Text | None = None


class OutputWishes(_Part):
    """The form of its answers where nobody asks for another: as in engine.output."""

    kind: Literal["json_schema", "grammar"]
    source: Text


class Configuration(_Part):
    """Everything kept for one model or instance; `params` holds only the inference parameters that are said."""

    load: LoadWishes = LoadWishes()
    prompt: PromptWishes = PromptWishes()
    params: dict[str, Any] = {}
    output: OutputWishes | None = None

    @field_validator("params")
    @classmethod
    def _known(cls, given: dict[str, Any]) -> dict[str, Any]:
        checked = Params(given)
        values = {name: checked[name] for name in sorted(checked.given)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return not self.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """What is said, ready for JSON."""
        parts = self.model_dump(exclude_none=True)
        return {name: value for name, value in parts.items() if value}

    @classmethod
    def from_dict(cls, data: Any) -> Configuration:
        """The value that `to_dict` gave, or that a person wrote. Raises BadParameter naming the first wrong place."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            name = ".".join(str(part) for part in first["loc"]) or "configuration"
            value = str(first["input"])[:200]
            raise BadParameter(f"{name}: {first['msg']}", name=name, value=value, low=None, high=None) from error


NOTHING = Configuration()


def split(model_id: str) -> tuple[str, str | None]:
    """The model's own id, and the name of the instance where the id is one's: "model@name"."""
    model, sign, name = model_id.rpartition("@")
    return (model, name) if sign and model and INSTANCE.fullmatch(name) else (model_id, None)


def instance_id(model_id: str, name: str) -> str:
    """The id of the model's instance of that name. Raises BadInput unless it is 1 to 40 of a-z, 0-9, ".", "_", "-"."""
    if not INSTANCE.fullmatch(name):
        raise BadInput(f"{name!r} is no name of an instance: a-z, 0-9, . _ -, at most 40", what="instance", name=name)
    return f"{split(model_id)[0]}@{name}"


class Configurations:
    """The configurations of one installation by id of model or instance. Raises StoreFailed."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def get(self, model_id: str) -> Configuration:
        """The one of that very id; an empty one where nothing is kept."""
        kept = self._values.get(LOCAL_OWNER, PREFIX + model_id)
        return NOTHING if kept is None else _kept(kept)

    def put(self, model_id: str, configuration: Configuration) -> None:
        """Keep it, in place of an earlier one. Raises BadInput where it is too large."""
        self._values.set(LOCAL_OWNER, PREFIX + model_id, configuration.to_dict())

    def remove(self, model_id: str) -> bool:
        """Forget it; whether there was one. Of an instance nothing is left then."""
        there = self._values.get(LOCAL_OWNER, PREFIX + model_id) is not None
        self._values.drop(LOCAL_OWNER, PREFIX + model_id)
        return there

    def all(self) -> Mapping[str, Configuration]:
        """All of them by id."""
        kept = self._values.under(LOCAL_OWNER, PREFIX)
        return {name.removeprefix(PREFIX): _kept(value) for name, value in kept.items()}


def _kept(value: Any) -> Configuration:
    """What another version wrote and this one does not understand counts as nothing: the model is still to be used."""
    try:
        return Configuration.from_dict(value)
    except BadParameter:
        return NOTHING
