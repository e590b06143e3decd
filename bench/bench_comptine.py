"""A sweep of the rhyme as the suite runs it, against the same sweep run naively: one slot, nothing kept between cells.

Both workers are loaded, with the same file, threads and batch; the rounds alternate. The goal is half of the time.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import stage
from bench.report import publish, ratios
from engine.comptine.cell import CellResult
from engine.comptine.grid import Sweep
from engine.comptine.summary import rate
from engine.comptine.sweep import SweepRun
from engine.engine import Engine

VERSES = "5,10,20,30,50,69,100,130,160"


@dataclass(frozen=True)
class Swept:
    """One sweep: `seconds` in all, prompt tokens read and taken from a cache, answer tokens, mean of `strict`."""

    way: str
    seconds: float
    cells: int
    done: int
    prompt_tokens: int
    cached: int
    answer_tokens: int
    strict: float | None


def main() -> None:
    """Runs both ways, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench comptine", description=__doc__)
    parser.add_argument("--verses", default=VERSES)
    parser.add_argument("--last", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--slots", type=int, help="of the suite's way (default: what the settings choose)")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    sweep = Sweep.of({
        "verses": options.verses.split(","), "ranges": [(1, options.last)], "seeds": range(1, options.seeds + 1)
    })  # fmt: skip
    found: dict[str, list[Swept]] = {"naive": [], "suite": []}
    with stage.data_folder() as folder, engines(folder, options.slots) as (naive, suite):
        for number in range(options.rounds):
            ways = [("naive", naive), ("suite", suite)]
            for way, engine in ways if number % 2 == 0 else reversed(ways):
                found[way].append(swept(way, engine, sweep))
                print(found[way][-1], flush=True)
    ratio = ratios([one.seconds for one in found["suite"]], [one.seconds for one in found["naive"]])
    rows = [{**asdict(one), "suite / naive": ratio if way == "suite" else None} for way in found for one in found[way]]
    publish("comptine", rows, [asdict(one) for way in found for one in found[way]], options.out)


@contextlib.contextmanager
def engines(folder: Path, slots: int | None) -> Iterator[tuple[Engine, Engine]]:
    """The naive one (one slot, no saved prefixes) and the suite's, both loaded, in data folders of their own."""
    more = {} if slots is None else {"slots": slots}
    with (
        stage.engine(folder / "naive", slots=1, strict_reproducibility=True) as naive,
        stage.engine(folder / "suite", **more) as suite,
    ):
        yield naive, suite


def swept(way: str, engine: Engine, sweep: Sweep) -> Swept:
    """One sweep with that engine, its worker fresh: no slot and no saved state knows a prompt."""
    engine.unload(engine.model().card.id)
    stage.load(engine)
    run = SweepRun(engine, sweep, strict=way == "naive")
    started = time.perf_counter()
    for step in run:
        print(f"\r{way} {step.done}/{step.total}  {step.eta:.0f} s left   ", end="", flush=True)
    print()
    return _added(way, time.perf_counter() - started, list(run.results.values()))


def _added(way: str, seconds: float, results: Sequence[CellResult]) -> Swept:
    strict = rate(results, "strict")
    return Swept(
        way=way,
        seconds=seconds,
        cells=len(results),
        done=sum(result.status == "done" for result in results),
        prompt_tokens=sum(result.prompt_tokens or 0 for result in results),
        cached=sum(result.cached or 0 for result in results),
        answer_tokens=sum(result.completion_tokens or 0 for result in results),
        strict=strict and strict.value,
    )
