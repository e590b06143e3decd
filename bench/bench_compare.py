"""Three sides at once: the local model, an LM Studio and a Replicate with a cold start of 2 s, both loopback stand-ins.

Each side's time to the first token against the stand-in's own clock, and the local side's tokens/s with and without the
two others, in alternation.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import stage
from bench.report import median, publish, ratios
from engine.compare import Comparison, Side, SideView
from engine.engine import Engine
from engine.params import Params
from engine.providers import provider
from tests.standins.replicate_server import KEY

SIDES = ("local", "lmstudio", "replicate")
FAR = ("lmstudio/plain", "replicate/meta/plain")
QUESTION = "Tell me a long story about number {number}, with many details."
LIMITS = {"first token (s)": 0.03, "local tok/s": 0.05}


def main() -> int:
    """Runs the rounds, prints the table, writes the JSON; exit code 1 with `--check` where a limit is passed."""
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--check", action="store_true", help="exit 1 above 30 ms or 5 %%")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    with stage.data_folder() as folder, standins() as (addresses, clocks):
        os.environ |= {"REPLICATE_BASE_URL": addresses["replicate"], "REPLICATE_API_TOKEN": KEY}
        with stage.engine(folder) as engine:
            engine.catalog.add(provider("lmstudio").model_copy(update={"base_url": addresses["lmstudio"]}))
            rounds = [_round(engine, number, options.tokens, clocks) for number in range(options.rounds + 1)]
    told = rows(rounds[1:])  # the first one warms connections, imports and what a model takes
    publish("compare", told, rounds, options.out)
    worst = [row["side"] for row in told if row["late"] is not None and row["late"] > LIMITS["first token (s)"]]
    slower = [row["side"] for row in told if row["ratio"] is not None and row["ratio"] < 1 - LIMITS["local tok/s"]]
    print("within 30 ms and 5 %" if not (worst or slower) else f"above the limits: {', '.join(worst + slower)}")
    return int(options.check and bool(worst or slower))


@contextlib.contextmanager
def standins() -> Iterator[tuple[dict[str, str], Callable[[], dict[str, float]]]]:
    """Addresses of the stand-ins, and what asks them for their clocks: seconds to the first word of their last
    answers.
    """
    command = [sys.executable, "-m", "bench.standins"]
    process = subprocess.Popen(command, cwd=stage.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    told, asked = process.stdout, process.stdin

    def clocks() -> dict[str, float]:
        asked.write("\n")
        asked.flush()
        found: dict[str, float] = json.loads(told.readline())
        return found

    try:
        yield json.loads(told.readline()), clocks
    finally:
        asked.close()
        process.wait(30)


def _round(engine: Engine, number: int, tokens: int, clocks: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """Alone, then all three, or the other way round: every second time."""
    local = Side(engine.model().card.id, Params(max_tokens=tokens, temperature=0.0, stop=("\n\n\n\n",)))
    found: dict[str, Any] = {}
    for alone in (True, False) if number % 2 else (False, True):
        # "alone" is beside an echo that ends at once: a comparison has two sides
        others = [Side("echo")] if alone else [Side(model) for model in FAR]
        views = _asked(Comparison(engine, [local, *others]), QUESTION.format(number=number))
        if alone:
            found["alone"] = views[0].stats.tokens_per_second
        else:
            found |= {name: _told(view) for name, view in zip(SIDES, views, strict=True)}
            found["clocks"] = clocks()
    print(number, found, flush=True)
    return found


def _asked(comparison: Comparison, question: str) -> tuple[SideView, ...]:
    comparison.ask(question)
    for _ in comparison.looks():  # as a page draws them
        pass
    views = comparison.views()
    assert not [view.error for view in views if view.error]
    return views


def _told(view: SideView) -> dict[str, float | None]:
    return {"first": view.stats.time_to_first_token, "speed": view.stats.tokens_per_second}


def rows(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each side: medians; `late` is our first token after the stand-in's own, `ratio` the local speed
    beside the others to that alone.
    """
    found = []
    for name in SIDES:
        own = [one["clocks"].get(name) for one in rounds]
        first = [one[name]["first"] for one in rounds]
        late = [None if clock is None else ours - clock for ours, clock in zip(first, own, strict=True)]
        speeds = [one[name]["speed"] for one in rounds]
        alone = [one["alone"] for one in rounds]
        found.append({
            "side": name, "first token (s)": median(first), "its own clock (s)": median(own), "late": median(late),
            "worst": max((one for one in late if one is not None), default=None), "tok/s": median(speeds),
            "alone": median(alone) if name == "local" else None,
            "ratio": ratios(speeds, alone) if name == "local" else None,
        })  # fmt: skip
    return found


if __name__ == "__main__":
    raise SystemExit(main())
