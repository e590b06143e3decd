"""Which value wins where several are said: request, conversation, the model's configuration, its file, the engine.

The sheet of the course asks exactly this. Knows no store and no engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from engine.errors import BadParameter
from engine.models.configuration import Configuration
from engine.models.gguf_header import read_header
from engine.params import BY_NAME, PARAMS

if TYPE_CHECKING:
    from engine.catalog import ModelCard

Source = Literal["request", "conversation", "configuration", "gguf", "engine"]
SOURCES: tuple[Source, ...] = get_args(Source)  # the first one that says something wins

# Where a GGUF file keeps what its maker recommends, and our names for it (gguf: constants.py, SAMPLING_*)
_RECOMMENDED = {
    "temp": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
    "penalty_last_n": "repeat_last_n",
    "penalty_repeat": "repeat_penalty",
    "mirostat": "mirostat",
    "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta",
}
LOAD = ("context", "slots", "threads", "batch", "gpu_layers", "load_seed", "kv_type", "flash_attention", "ttl_s")
NAMES = (*(param.name for param in PARAMS), "system", "template", "output", *LOAD)


@dataclass(frozen=True)
class Decided:
    """The value of `name` and who said it; `overruled` are the others that said something, in their order."""

    name: str
    value: Any
    source: Source
    overruled: tuple[tuple[Source, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        overruled = [{"source": source, "value": value} for source, value in self.overruled]
        return {"name": self.name, "value": self.value, "source": self.source, "overruled": overruled}


def resolve(said: Mapping[Source, Mapping[str, Any]]) -> tuple[Decided, ...]:
    """One per name that somebody says, in the order of NAMES; None is not said, but by the engine."""
    return tuple(decided for name in NAMES if (decided := _decided(name, said)) is not None)


def _decided(name: str, said: Mapping[Source, Mapping[str, Any]]) -> Decided | None:
    found = [(source, said[source][name]) for source in SOURCES if source in said and name in said[source]]
    found = [(source, value) for source, value in found if value is not None or source == "engine"]
    if not found:
        return None
    (source, value), *others = found
    return Decided(name, value, source, tuple(others))


def configured(configuration: Configuration) -> dict[str, Any]:
    """What a configuration says, by the names of NAMES."""
    load = configuration.load.model_dump(exclude_none=True)
    if "seed" in load:
        load["load_seed"] = load.pop("seed")
    output = configuration.output.model_dump() if configuration.output else None
    prompt = configuration.prompt
    return {**load, **configuration.params, "system": prompt.system, "template": prompt.template, "output": output}


def recommended_by(card: ModelCard) -> dict[str, Any]:
    """The parameters that the file of this model recommends; none for a model without a sound file here."""
    if card.backend != "llamacpp" or card.problem or not card.files:
        return {}
    return recommended(read_header(card.files[0].path).fields)


def recommended(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a GGUF header's fields recommend; what is out of our ranges counts as not said."""
    found = {}
    for key, name in _RECOMMENDED.items():
        value = fields.get(f"general.sampling.{key}")
        if value is None:
            continue
        try:
            found[name] = BY_NAME[name].check(_short(value))
        except BadParameter:
            continue
    return found


def _short(value: Any) -> Any:
    """A float of 32 bits as its maker wrote it: 0.6, not 0.6000000238418579."""
    return float(f"{value:.7g}") if isinstance(value, float) else value
