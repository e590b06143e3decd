"""How long a person waits: warm start to the first page, to /gradio, to the first token; and the CLI's quick verbs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from bench import stage
from bench.doors import Asked, Streamlit
from bench.report import median, publish


def main() -> None:
    """Starts the application several times, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    found: dict[str, list[float]] = {}
    with stage.data_folder() as folder:
        for turn in range(options.rounds + 1):
            times = starts(folder) | {name: verb(words) for name, words in VERBS.items()}
            if turn:  # the first one prepares the weights and fills the disk cache
                for name, seconds in times.items():
                    found.setdefault(name, []).append(seconds)
            print(times, flush=True)
    publish("start", [{"what": name, "seconds": median(all_of)} for name, all_of in found.items()], found, options.out)


VERBS = {"python -m engine --help": ["--help"], "python -m engine models": ["models"]}


def verb(words: list[str]) -> float:
    """Seconds of one call of the CLI."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "engine", *words], cwd=stage.ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def starts(folder: Path) -> dict[str, float]:
    """Seconds from `run.py` to the first page and to /gradio, and from a question asked at once to its first token."""
    port = stage.free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "run.py", "--port", str(port)]
    started = time.perf_counter()
    with (folder / "start.log").open("w") as log:
        process = subprocess.Popen(command, cwd=stage.ROOT, env=dict(os.environ), stdout=log, stderr=log)
    try:
        stage.wait_for(f"{address}/", process)
        page = time.perf_counter() - started
        asked = Streamlit(address).ask(Asked("hi", 1, 16))
        if asked.first is None:
            print(f"no answer: {asked.error}\n{(folder / 'start.log').read_text()}", flush=True)
        stage.wait_for(f"{address}/gradio/en/", process)
        gradio = time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(30)
    return {"first page": page, "first token of a question asked then": asked.first or float("nan"), "/gradio": gradio}
