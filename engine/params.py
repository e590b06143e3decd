"""The inference parameters, declared once: sliders, validation, CLI flags and request bodies derive from this table.
Knows no widget.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import BadParameter

Kind = Literal["float", "int", "choice", "lines", "text"]
Group = Literal["basic", "sampling", "penalties", "chain", "output"]


@dataclass(frozen=True)
class Param:
    """One parameter: `name` as llama.cpp's server spells it, its default, closed range and step; `help_key` names its
    sentence.

    `default` None means "leave it to the backend"; `openai` is the field's name on OpenAI-style routes, None where they
    have none. A `rare` one is sent only when it differs from its default, which is the server's own; `choices` of kind
    "lines" are the words that a line may be.
    """

    name: str
    kind: Kind
    default: Any
    low: float | None = None
    high: float | None = None
    step: float | None = None
    group: Group = "sampling"
    choices: tuple[str, ...] = ()
    openai: str | None = None
    rare: bool = False

    @property
    def help_key(self) -> str:
        """Key of the one-line explanation in the catalogues."""
        return f"param.{self.name}.help"

    @property
    def label_key(self) -> str:
        """Key of the label in the catalogues."""
        return f"param.{self.name}.label"

    @property
    def accepted(self) -> str:
        """What it takes, in English, such as "a number from 0 to 2"."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.choices:
            return "some of " + ", ".join(self.choices) + ", each once"
        if self.kind in ("lines", "text"):
            return "text"
        number = "a number" if self.kind == "float" else "a whole number"
        return f"{number} from {self.low:.10g} to {self.high:.10g}"

    def check(self, value: Any) -> Any:
        """The value in its own type. Raises BadParameter with name, value and range."""
        if value is None:
            return None
        try:
            return self._converted(value)
        except (TypeError, ValueError, OverflowError) as error:  # int(inf) overflows
            raise BadParameter(
                f"{self.name} takes {self.accepted}, not {value!r}",
                name=self.name,
                value=str(value),
                low=self.low,
                high=self.high,
            ) from error

    def sent(self, value: Any) -> bool:
        """Whether a body names it: not where it is left to the backend, nor a rare one at its default."""
        return value is not None and value != () and not (self.rare and value == self.default)

    def _words(self, value: Any) -> tuple[str, ...]:
        words = tuple(word for line in _lines(value) for word in re.split(r"[\s,;]+", line) if word)
        if len(set(words)) < len(words) or not set(words) <= set(self.choices):
            raise ValueError(value)
        return words

    def _converted(self, value: Any) -> Any:
        if self.kind == "lines":
            return self._words(value) if self.choices else _lines(value)
        if self.kind == "text":
            return str(value)
        if self.kind == "choice":
            if value not in self.choices:
                raise ValueError(value)
            return value
        if isinstance(value, bool):
            raise TypeError(value)
        number = float(value)
        if self.kind == "int":
            if number != int(number):
                raise ValueError(value)
            number = int(number)
        inside = (self.low is None or number >= self.low) and (self.high is None or number <= self.high)
        if not inside:  # NaN is inside nothing
            raise ValueError(value)
        return number


# In llama.cpp's own order, which is its default
SAMPLERS = ("penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature")

