"""What one of Replicate's models takes, as a form: fields with kinds, bounds, choices and defaults, from the model's
own OpenAPI schema. Knows no widget and no connection.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engine.errors import BadParameter

if TYPE_CHECKING:
    from engine.backends.replicate_api import Described

Kind = Literal["text", "lines", "integer", "number", "boolean", "choice", "file", "texts"]
Number = int | float

FIELDS_MAX = 60
TEXT_MAX = 20_000  # characters of one value
CHOICES_MAX = 500
DATA_MAX = 12 * 2**20  # characters of a file that is sent along
TOLD_MAX = 600  # characters of a description
LISTS_MAX = 50
BOUND_MAX = 1e15  # a larger one bounds nothing, and no widget can hold it
LONG = ("prompt", "negative_prompt", "text", "system_prompt")  # texts of several lines
MEDIA = ("image/", "audio/", "video/", "application/pdf")


@dataclass(frozen=True)
class Field:
    """One input: `low` and `high` are bounds, both allowed; `default` is the model's own, None where it has none."""

    name: str
    label: str
    kind: Kind
    help: str = ""
    default: Any = None
    low: Number | None = None
    high: Number | None = None
    choices: tuple[str | Number, ...] = ()
    required: bool = False

    def value(self, given: Any) -> Any:
        """What goes into the input for what somebody gave; None: nothing, the model takes its own. Raises BadParameter.

        A file is an https address or a data: URL.
        """
        if given is None or given == "" or given == []:
            if self.required:
                raise self._refused(given)
            return None
        return _READ[self.kind](self, given)

    def _refused(self, given: Any) -> BadParameter:
        shown = given if isinstance(given, int | float | bool) else str(given)[:80]
        return BadParameter(f"{self.name} cannot be {shown!r}", name=self.name, value=shown, low=self.low,
                            high=self.high)  # fmt: skip

    def _text(self, given: Any) -> str:
        if not isinstance(given, str) or len(given) > TEXT_MAX:
            raise self._refused(given)
        return given

    def _number(self, given: Any) -> Number:
        try:
            told = float(given)
        except (TypeError, ValueError, OverflowError) as error:
            raise self._refused(given) from error
        low, high = self.low if self.low is not None else -math.inf, self.high if self.high is not None else math.inf
        if isinstance(given, bool) or not math.isfinite(told) or not low <= told <= high:
            raise self._refused(given)
        if self.kind != "integer":
            return told
        if told != int(told):
            raise self._refused(given)
        return given if isinstance(given, int) else int(told)

    def _boolean(self, given: Any) -> bool:
        if isinstance(given, str) and given.lower() in ("true", "false"):
            return given.lower() == "true"
        if not isinstance(given, bool):
            raise self._refused(given)
        return given

    def _choice(self, given: Any) -> str | Number:
        found = next((one for one in self.choices if one == given or str(one) == str(given)), None)
        if found is None:
            raise self._refused(given)
        return found

    def _file(self, given: Any) -> str:
        told = str(given).strip()
        data = told.startswith("data:") and told[5:].startswith(MEDIA) and len(told) <= DATA_MAX
        if not data and not (told.startswith("https://") and len(told) <= 2000 and told.isprintable()):
            raise self._refused(given)
        return told

    def _texts(self, given: Any) -> list[str]:
        told = [one.strip() for one in given.splitlines() if one.strip()] if isinstance(given, str) else given
        if not isinstance(told, list) or len(told) > LISTS_MAX:
            raise self._refused(given)
        return [self._text(one) for one in told]


_READ = {
    "text": Field._text,
    "lines": Field._text,
    "integer": Field._number,
    "number": Field._number,
    "boolean": Field._boolean,
    "choice": Field._choice,
    "file": Field._file,
    "texts": Field._texts,
}


def form_of(described: Described) -> tuple[Field, ...]:
    """The fields in the model's own order, what it requires first. What no form can hold (an object) is left out, and
    so is a secret: nobody's key is typed into a model's input.
    """
    fields = [field for name, row in described.inputs.items() if (field := _field(name, row, described)) is not None]
    return tuple(sorted(fields, key=lambda field: not field.required))[:FIELDS_MAX]


def input_of(fields: tuple[Field, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a prediction; what stands at the model's default is left out. Raises BadParameter for a value that
    the model would refuse, and for a name that it does not have.
    """
    known = {field.name: field for field in fields}
    for name in given:
        if name not in known:
            raise BadParameter(f"the model has no input {str(name)[:80]!r}", name=str(name)[:80], value=None, low=None,
                               high=None)  # fmt: skip
    return dict(_values(fields, given))


def _values(fields: tuple[Field, ...], given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field in fields:
        value = field.value(given.get(field.name, field.default if field.required else None))
        if value is not None and (field.required or value != field.default):
            yield field.name, value


def _field(name: str, row: Mapping[str, Any], described: Described) -> Field | None:
    choices = tuple(one for one in _list(row.get("enum")) if isinstance(one, str | int | float))[:CHOICES_MAX]
    kind = "choice" if choices else _kind(name, row)
    if kind is None or not name or len(name) > 80:
        return None
    default = row.get("default")
    field = Field(
        name,
        _said(row.get("title"))[:80] or name,
        kind,
        _said(row.get("description"))[:TOLD_MAX],
        low=_bound(row.get("minimum")),
        high=_bound(row.get("maximum")),
        choices=choices,
        required=name in described.required,
    )
    try:
        kept = None if default is None or default == "" else field.value(default)
    except BadParameter:  # a default that the schema itself does not allow
        kept = None
    return _with(field, kept)


def _with(field: Field, default: Any) -> Field:
    if default is None and field.kind == "choice" and field.required:
        default = field.choices[0]
    return Field(**{**vars(field), "default": default})


def _kind(name: str, row: Mapping[str, Any]) -> Kind | None:
    told, form = row.get("type", "string"), row.get("format")
    if told == "string":
        if form == "uri":
            return "file"
        if form == "password" or row.get("x-cog-secret"):
            return None
        return "lines" if name in LONG else "text"
    if told == "array":
        items = row.get("items")
        plain = isinstance(items, dict) and items.get("type") == "string" and "format" not in items
        return "texts" if plain else None
    kinds: dict[Any, Kind] = {"integer": "integer", "number": "number", "boolean": "boolean"}
    return kinds.get(told) if isinstance(told, str) else None


def _bound(value: Any) -> Number | None:
    right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < BOUND_MAX
    return value if right else None  # NaN is less than nothing


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _said(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
