"""Whether the files of a repository on the hub can be served here, judged by the card of one of each kind.

The number formats of one model have one shape, so that a single beginning tells the memory of them all. Downloads
nothing else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.models.fit import Fit, fit, fit_of

if TYPE_CHECKING:
    from engine.models.details import Details
    from engine.models.hub import Hub, HubFile, HubRepository
    from engine.settings import Settings

ASKED_MAX = 3  # beginnings that are read for one list: a repository may hold several models


def fits(hub: Hub, repository: HubRepository, settings: Settings, slots: int | None = None) -> dict[str, Fit]:
    """How each file would fit, by its name, with `slots` windows (the settings' when None); rough where no card can be
    read. Raises nothing of the hub's: the list it is for was there.
    """
    cards: dict[str, Details | None] = {}
    found = {}
    for file in repository.files:
        kind = _without_format(file)
        if kind not in cards:
            cards[kind] = _card(hub, repository, file) if len(cards) < ASKED_MAX else None
        card = cards[kind]
        if card is None:
            found[file.name] = fit(file.size_bytes, settings.models_dir)
        else:
            found[file.name] = fit_of(replace(card, size_bytes=file.size_bytes), settings, slots)
    return found


def _card(hub: Hub, repository: HubRepository, file: HubFile) -> Details | None:
    try:
        return hub.details(repository, file)
    except EngineError:
        return None


def _without_format(file: HubFile) -> str:
    """The file's name but for its number format and its number of parts."""
    name = re.sub(r"-\d{5}-of-\d{5}", "", file.name.rpartition("/")[2]).casefold()
    return name.replace((file.quantization or "").casefold(), "")
