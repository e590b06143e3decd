"""Chat speed while a job of the heavy queue runs beside it, in alternation with quiet rounds."""

from __future__ import annotations

import argparse
import itertools
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import stage
from bench.doors import Asked, Engine
from bench.load import Level, level
from bench.report import median, publish, ratios
from engine.engine import Engine as Suite
from engine.models.bundled import bundled_file


def main() -> None:
    """Runs quiet and busy rounds, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench heavy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    numbers = itertools.count(1)

    def asked(_: int) -> Asked:
        number = next(numbers)
        return Asked(f"Tell me a long story about number {number}, with many details.", number, options.tokens)

    levels: dict[str, list[Level]] = {"quiet": [], "embedding": [], "quantization": []}
    with stage.data_folder() as folder, stage.engine(folder) as shared:
        server = stage.load(shared)
        door = Engine(shared.model())

        def count(text: str) -> int:
            return len(server.post("/tokenize", {"content": text})["tokens"])

        level(door, 1, asked, count)
        for _ in range(options.rounds):
            for work, found in levels.items():
                job = None if work == "quiet" else start(shared, work, folder)
                found.append(level(door, 1, asked, count))
                if job:
                    stop(shared, job)
                print(work, found[-1], flush=True)
    publish(
        "heavy", rows(levels), {work: [asdict(one) for one in found] for work, found in levels.items()}, options.out
    )


def start(shared: Suite, work: str, folder: Path) -> Any:
    """A job of that kind, running."""
    if work == "embedding":
        task, args = "bench.tasks:embed", {"text": stage.rhyme(8), "count": 20000}
    else:
        # the queue takes the same file again and again: one quantization lasts a second
        task = "bench.tasks:quantize"
        args = {"source": str(bundled_file()), "target": str(folder / "again.gguf"), "times": 100}
    job = shared.jobs.submit("local", task, args, title=work)
    while shared.jobs.get(job.id, "local").state == "queued":
        pass
    return job


def stop(shared: Suite, job: Any) -> None:
    """End the job and wait until its process is gone."""
    if shared.jobs.get(job.id, "local").state != "running":
        raise RuntimeError(f"the job ended too early: {shared.jobs.get(job.id, 'local')}")
    shared.jobs.cancel(job.id, "local")
    while shared.jobs.get(job.id, "local").state == "running":
        pass


def rows(levels: dict[str, list[Level]]) -> list[dict[str, object]]:
    """One row for each kind of work: medians, and medians of the ratios to the quiet round beside it."""
    quiet = [one.tokens_per_s for one in levels["quiet"]]
    return [
        {
            "beside": work,
            "tokens/s": median([one.tokens_per_s for one in found]),
            "of quiet": ratios([one.tokens_per_s for one in found], quiet),
            "first token (s)": median([one.first_median_s for one in found]),
            "errors": sum(len(one.errors) for one in found),
        }
        for work, found in levels.items()
    ]
