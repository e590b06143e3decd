"""16 users on our engine and on `llama_cpp.server` (llama-cpp-python's own server) with the same file, in one run."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from bench import stage
from bench.doors import Asked, Engine, Raw
from bench.load import level
from bench.report import publish
from engine.runtime.client import LlamaServer


def main() -> None:
    """Runs both, prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench server", description=__doc__)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    with stage.data_folder() as folder, stage.engine(folder) as shared:
        server = stage.load(shared)
        runtime = shared.runtime()
        assert runtime is not None

        def asked(number: int) -> Asked:
            return Asked(f"Tell me a long story about number {number}, with many details.", number, options.tokens)

        def count(text: str) -> int:
            return len(server.post("/tokenize", {"content": text})["tokens"])

        ours = level(Engine(shared.model()), options.users, asked, count)
        theirs = level(_theirs(runtime.load.path, folder), options.users, asked, count)
        raw = level(Raw(server), options.users, asked, count)
    rows = [
        {"door": one.door, "tokens/s": one.tokens_per_s, "first token, median (s)": one.first_median_s,
         "first token, max (s)": one.first_max_s, "slowest/fastest": one.slowest_over_fastest,
         "errors": len(one.errors), "of llama_cpp.server": one.tokens_per_s / theirs.tokens_per_s}
        for one in (raw, ours, theirs)
    ]  # fmt: skip
    publish("server", rows, [repr(one) for one in (raw, ours, theirs)], options.out)


def _theirs(model: str, folder: Path) -> Raw:
    port = stage.free_port()
    options = ["--model", model, "--n_ctx", "8192", "--port", str(port), "--interrupt_requests", "false"]
    with (folder / "llama_cpp_server.log").open("w") as log:
        child = subprocess.Popen([sys.executable, "-m", "llama_cpp.server", *options], stdout=log, stderr=log)
    stage.wait_for(f"http://127.0.0.1:{port}/v1/models", child)
    return Raw(LlamaServer(f"http://127.0.0.1:{port}"), name="llama_cpp.server")
