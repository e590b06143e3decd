"""What a browser says of the sides: a form as JSON, or an address. It may say anything: all is bounded here, and
checked by the engine. Knows no widget.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.ui import compare
from apps.ui.compare import NAME_MAX, SYSTEM_MAX, Setting, Settings
from apps.ui.controls import Control, controls
from apps.ui.i18n import Language
from engine.compare.side import SIDES_MAX

OWN = ("temperature", "max_tokens", "seed", "top_k", "top_p", "min_p", "repeat_penalty")


def own_controls(lang: Language) -> tuple[Control, ...]:
    """The parameters that a side may have of its own."""
    return controls(lang, OWN)


def told(text: object) -> Settings:
    """The sides that a form tells as JSON; none of what is no form."""
    try:
        data = json.loads(str(text)) if text else []
    except ValueError:
        return ()
    rows = data if isinstance(data, list) else []
    return tuple(_setting(row) for row in rows[:SIDES_MAX] if isinstance(row, dict))


def _setting(row: Mapping[str, Any]) -> Setting:
    given = {name: str(row.get(name) or "") for name in ("model", "other", "system", *OWN)}
    own = {name: given[name].strip()[:NAME_MAX] for name in OWN if given[name].strip()}
    return Setting((given["model"] or given["other"]).strip()[:NAME_MAX], own, given["system"][:SYSTEM_MAX])


def addressed(query: Mapping[str, str]) -> Settings:
    """The sides that an address names; none where it names none."""
    return compare.read(query.get(compare.ADDRESS)) or ()
