"""Ids for files on disk: short, each different, and the same again tomorrow. Knows names and places only."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence

from engine.models.discovery import FoundFile

APART = re.compile(r"[\s/\\@]+")  # "/" parts a provider from its model, "@" a model from its instance
DIGITS = 6


def ids_of(files: Sequence[FoundFile], taken: Iterable[str] = ()) -> tuple[str, ...]:
    """One id per file, in their order: its name in small letters; where another has that already, with its source, and
    then with a few digits of its place.
    """
    used = {name.casefold() for name in taken}
    found: list[str] = []
    for file in files:
        plain = APART.sub("-", file.name.casefold()) or "model"
        place = hashlib.sha256(os.fsencode(file.path)).hexdigest()[:DIGITS]
        names = (plain, f"{plain}-{file.source}", f"{plain}-{file.source}-{place}")
        found.append(next((name for name in names if name not in used), f"{names[2]}-{len(used)}"))
        used.add(found[-1])
    return tuple(found)
