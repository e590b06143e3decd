"""Many users at once at one door, and what they felt. Knows no door by name."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from bench.doors import Answer, Asked, Door
from engine.errors import EngineError


@dataclass(frozen=True)
class Level:
    """One door at one number of users: tokens per second of all, first token (median, max; s), slowest/fastest.

    `cpu_share` is the part of all cores' time that the watched process took for itself.
    """

    door: str
    users: int
    tokens_per_s: float
    first_median_s: float | None
    first_max_s: float | None
    slowest_over_fastest: float | None
    cpu_share: float | None
    errors: tuple[str, ...]


def together(asks: Sequence[tuple[Door, Asked]], pause: float = 0) -> list[Answer]:
    """The answers to questions asked at once, or one every `pause` seconds."""
    answers: list[Answer] = [Answer() for _ in asks]

    def one(place: int, door: Door, asked: Asked) -> None:
        answers[place] = ask(door, asked)

    threads = [threading.Thread(target=one, args=(place, *pair)) for place, pair in enumerate(asks)]
    for thread in threads:
        thread.start()
        time.sleep(pause)
    for thread in threads:
        thread.join()
    return answers


def ask(door: Door, asked: Asked) -> Answer:
    """One answer; what went wrong is in it."""
    answer = Answer()
    try:
        answer = door.ask(asked)
    except (EngineError, OSError, RuntimeError, TimeoutError) as error:
        answer.error = repr(error)[:200]
    return answer.end() if answer.error else answer


def level(
    door: Door,
    users: int,
    asked: Callable[[int], Asked],
    count: Callable[[str], int],
    watched: psutil.Process | None = None,
) -> Level:
    """`users` people ask at once, each their own question; tokens are counted in the texts by the model's tokenizer."""
    cpu = _cpu_seconds(watched)
    began = time.perf_counter()
    answers = together([(door, asked(number)) for number in range(users)])
    watched_for = time.perf_counter() - began
    used = None if cpu is None else (_cpu_seconds(watched) or 0) - cpu
    # from the first question to the last text: neither the opening of a page nor what is drawn under the answer
    wall = max(answer.started + answer.total for answer in answers) - min(answer.started for answer in answers)
    good = [answer for answer in answers if not answer.error and answer.first is not None]
    firsts = [answer.first for answer in good if answer.first is not None]
    return Level(
        door=door.name,
        users=users,
        tokens_per_s=sum(count(answer.text) for answer in good) / wall,
        first_median_s=statistics.median(firsts) if firsts else None,
        first_max_s=max(firsts, default=None),
        slowest_over_fastest=max(a.total for a in good) / min(a.total for a in good) if good else None,
        cpu_share=None if used is None else used / watched_for / (psutil.cpu_count() or 1),
        errors=tuple(answer.error for answer in answers if answer.error),
    )


def _cpu_seconds(process: psutil.Process | None) -> float | None:
    if process is None:
        return None
    times = process.cpu_times()
    return float(times.user + times.system)
