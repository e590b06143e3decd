"""Interface words in the reader's language: catalogues, numbers, units. Knows no widget and no framework."""

from __future__ import annotations

import functools
import string
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT: Language = "en"  # for readers of neither language

NARROW, WIDE = "\u202f", "\u00a0"  # the no-break spaces of French groups of digits and of units
_KEYBOARD = str.maketrans({NARROW: " ", WIDE: " ", "’": "'"})
_LOCALES = Path(__file__).parent / "locales"
_SEPARATORS: Mapping[Language, tuple[str, str]] = {"fr": (NARROW, ","), "en": (",", ".")}
_BYTE_UNITS: Mapping[Language, tuple[str, ...]] = {
    "fr": ("o", "ko", "Mo", "Go", "To"),
    "en": ("B", "kB", "MB", "GB", "TB"),
}


@functools.cache
def catalogue(lang: Language) -> Mapping[str, str]:
    """Every text of one language under its dotted key. Raises KeyError for an unknown language."""
    if lang not in LANGUAGES:
        raise KeyError(lang)
    return dict(_flat(tomllib.loads((_LOCALES / f"{lang}.toml").read_text(encoding="utf-8"))))


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in table.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", value)]
    return rows


def choose(wanted: str | None) -> Language:
    """The first of our languages that a locale ("fr-CH") or an Accept-Language header asks for, else English."""
    ranked = sorted((_weighted(part) for part in (wanted or "").split(",") if part.strip()), key=lambda pair: -pair[0])
    for weight, name in ranked:
        if weight > 0 and name in LANGUAGES:
            return name
    return DEFAULT


def _weighted(part: str) -> tuple[float, str]:
    name, _, quality = part.strip().partition(";")
    try:
        weight = float(quality.strip().removeprefix("q=") or 1)
    except ValueError:
        weight = 0.0
    return weight, name.strip().lower().replace("_", "-").split("-")[0]


def number(value: float, lang: Language, digits: int = 0) -> str:
    """The number with `digits` decimals: 1 234,5 in French, 1,234.5 in English."""
    group, point = _SEPARATORS[lang]
    return f"{value:,.{digits}f}".translate({ord(","): group, ord("."): point})


class _Formatter(string.Formatter):
    """Placeholders whose numbers are written in the reader's language; `{x:2}` asks for two decimals, `{x!s}` for none
    of this.
    """

    def __init__(self, lang: Language) -> None:
        self.lang = lang

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs[str(key)]

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return number(value, self.lang, int(format_spec or 0))
        return str(value)


class Words:
    """The texts of one language. Asking for a key that is not there raises KeyError, a missing placeholder too."""

    def __init__(self, lang: Language) -> None:
        self.lang: Language = lang
        self._texts = catalogue(lang)
        self._formatter = _Formatter(lang)

    def t(self, key: str, **values: Any) -> str:
        """The text under `key`, its placeholders filled."""
        return self._formatter.vformat(self._texts[key], (), values)

    def typed(self, key: str) -> str:
        """The text under `key` as a keyboard would write it: what is sent to a model has no typographer's signs."""
        return self.t(key).translate(_KEYBOARD)

    def filled(self, key: str, values: Mapping[str, Any]) -> str:
        """The text under `key`, its placeholders looked up in `values`, which may answer for unknown names."""
        return self._formatter.vformat(self._texts[key], (), values)

    def n(self, key: str, count: int, **values: Any) -> str:
        """The text under `key.one` or `key.other`, whichever the grammar wants for `count`."""
        one = count in (0, 1) if self.lang == "fr" else count == 1
        return self.t(f"{key}.{'one' if one else 'other'}", count=count, **values)

    def has(self, key: str) -> bool:
        """Whether the catalogue holds `key`."""
        return key in self._texts

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number with `digits` decimals; a dash where it is unknown."""
        return self.t("unit.unknown") if value is None else number(value, self.lang, digits)

    def seconds(self, value: float | None) -> str:
        """A duration with the digits it deserves: 0.26 s, 12.3 s, 3 min 05 s."""
        if value is None:
            return self.t("unit.unknown")
        if value >= 120:
            minutes, rest = divmod(round(value), 60)
            return f"{self.number(minutes)}{WIDE}min{WIDE}{rest:02d}{WIDE}s"
        return f"{self.number(value, 2 if value < 10 else 1 if value < 60 else 0)}{WIDE}s"

    def rate(self, value: float | None) -> str:
        """Tokens per second, three significant digits at most."""
        if value is None:
            return f"{self.t('unit.unknown')}{WIDE}tok/s"
        return f"{self.number(value, 2 if value < 1 else 1 if value < 20 else 0)}{WIDE}tok/s"

    def size(self, count: int | None) -> str:
        """A file's or a memory's size in decimal units: 138 MB, 1.2 GB."""
        if count is None:
            return self.t("unit.unknown")
        value, units = float(count), _BYTE_UNITS[self.lang]
        power = 0
        while value >= 999.5 and power < len(units) - 1:
            value, power = value / 1000, power + 1
        return f"{self.number(value, 1 if power and value < 10 else 0)}{WIDE}{units[power]}"


@functools.cache
def words(lang: Language) -> Words:
    """The one `Words` of a language."""
    return Words(lang)
