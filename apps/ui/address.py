"""Values of a page's controls in its address and back: one pair of functions for all pages. Knows no page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Address = Mapping[str, tuple[str, Callable[[str], Any]]]  # name in the address → name of the value, what reads it


def read_address(address: Address, start: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """The values of an address over those to start with; what it says wrongly is left out."""
    found = dict(start)
    for name, (own, read) in address.items():
        if name in query:
            try:
                found[own] = read(query[name])
            except ValueError:
                continue
    return found


def write_address(address: Address, start: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """What the address says of these values: what differs from the start."""
    return {name: str(values[own]) for name, (own, _) in address.items() if values[own] not in (start[own], None)}
