"""The keys that tests use, and the look for them when a session ends: no file that the tests left, the traces among
them, and no log may hold one. Knows no test.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# A part of each is enough, and finds one that was cut. Nothing that is no key may contain one of these.
MARKS = (
    "sk-marked",  # gsk-marked too
    "sk-stand-in-0123456789",
    "sk-of-the-machine-0123456789",
    "sk-of-the-student-0123456789",
    "sk-of-somebody",
    "r8_stand-in-0123456789",
    "sk-hidden-1234",
    "sk-teacher",
    "MARKEDkey0123456789",
    "sEcReT-typed-in-by-hand",
    "tvly-0123456789",
    "lsv2_secret",
    "hf_stand_in_0123456789",
)
OWN = ("secrets.toml",)  # people write their keys into it
WEIGHTS = ".gguf"  # hundreds of megabytes, and of no interest
BLOCK = 2**20  # bytes
BLOCKS_MAX = 64  # of one file


def marks_in(text: str) -> list[str]:
    """The keys in it."""
    return [mark for mark in MARKS if mark in text]


def holding(folder: Path) -> list[str]:
    """The files below it that hold a key, each with its keys; not what people write keys into, and no weights."""
    found = []
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names if name not in OWN and WEIGHTS not in name):
            if path.is_file() and not path.is_symlink() and (keys := _kept(path)):
                found.append(f"{path}: {', '.join(keys)}")
    return found


def _kept(path: Path) -> list[str]:
    found, end = set(), ""
    try:
        with path.open("rb") as file:
            for _ in range(BLOCKS_MAX):
                block = file.read(BLOCK).decode("latin-1")
                if not block:
                    break
                found.update(marks_in(end + block))
                end = block[-max(map(len, MARKS)) :]  # a key may lie across two blocks
    except (FileNotFoundError, PermissionError):  # gone by now, or closed by its test
        return []
    return sorted(found)


class Ears(logging.Handler):
    """Hears what is logged, and remembers who logged a key."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember it if it holds a key, its traceback included."""
        self.heard += [f"log of {record.name}: {mark}" for mark in marks_in(self.format(record))]


@pytest.fixture(scope="session", autouse=True)
def no_key_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails when a key lies in a folder of this session, or was logged; each worker of xdist has folders of its own.

    It comes before all other fixtures, and so ends after them.
    """
    ears = Ears()
    logging.getLogger().addHandler(ears)
    yield
    logging.getLogger().removeHandler(ears)
    found = [*ears.heard, *holding(tmp_path_factory.getbasetemp())]
    assert not found, "\n".join(["keys were left by tests of this session:", *found])
