"""One more token in the microscope, full vocabulary at hand, against a plain decode of the same tokens; in alternation.

Both in a child process of the same priority, on the same file with the same threads. `stages` adds the chain of the
default parameters, which a page computes from those logits.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from bench import stage
from bench.report import median, publish, ratios
from engine import sampling
from engine.engine import Engine
from engine.params import Params
from engine.sampling import Lens, Recipe
from engine.settings import Settings
from engine.tasks import TaskRun

LIMIT = 1.3  # of a plain decode
WARM = 4  # tokens at the beginning that do not count


def main() -> int:
    """0; with --check 1 where a step costs more than 1.3 plain decodes."""
    parser = argparse.ArgumentParser(prog="python -m bench microscope", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    found: dict[str, list[float | None]] = {"plain decode": [], "microscope": [], "with stages": []}
    with stage.data_folder() as folder:
        shared = Engine(Settings(home=folder))
        try:
            lens = sampling.lens_of(shared)
            for number in range(options.rounds):
                for name, seconds in measured(shared.settings, lens, number, options.tokens + WARM).items():
                    found[name].append(median(seconds[WARM:]))
                print({name: values[-1] for name, values in found.items()}, flush=True)
            runtime = lens.runtime
        finally:
            shared.close()
    rows = [row(name, values, found["plain decode"]) for name, values in found.items()]
    publish("microscope", rows, {"runtime": runtime, "seconds": found}, options.out)
    return int(options.check and rows[1]["of plain"] > LIMIT)


def measured(settings: Settings, lens: Lens, number: int, count: int) -> dict[str, list[float]]:
    """Seconds of each token in one round, by what was done. Every round has a text of its own: the lens remembers."""
    prompt = lens.tokens(f"Story number {number}. Once upon a time, in a village by the sea,")
    steps, staged, tokens = [], [], list[int]()
    recipe = Recipe(Params(seed=0))
    lens.look("bench", prompt)
    for place in range(count):
        token = int(lens.logits("bench", (*prompt, *tokens)).argmax())
        tokens.append(token)
        started = time.perf_counter()
        logits = lens.logits("bench", (*prompt, *tokens))
        steps.append(time.perf_counter() - started)
        sampling.judged(logits, recipe, (*prompt, *tokens), place)
        staged.append(time.perf_counter() - started)
    args = {"path": str(lens.path), "window": lens.window, "threads": settings.threads}
    run = TaskRun("bench.tasks:decode", {**args, "prompt": prompt, "tokens": tokens}, nice=settings.job_nice)
    for _ in run:
        pass
    return {"plain decode": run.result, "microscope": steps, "with stages": staged}


def row(name: str, values: list[float | None], plain: list[float | None]) -> dict[str, Any]:
    """Medians of the rounds, and of their ratios."""
    middle = median(values)
    return {"step": name, "ms": None if middle is None else 1000 * middle, "of plain": ratios(values, plain)}
