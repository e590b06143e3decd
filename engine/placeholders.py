"""Typed variables written in a prompt's text, as Open WebUI writes them: found, described, checked, filled. Knows no
store, no clock and no user; those are arguments.

    {{name}}    {{tone | select:options=["short","long"]:default="short":required}}    {{CURRENT_DATE}}
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal, NoReturn

from engine.errors import BadInput

Kind = Literal["text", "textarea", "number", "select", "checkbox", "date", "time", "file"]
# What Open WebUI has and we ask for in a plainer field.
KINDS: dict[str, Kind] = {
    "text": "text", "textarea": "textarea", "number": "number", "select": "select", "checkbox": "checkbox",
    "date": "date", "time": "time", "file": "file", "choice": "select", "range": "number", "email": "text",
    "tel": "text", "url": "text", "color": "text", "month": "text", "datetime-local": "text", "map": "text",
}  # fmt: skip
SYSTEM = ("CURRENT_DATE", "CURRENT_TIME", "CURRENT_DATETIME", "CURRENT_TIMEZONE", "CURRENT_WEEKDAY", "USER_NAME",
          "USER_LANGUAGE")  # fmt: skip
WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
}
TEXT_MAX = 60_000  # characters of a prompt
VALUE_MAX = 2_000_000  # characters of one value, a file's text included
VARIABLES_MAX = 100

# Both bounded: a quote may hold the beginning of the next place, and a hostile text nothing but beginnings
PLACE_MAX = 3_000  # characters of a variable with its description
_PLACE = re.compile(r'\{\{\s*([^|{}\n"]{1,80})(?:\|((?:"(?:\\.|[^"\\])*+"|[^"{}])*+))?\}\}')
_PROPERTY = re.compile(r':\s*([a-z_]+)\s*(?:=\s*("(?:\\.|[^"\\])*"|\[(?:"(?:\\.|[^"\\])*"|[^]"])*\]|[^:]*))?')


@dataclass(frozen=True)
class Variable:
    """One thing to ask for: `choices` of a select, `low`, `high` and `step` of a number, `default` as it is typed."""

    name: str
    kind: Kind = "text"
    required: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    placeholder: str = ""


def variables(text: str) -> tuple[Variable, ...]:
    """What the text asks for, in its order, each once; system variables are not among them. Raises BadInput.

    Where a name comes twice, its first description holds, wherever it stands.
    """
    if len(text) > TEXT_MAX:
        raise BadInput(f"a prompt has at most {TEXT_MAX} characters", reason="too_long", limit=TEXT_MAX)
    found: dict[str, str | None] = {}
    for name, description in ((match[1].strip(), match[2]) for match in _places(text)):
        if name and name not in SYSTEM and found.get(name) is None:
            found[name] = description
    if len(found) > VARIABLES_MAX:
        raise BadInput(f"a prompt has at most {VARIABLES_MAX} variables", reason="too_many", limit=VARIABLES_MAX)
    return tuple(_described(name, description) for name, description in found.items())


def fill(text: str, values: Mapping[str, Any], *, now: datetime, user: str = "", language: str = "en") -> str:
    """The text with every variable replaced, once: a value that looks like a variable stays as it is.

    A number may be written with a comma; a date or time as ISO 8601; an optional one that is not given becomes
    nothing. Raises BadInput with `variable` and `reason` (required, unknown, not_a_number, too_low, too_high,
    not_a_choice, not_a_date, not_a_time, too_long).
    """
    asked = {variable.name: variable for variable in variables(text)}
    for name in values:
        if name not in asked:
            _refuse(name, "unknown")
    words = {name: _checked(variable, values.get(name)) for name, variable in asked.items()}
    words |= system_values(now, user, language)
    written, position = [], 0
    for match in _places(text):
        written += [text[position : match.start()], words.get(match[1].strip(), match[0])]
        position = match.end()
    return "".join([*written, text[position:]])


def system_values(now: datetime, user: str, language: str) -> dict[str, str]:
    """What the system variables stand for; the weekday is named in the person's language where we know its names."""
    weekdays = WEEKDAYS.get(language[:2].lower(), WEEKDAYS["en"])
    return {
        "CURRENT_DATE": now.strftime("%Y-%m-%d"),
        "CURRENT_TIME": now.strftime("%H:%M:%S"),
        "CURRENT_DATETIME": now.strftime("%Y-%m-%d %H:%M:%S"),
        "CURRENT_TIMEZONE": now.tzname() or "",
        "CURRENT_WEEKDAY": weekdays[now.weekday()],
        "USER_NAME": user,
        "USER_LANGUAGE": language,
    }