# Defaults are llama.cpp's (tools/server/README.md), except temperature 0.7 of the course sheet and a bounded answer.
PARAMS: tuple[Param, ...] = (
    Param("temperature", "float", 0.7, 0.0, 2.0, 0.05, "basic", openai="temperature"),
    Param("max_tokens", "int", 512, -1, 131072, 1, "basic", openai="max_tokens"),
    Param("seed", "int", None, 0, 2**32 - 2, 1, "basic", openai="seed"),
    Param("top_k", "int", 40, 0, 1000, 1, "sampling"),
    Param("top_p", "float", 0.95, 0.0, 1.0, 0.01, "sampling", openai="top_p"),
    Param("min_p", "float", 0.05, 0.0, 1.0, 0.01, "sampling"),
    Param("typical_p", "float", 1.0, 0.0, 1.0, 0.01, "sampling"),
    Param("top_n_sigma", "float", -1.0, -1.0, 10.0, 0.1, "sampling", rare=True),
    Param("xtc_probability", "float", 0.0, 0.0, 1.0, 0.01, "sampling", rare=True),
    Param("xtc_threshold", "float", 0.1, 0.0, 1.0, 0.01, "sampling", rare=True),
    Param("repeat_penalty", "float", 1.0, 0.5, 2.0, 0.01, "penalties"),
    Param("repeat_last_n", "int", 64, 0, 131072, 1, "penalties"),
    Param("presence_penalty", "float", 0.0, -2.0, 2.0, 0.1, "penalties", openai="presence_penalty"),
    Param("frequency_penalty", "float", 0.0, -2.0, 2.0, 0.1, "penalties", openai="frequency_penalty"),
    Param("dry_multiplier", "float", 0.0, 0.0, 5.0, 0.05, "penalties", rare=True),
    Param("dry_base", "float", 1.75, 1.0, 4.0, 0.05, "penalties", rare=True),
    Param("dry_allowed_length", "int", 2, 0, 100, 1, "penalties", rare=True),
    Param("dry_penalty_last_n", "int", 64, 0, 131072, 1, "penalties", rare=True),
    Param("dynatemp_range", "float", 0.0, 0.0, 2.0, 0.05, "chain", rare=True),
    Param("dynatemp_exponent", "float", 1.0, 0.0, 5.0, 0.1, "chain", rare=True),
    Param("mirostat", "int", 0, 0, 2, 1, "chain", rare=True),
    Param("mirostat_tau", "float", 5.0, 0.0, 20.0, 0.1, "chain", rare=True),
    Param("mirostat_eta", "float", 0.1, 0.0, 1.0, 0.01, "chain", rare=True),
    Param("samplers", "lines", (), group="chain", choices=SAMPLERS, rare=True),
    Param("stop", "lines", (), group="output", openai="stop"),
)
BY_NAME: Mapping[str, Param] = {param.name: param for param in PARAMS}

MAX_SEED = 2**32 - 2  # llama.cpp reads 2**32 - 1 as "random"


def random_seed() -> int:
    """A seed in [0, 2**32 - 2], drawn by the system."""
    return random.SystemRandom().randint(0, MAX_SEED)


class Params(Mapping[str, Any]):
    """A checked, immutable set of parameter values; what is absent has its default.

    `given` are the names that were said, at whatever value: the others leave the choice to a model's configuration.
    Raises BadParameter for an unknown name or a value outside the declared range.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        given = {**(values or {}), **more}
        for name in given:
            if name not in BY_NAME:
                raise BadParameter(f"unknown parameter {name}", name=name, value=str(given[name]), low=None, high=None)
        self._values = {param.name: param.check(given.get(param.name, param.default)) for param in PARAMS}
        self.given = frozenset(name for name, value in given.items() if value is not None)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return f"Params({self.changed()})"

    def replace(self, **changes: Any) -> Params:
        """A copy with some values changed. Raises BadParameter."""
        return Params({**self._said(), **changes})

    def over(self, defaults: Mapping[str, Any]) -> Params:
        """A copy in which `defaults` stand where nothing was said. Raises BadParameter."""
        return Params({**defaults, **self._said()}) if defaults else self

    def apart(self, defaults: Mapping[str, Any]) -> Params:
        """Only what was said and is neither in `defaults` so nor, where these are silent, our own default."""
        start = {name: param.default for name, param in BY_NAME.items()} | dict(defaults)
        return Params({name: value for name, value in self._said().items() if _plain(value) != _plain(start[name])})

    def seeded(self) -> Params:
        """A copy whose seed is a number, the given one or a fresh random one, so that it can be shown and repeated."""
        return self if self["seed"] is not None else self.replace(seed=random_seed())

    def changed(self) -> dict[str, Any]:
        """Only the values that differ from their defaults."""
        return {name: value for name, value in self._values.items() if value != BY_NAME[name].default}

    def to_llamacpp(self) -> dict[str, Any]:
        """The request fields of llama.cpp's server; absent where the server's own default is meant."""
        return {name: _plain(value) for name, value in self._values.items() if BY_NAME[name].sent(value)}

    def to_openai(self) -> dict[str, Any]:
        """The request fields that every OpenAI-style route knows; `max_tokens` -1 (no limit) is left out."""
        fields = {
            param.openai: _plain(self._values[param.name])
            for param in PARAMS
            if param.openai and param.sent(self._values[param.name])
        }
        if fields.get("max_tokens") == -1:
            del fields["max_tokens"]
        return fields

    def _said(self) -> dict[str, Any]:
        return {name: self._values[name] for name in self.given}


def _lines(value: Any) -> tuple[str, ...]:
    lines = value.splitlines() if isinstance(value, str) else value
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        raise TypeError(value)
    return tuple(line for line in lines if line)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
