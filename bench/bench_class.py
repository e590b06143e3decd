"""A class at one machine: many people paste a long rhyme while somebody says hi; with our admission and without.

Two cases: one rhyme for everybody, a different one for each. The base is what the bare server needs in the same run:
for one rhyme, to read it once and to write all answers; for different ones, to answer them one after another.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import stage
from bench.doors import Answer, Asked, Door, Engine, Raw
from bench.load import ask, together
from bench.report import publish
from engine.runtime.client import LlamaServer

QUESTION = "Répète uniquement les informations des vers 1 à 30 dans l’ordre."


@dataclass(frozen=True)
class Lesson:
    """What a class felt: seconds of all together, of the first tokens, and of the neighbour's hi."""

    case: str
    door: str
    wall_s: float
    first_median_s: float | None
    first_max_s: float | None
    hi_median_s: float | None
    hi_max_s: float | None
    his: int
    failed: int
    base_s: float | None = None

    def row(self) -> dict[str, object]:
        """The row of the table."""
        ratio = self.wall_s / self.base_s if self.base_s else None
        return {**asdict(self), "wall / one after another": ratio}


def main() -> None:
    """Runs the cases, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench class", description=__doc__)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--different", type=int, default=8)
    parser.add_argument("--verses", type=int, default=160)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--bare", action="store_true", help="the bare server too (minutes)")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    lessons: list[Lesson] = []
    with stage.data_folder() as folder, stage.engine(folder) as shared:
        server = stage.load(shared)
        class_of = [shared.people.join(f"student {n}", "student").id for n in range(options.people)]
        for same in (True, False):
            people = options.people if same else options.different
            for door in ("engine", *(["bare server"] if options.bare else [])):
                case = f"{people} × {'one rhyme' if same else 'different rhymes'}"
                asks = questions(people, same, options.verses, options.tokens, f"{door}{same}")
                base = alone(server, asks, same, options.tokens)
                doors: list[Door] = [Engine(shared.model(), person) for person in class_of]
                if door != "engine":
                    doors = [Raw(server, name=door)] * people
                pairs = list(zip(doors, asks, strict=False))
                lessons.append(lesson(case, pairs, base, 10 / people if same else 0))
                print(lessons[-1], flush=True)
    publish("class", [one.row() for one in lessons], [asdict(one) for one in lessons], options.out)


def questions(people: int, same: bool, verses: int, tokens: int, name: str) -> list[Asked]:
    """One question for each person; `name` makes the rhymes new to the server."""
    return [
        Asked(f"{stage.rhyme(verses, name if same else f'{name} {person}')}\n\n{QUESTION}", person, tokens)
        for person in range(people)
    ]


def alone(server: LlamaServer, asks: list[Asked], same: bool, tokens: int) -> float:
    """Seconds that the bare server needs for the distinct tokens of this case."""
    others = [Asked(asked.question.replace("carnet", "cahier"), asked.seed, tokens) for asked in asks]
    erase(server)
    if not same:
        return sum(ask(Raw(server), asked).total for asked in others)
    return ask(Raw(server), Asked(others[0].question, 0, 1)).total + writing(server, asks, tokens)


def writing(server: LlamaServer, asks: list[Asked], tokens: int) -> float:
    """Seconds of the answers alone, on short prompts: what batched decoding costs at this number of people."""
    short = [(Raw(server), Asked(f"Tell me a story about number {n}.", n, tokens)) for n, _ in enumerate(asks)]
    started = time.perf_counter()
    together(short)
    return time.perf_counter() - started


def erase(server: LlamaServer) -> None:
    """Forget what the slots hold."""
    for slot in server.get("/slots"):
        server.post(f"/slots/{slot['id']}?action=erase", {})


def lesson(case: str, asks: list[tuple[Door, Asked]], base: float, pause: float) -> Lesson:
    """One lesson: everybody pastes, one every `pause` seconds; a neighbour says hi every five."""
    his: list[Answer] = []
    door = asks[-1][0]
    over = threading.Event()
    neighbour = threading.Thread(target=_say_hi, args=(door, his, over.wait))
    started = time.perf_counter()
    neighbour.start()
    answers = together(asks, pause)
    wall = time.perf_counter() - started
    over.set()
    neighbour.join()
    firsts = [answer.first for answer in answers if answer.first]
    greeted = [answer.first for answer in his if answer.first]
    return Lesson(
        case, door.name, wall,
        statistics.median(firsts) if firsts else None, max(firsts, default=None),
        statistics.median(greeted) if greeted else None, max(greeted, default=None),
        len(his), sum(bool(answer.error) for answer in [*answers, *his]), base,
    )  # fmt: skip


def _say_hi(door: Door, his: list[Answer], over: Callable[[float], bool]) -> None:
    while not over(5):
        his.append(ask(door, Asked(f"hi {len(his)}", len(his), 16)))
