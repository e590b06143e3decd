"""Requests made from the description of `/v1`, 10,000 to the echo model and 300 to the real one: no 5xx but 501, no
traceback in a body, and a process that stays as large as it was.
"""

from __future__ import annotations

import argparse
import http.client
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench import stage
from bench.fuzzing import Asked, requests, run
from bench.report import publish

BUNDLED = "smollm2-135m-instruct"
GROWTH_MIB = 64
WARM = 1000  # requests after which everything is loaded that will be


def main() -> int:
    """1 where the process grew; a bad answer is an AssertionError that shows its request."""
    parser = argparse.ArgumentParser(prog="python -m bench fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--real", type=int, default=300)
    parser.add_argument("--random", action="store_true", help="other requests at each run")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    rows = []
    with stage.data_folder() as folder:
        if options.requests:
            rows.append(_one(folder, "echo", options.requests, random=options.random))
        if options.real:
            rows.append(_one(folder, BUNDLED, options.real, random=options.random))
    publish("fuzz", rows, [], options.out)
    return int(any(row["grown (MiB)"] > GROWTH_MIB for row in rows))


def _one(folder: Path, model: str, count: int, *, random: bool) -> dict[str, Any]:
    most = None if model == "echo" else 4
    with stage.application(folder, "--gradio-on-demand", ATELIER_MODEL=model) as (address, process):
        described = json_of(address, "/v1/openapi.json")
        made = requests(described, ["echo"] if model == "echo" else [model], most)

        warm, sizes, times = min(WARM, count // 2), list[int](), [time.perf_counter()]

        def ask(asked: Asked) -> tuple[int, bytes]:
            told = send(address, asked)
            times.append(time.perf_counter())
            if len(times) > warm:
                sizes.append(process.memory_info().rss)
            return told

        seen = run(ask, made, count, seed=not random)
        children = [child.memory_info().rss for child in psutil.Process(process.pid).children()]
    return {
        "model": model, "requests": len(times) - 1, "per second": len(times) / (times[-1] - times[0]),
        "grown (MiB)": (sizes[-1] - sizes[0]) / 2**20, "before (MiB)": sizes[0] / 2**20,
        "worker (MiB)": sum(children) / 2**20,
        "answers": " ".join(f"{status}: {number}" for status, number in sorted(seen.items())),
    }  # fmt: skip


def send(address: str, asked: Asked) -> tuple[int, bytes]:
    """Status and body of the answer, streamed or whole."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=300)
    try:
        connection.request(asked.method, asked.path, asked.body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def json_of(address: str, path: str) -> Any:
    """The JSON at that path."""
    return json.loads(send(address, Asked("GET", path, None))[1])
