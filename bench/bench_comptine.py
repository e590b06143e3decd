"""A sweep of the rhyme as the suite runs it, against the same sweep run naively: one slot, nothing kept between cells.

Both workers are loaded, with the same file, threads and batch. The seeds are taken in parts, each run both ways, one
after the other, so that drift of the machine is no gain; what is done is written after each part. The goal is half.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bench import stage
from bench.report import publish
from engine.comptine.cell import CellResult
from engine.comptine.grid import Sweep
from engine.comptine.summary import rate
from engine.comptine.sweep import SweepRun
from engine.engine import Engine

VERSES = "5,10,20,30,50,69,100,130,160"
SMALL_VERSES, SMALL_SEEDS = "5,20,50,100", 2  # three minutes, both ways together, on two slow cores


@dataclass(frozen=True)
class Swept:
    """One part of the sweep: `seconds` in all, `cpu` seconds of the worker, prompt tokens read and taken from a cache,
    answer tokens, mean of `strict`.
    """

    way: str
    seeds: str
    seconds: float
    cpu: float
    cells: int
    done: int
    prompt_tokens: int
    cached: int
    answer_tokens: int
    strict: float | None


def main() -> None:
    """Runs both ways, prints the table, writes the JSON."""
    options = _options()
    parts = [range(first, min(first + options.together, options.seeds + 1))
             for first in range(1, options.seeds + 1, options.together)]  # fmt: skip
    began, found = time.monotonic(), list[Swept]()
    with stage.data_folder() as folder, engines(folder, options.slots) as (naive, suite):
        for number, seeds in enumerate(parts):
            spent = time.monotonic() - began
            if number and options.minutes and spent + spent / number > 60 * options.minutes:
                print(f"{len(parts) - number} of {len(parts)} parts are left out: {options.minutes} minutes are over")
                break
            sweep = Sweep.of({"verses": options.verses.split(","), "ranges": [(1, options.last)], "seeds": seeds})
            ways = [("naive", naive), ("suite", suite)]
            for way, engine in ways if number % 2 == 0 else reversed(ways):
                found.append(swept(way, engine, sweep))
                print(found[-1], flush=True)
            _publish(found, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench comptine", description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"verses {SMALL_VERSES} and {SMALL_SEEDS} seeds")
    parser.add_argument("--verses")
    parser.add_argument("--last", type=int, default=10)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--together", type=int, help="seeds of one part (default: all of them)")
    parser.add_argument("--minutes", type=float, help="begin no part that would end later")
    parser.add_argument("--slots", type=int, help="of the suite's way (default: what the settings choose)")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    options.verses = options.verses or (SMALL_VERSES if options.small else VERSES)
    options.seeds = options.seeds or (SMALL_SEEDS if options.small else 5)
    options.together = options.together or options.seeds
    return options


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
    runtime = engine.runtime()
    assert runtime is not None and runtime.pid is not None
    worker = psutil.Process(runtime.pid)
    run = SweepRun(engine, sweep, strict=way == "naive")
    before, started = sum(worker.cpu_times()[:2]), time.perf_counter()
    for step in run:
        _told(f"{way} {step.done}/{step.total}  {step.eta:.0f} s left", step.done == step.total)
    seconds, cpu = time.perf_counter() - started, sum(worker.cpu_times()[:2]) - before
    return _added(way, sweep, (seconds, cpu), list(run.results.values()))


def _told(text: str, last: bool) -> None:
    """One line that is written over at a terminal, a line of its own in a file."""
    watched = sys.stdout.isatty()
    print(f"\r{text}   " if watched else text, end="" if watched and not last else "\n", flush=True)


def _added(way: str, sweep: Sweep, times: tuple[float, float], results: Sequence[CellResult]) -> Swept:
    strict = rate(results, "strict")
    return Swept(
        way=way,
        seeds=" ".join(map(str, sweep.seeds)),
        seconds=times[0],
        cpu=times[1],
        cells=len(results),
        done=sum(result.status == "done" for result in results),
        prompt_tokens=sum(result.prompt_tokens or 0 for result in results),
        cached=sum(result.cached or 0 for result in results),
        answer_tokens=sum(result.completion_tokens or 0 for result in results),
        strict=strict and strict.value,
    )


def _publish(found: Sequence[Swept], folder: Path) -> None:
    """Every part, then both ways in all with what the suite takes of the naive way's time."""
    ways = {way: [one for one in found if one.way == way] for way in ("naive", "suite")}
    sums = {way: (sum(one.seconds for one in parts), sum(one.cpu for one in parts)) for way, parts in ways.items()}
    rows = [
        {"way": way, "seeds": " ".join(one.seeds for one in parts), "cells": sum(one.cells for one in parts),
         "seconds": sums[way][0], "cpu": sums[way][1], "answer_tokens": sum(one.answer_tokens for one in parts),
         "suite / naive": sums["suite"][0] / sums["naive"][0] if way == "suite" else None,
         "cpu / naive": sums["suite"][1] / sums["naive"][1] if way == "suite" else None}
        for way, parts in ways.items()
    ]  # fmt: skip
    publish("comptine", rows, [asdict(one) for one in found], folder)
