"""The form in which the teacher types an endpoint: a row as what its fields hold, and their texts as a row's fields.

Knows no widget and no key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.ui.i18n import Words
from engine.providers import Provider, providers

NO_KIND = ""  # of no known kind, or, where a row is changed, of the kind that it is
WINDOW_MIN, WINDOW_MAX = 64, 4_194_304  # tokens


@dataclass(frozen=True)
class Form:
    """What the fields hold: `urls` one a line, `like` the id of a known row, `variable` the name of the key's
    variable, `window` in tokens.
    """

    id: str = ""
    name: str = ""
    urls: str = ""
    like: str = NO_KIND
    variable: str = ""
    window: int | None = None
    students: bool = False

    @classmethod
    def of(cls, row: Provider) -> Form:
        """The row, to be changed."""
        urls = "\n".join((row.base_url, *row.addresses))
        return cls(row.id, row.name, urls, NO_KIND, row.key_env or "", row.window, row.students)

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
        }


def kinds(words: Words) -> dict[str, str]:
    """What may be chosen as `like`: ids with the words for them."""
    return {NO_KIND: words.t("models_endpoint.like_none")} | {row.id: row.name for row in providers().values()}