def _places(text: str) -> Iterator[re.Match[str]]:
    at = text.find("{{")
    while at >= 0:
        match = _PLACE.match(text, at, at + PLACE_MAX)
        if match is not None:
            yield match
        at = text.find("{{", at + 1 if match is None else match.end())


def _described(name: str, description: str | None) -> Variable:
    word, colon, rest = (description or "text").partition(":")
    kind = KINDS.get(word.strip().lower() or "text")
    if kind is None:
        _refuse(name, "unknown_type", type=word.strip())
    given = _properties(name, colon + rest)
    default = given.get("default")
    variable = Variable(
        name,
        kind,
        required=given.get("required", False) is True,
        default=None if default is None else _plain(default),
        choices=_choices(name, kind, given.get("options")),
        low=_number(name, given.get("min")),
        high=_number(name, given.get("max")),
        step=_number(name, given.get("step")),
        placeholder=_plain(given.get("placeholder", "")),
    )
    if variable.low is not None and variable.high is not None and variable.low > variable.high:
        _refuse(name, "min_above_max")
    if variable.default:
        _checked(variable, variable.default)
    return variable


def _properties(name: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _PROPERTY.match(text, position)
        if match is None:
            _refuse(name, "bad_property", property=text[position : position + 40])
        found[match[1]] = True if match[2] is None else _value(match[2].strip())
        position = match.end()
    return found


def _value(written: str) -> Any:
    """JSON where it is JSON, else the word itself: both `default=5` and `default=high` are seen in the wild."""
    try:
        return json.loads(written, strict=False)
    except (json.JSONDecodeError, RecursionError):
        return written


def _choices(name: str, kind: Kind, options: Any) -> tuple[str, ...]:
    if kind != "select":
        return ()
    if not isinstance(options, list) or not options:
        _refuse(name, "no_options")
    return tuple(dict.fromkeys(_plain(option) for option in options))


def _checked(variable: Variable, value: Any) -> str:
    """The value as it goes into the text; the default, then nothing, where there is none."""
    given = "" if value is None else _plain(value)
    if variable.kind in ("number", "date", "time"):
        given = given.strip()
    if not given.strip():
        given = variable.default or ("false" if variable.kind == "checkbox" else "")
    if variable.required and (not given.strip() or (variable.kind == "checkbox" and given == "false")):
        _refuse(variable.name, "required")
    if len(given) > VALUE_MAX:
        _refuse(variable.name, "too_long", limit=VALUE_MAX)
    if given:
        _check_kind(variable, given)
    return given


def _check_kind(variable: Variable, given: str) -> None:
    if variable.kind == "number":
        _check_range(variable, _number(variable.name, given.replace("\u202f", "").replace(",", ".")) or 0.0)
    elif variable.kind == "select" and given not in variable.choices:
        _refuse(variable.name, "not_a_choice", choices=list(variable.choices))
    elif variable.kind == "checkbox" and given not in ("true", "false"):
        _refuse(variable.name, "not_a_choice", choices=["true", "false"])
    elif variable.kind in ("date", "time"):
        parse = date.fromisoformat if variable.kind == "date" else time.fromisoformat
        try:
            parse(given)
        except ValueError:
            _refuse(variable.name, f"not_a_{variable.kind}")


def _check_range(variable: Variable, number: float) -> None:
    if variable.low is not None and number < variable.low:
        _refuse(variable.name, "too_low", low=_short(variable.low))
    if variable.high is not None and number > variable.high:
        _refuse(variable.name, "too_high", high=_short(variable.high))


def _number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        _refuse(name, "not_a_number")
    return number


def _short(number: float) -> float:
    return int(number) if number.is_integer() else number


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else value.isoformat() if isinstance(value, date | time) else str(value)


def _refuse(variable: str, reason: str, **details: object) -> NoReturn:
    raise BadInput(f"variable {variable!r}: {reason}", variable=variable, reason=reason, **details)
