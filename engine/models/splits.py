"""Models of several files, `name-00001-of-00003.gguf`, as llama.cpp writes and loads them. Knows no header."""

from __future__ import annotations

import re
from pathlib import Path

PART = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})$")
PARTS_MAX = 1000


def parts_of(path: Path) -> tuple[Path, ...]:
    """All parts of the model that are there, in order; of a whole file itself."""
    match = PART.match(path.stem)
    if match is None:
        return (path,)
    numbers = range(1, min(int(match["count"]), PARTS_MAX) + 1)
    names = (f"{match['stem']}-{number:05}-of-{match['count']}{path.suffix}" for number in numbers)
    return tuple(part for name in names if (part := path.with_name(name)).is_file()) or (path,)
