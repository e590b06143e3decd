"""What a browser says of the sides: a form as JSON, or an address. It may say anything: all is bounded here, and
checked by the engine. Knows no widget.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.ui import compare
from apps.ui.compare import NAME_MAX, SYSTEM_MAX, Setting, Settings
from engine.compare.side import SIDES_MAX
from engine.params import PARAMS

WRITTEN_MAX = 10_000  # characters of a parameter that is lines of text


def told(text: object) -> Settings:
    """The sides that a form tells as JSON; none of what is no form."""
    try:
        data = json.loads(str(text)) if text else []
    except (ValueError, RecursionError):  # a thousand lists in each other
        return ()
    rows = data if isinstance(data, list) else []
    return tuple(_setting(row) for row in rows[:SIDES_MAX] if isinstance(row, dict))


def _setting(row: Mapping[str, Any]) -> Setting:
    given = {name: str(row.get(name) or "") for name in ("model", "other", "system")}
    own = {param.name: said[:WRITTEN_MAX] for param in PARAMS if (said := str(row.get(param.name) or "")).strip()}
    return Setting((given["model"] or given["other"]).strip()[:NAME_MAX], own, given["system"][:SYSTEM_MAX])


def addressed(query: Mapping[str, str]) -> Settings:
    """The sides that an address names; none where it names none."""
    return compare.read(query.get(compare.ADDRESS)) or ()
