"""What a measurement runs against: a running application, and a bare runtime with the same file and settings.

Knows no measurement. Everything lives in a data folder of its own and is gone afterwards; loopback only.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from engine import child
from engine.engine import Engine
from engine.runtime.client import LlamaServer
from engine.settings import Settings

ROOT = Path(__file__).parents[1]
RESULTS = Path.home() / ".atelier-llm" / "bench"


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """An empty data folder that the processes of this measurement share."""
    with TemporaryDirectory(prefix="atelier-bench-") as folder:
        os.environ["ATELIER_HOME"] = folder
        yield Path(folder)


@contextlib.contextmanager
def engine(folder: Path, **settings: object) -> Iterator[Engine]:
    """A serving engine of this process, its model loaded."""
    shared = Engine(Settings(home=folder, **settings), serve=True)  # type: ignore[arg-type]
    try:
        load(shared)
        child.step_back()  # what follows here stands for people's browsers, which have machines of their own
        yield shared
    finally:
        shared.close()


def load(shared: Engine) -> LlamaServer:
    """The bare server of the loaded default model."""
    shared.model()
    runtime = shared.runtime()
    assert runtime is not None
    for _ in runtime.ready():
        pass
    return runtime.server


@contextlib.contextmanager
def application(folder: Path, *options: str, **environment: str) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a running application with a loaded model and a mounted Gradio."""
    port = free_port()
    command = [sys.executable, "-m", "apps.server", "--port", str(port), *options]
    log = folder / "application.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "ATELIER_HOME": str(folder), **environment}, stdout=out, stderr=out
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/healthz", process)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes] | psutil.Process, seconds: float = 120) -> float:
    """Seconds until the address answers with 200."""
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        waiting = contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError)
        with waiting, urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return time.perf_counter() - started
        if not psutil.pid_exists(process.pid) or (isinstance(process, subprocess.Popen) and process.poll() is not None):
            raise RuntimeError("the application has ended")
        time.sleep(0.02)
    raise TimeoutError(url)


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def rhyme(verses: int, name: str = "Marin") -> str:
    """The course's rhyme: `verses` lines and the refrain (160 verses are 3035 tokens of the bundled model)."""
    lines = [f"Vers {n}: Le nom de carnet {n} est {name}." for n in range(1, verses + 1)]
    return "\n".join([*lines, "Refrain: Récapitule tous les carnets vus jusqu’ici."])
