"""Functions that behave badly, for the sandbox."""

from __future__ import annotations

import time
from typing import Any

from engine.errors import BadInput


def twice(text: str) -> str:
    return text * 2


def refuse() -> None:
    raise BadInput("no such luck")


def stumble() -> float:
    return 1 / 0


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(600)


def eat() -> int:
    return len(bytes(2**30))


def talk() -> str:
    return "a" * 2000


def descend() -> Any:
    return descend()
