"""The form in which the teacher types an endpoint: a row as what its fields hold, and their texts as a row's fields.

Knows no widget and no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from apps.ui.i18n import Words
from engine.params import BY_NAME
from engine.providers import Provider, Quirk, TokenField, providers
from engine.types import CAPABILITIES

NO_KIND = ""  # of no known kind, or, where a row is changed, of the kind that it is
WINDOW_MIN, WINDOW_MAX = 64, 4_194_304  # tokens


@dataclass(frozen=True)
class Form:
    """What the fields hold: `urls` one a line, `like` the id of a known row, `variable` the name of the key's
    variable, `window` in tokens. The last five say what it takes; all of them empty is: as its kind, or as it was.
    """

    id: str = ""
    name: str = ""
    urls: str = ""
    like: str = NO_KIND
    variable: str = ""
    window: int | None = None
    students: bool = False
    params: tuple[str, ...] = ()
    token_field: str = ""
    quirks: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    price: str = ""

    @classmethod
    def of(cls, row: Provider) -> Form:
        """The row, to be changed."""
        urls = "\n".join((row.base_url, *row.addresses))
        own = (
            tuple(sorted(row.params & BY_NAME.keys())),
            row.token_field,
            tuple(sorted(row.quirks)),
            tuple(sorted(row.capabilities)),
        )
        return cls(row.id, row.name, urls, NO_KIND, row.key_env or "", row.window, row.students, *own, row.price or "")

    def fields(self) -> dict[str, Any]:
        """For `Endpoints.add`: what is empty here is empty there; a name and a kind only where there is one."""
        first, *others = [line.strip() for line in self.urls.splitlines() if line.strip()] or [""]
        told = {"name": self.name.strip(), "like": self.like}
        return {
            **{name: text for name, text in told.items() if text},
            "id": self.id.strip(),
            "base_url": first,
            "addresses": tuple(others),
            "key_env": self.variable.strip(),
            "window": "" if self.window is None else self.window,
            "students": self.students,
            **self._nature(),
        }

    def _nature(self) -> dict[str, Any]:
        """What it takes and how; nothing where nothing of it is filled in, or where another row is to give it."""
        told = {
            "params": list(self.params), "token_field": self.token_field, "quirks": list(self.quirks),
            "capabilities": list(self.capabilities), "price": self.price.strip(),
        }  # fmt: skip
        if self.like or not any(told.values()):
            return {}
        return {name: value for name, value in told.items() if name != "token_field" or value}


def kinds(words: Words) -> dict[str, str]:
    """What may be chosen as `like`: ids with the words for them."""
    return {NO_KIND: words.t("models_endpoint.like_none")} | {row.id: row.name for row in providers().values()}


def params(words: Words) -> dict[str, str]:
    """Parameters that an endpoint may take: names with the words for them."""
    return {name: words.t(BY_NAME[name].label_key) for name in sorted(BY_NAME)}


def token_fields(words: Words) -> dict[str, str]:
    """How the bound of an answer may be spelled."""
    return {"": words.t("models_row.as_kind")} | {name: name for name in get_args(TokenField)}


def quirks(words: Words) -> dict[str, str]:
    """What is peculiar to some servers."""
    return {name: words.t(f"models_quirk.{name}") for name in get_args(Quirk)}


def capabilities(words: Words) -> dict[str, str]:
    """What a server may be able to do."""
    return {name: words.t(f"capability.{name}") for name in CAPABILITIES}


def row_head(words: Words) -> tuple[str, ...]:
    """The titles of `row_rows`."""
    return words.t("models_card.fact"), words.t("models_card.value")


def row_rows(row: Provider, words: Words) -> list[tuple[str, ...]]:
    """What an endpoint takes and how, a row each."""
    none = words.t("unit.unknown")
    named = {
        "params": _named(row.params, params(words)),
        "token_field": row.token_field,
        "capabilities": _named(row.capabilities, capabilities(words)),
        "quirks": _named(row.quirks, quirks(words)),
        "price": words.t("models_row.free") if row.price == "local" else row.price or none,
    }
    return [(words.t(f"models_row.{name}"), value or none) for name, value in named.items()]


def _named(chosen: Iterable[str], known: Mapping[str, str]) -> str:
    return ", ".join(known.get(name, name) for name in sorted(chosen))
