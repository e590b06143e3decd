"""The same questions at every door, at 1, 4 and 16 users, in alternation; ratios to raw in the same round."""

from __future__ import annotations

import argparse
import contextlib
import itertools
from dataclasses import asdict
from pathlib import Path

from bench import stage
from bench.doors import Asked, Door, Engine, Gradio, Raw, Streamlit
from bench.load import Level, level
from bench.report import median, publish, ratios
from engine.runtime.client import LlamaServer


def main() -> None:
    """Runs the rounds, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench chat", description=__doc__)
    parser.add_argument("--users", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--doors", default="raw,engine,v1,gradio,streamlit")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    with stage.data_folder() as folder, contextlib.ExitStack() as stack:
        shared = stack.enter_context(stage.engine(folder))
        server = stage.load(shared)
        doors: list[Door] = [Raw(server), Engine(shared.model())]
        application = None
        if set(options.doors.split(",")) & {"v1", "gradio", "streamlit"}:
            address, application = stack.enter_context(stage.application(folder))
            doors += [Raw(LlamaServer(address), name="v1"), Gradio(f"{address}/gradio/en/"), Streamlit(address)]
        doors = [door for door in doors if door.name in options.doors.split(",")]
        numbers = itertools.count(1)
        levels: list[Level] = []

        def asked(_: int) -> Asked:
            number = next(numbers)
            return Asked(f"Tell me a long story about number {number}, with many details.", number, options.tokens)

        def count(text: str) -> int:
            return len(server.post("/tokenize", {"content": text})["tokens"])

        for door in doors:
            level(door, 1, asked, count)  # warm: connections, imports, first drawing
        for users in map(int, options.users.split(",")):
            for turn in range(options.rounds):
                for door in doors[turn % len(doors) :] + doors[: turn % len(doors)]:
                    watched = application if door.name in ("v1", "gradio", "streamlit") else None
                    levels.append(level(door, users, asked, count, watched))
                    print(levels[-1], flush=True)
    publish("chat", rows(levels), [asdict(one) for one in levels], options.out)


def rows(levels: list[Level]) -> list[dict[str, object]]:
    """One row for each number of users and door: medians, and medians of the rounds' ratios to the raw runtime."""
    found = []
    for users, name in dict.fromkeys((one.users, one.door) for one in levels):
        mine = [one for one in levels if (one.users, one.door) == (users, name)]
        base = [one for one in levels if (one.users, one.door) == (users, "raw")]
        first = [one.first_median_s for one in mine]
        found.append(
            {
                "users": users,
                "door": name,
                "tokens/s": median([one.tokens_per_s for one in mine]),
                "of raw": ratios([one.tokens_per_s for one in mine], [one.tokens_per_s for one in base]),
                "first token (s)": median(first),
                "above raw (ms)": median(
                    [(a - b.first_median_s) * 1000 for a, b in zip(first, base, strict=True) if a and b.first_median_s]
                ),
                "first token, of raw": ratios(first, [one.first_median_s for one in base]),
                "slowest/fastest": median([one.slowest_over_fastest for one in mine]),
                "interface's CPU share": median([one.cpu_share for one in mine]),
                "errors": sum(len(one.errors) for one in mine),
            }
        )
    return found
