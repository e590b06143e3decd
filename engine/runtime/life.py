"""One life of a worker process: from its start to its end, with its server, its gate and its log. Never restarts it."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from engine import child
from engine.errors import EngineError, LoadFailed, RuntimeDied, error_from
from engine.runtime import statedir
from engine.runtime.client import LlamaServer
from engine.runtime.gate import Gate
from engine.runtime.load import LoadParams
from engine.runtime.warm import opening
from engine.settings import Settings

LOG_LINES = 400
GRACE_S = 1.0


class Life:
    """A worker being loaded, running or ended. `settled` comes when it is ready, has failed or has died; then `ended`.

    `server`, `gate`, `window`, `slots` exist once `ready`; `load` then says how many layers lie on a GPU.
    """

    server: LlamaServer
    gate: Gate
    window: int
    slots: int

    def __init__(self, load: LoadParams, settings: Settings, launcher: child.Launcher) -> None:
        self.load = load
        self._launcher = launcher
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.settled = threading.Event()
        self.ended = threading.Event()
        self.error: EngineError | None = None
        self.exit_code: int | None = None
        self.pid: int | None = None
        self.stopped = False
        self.since: float | None = None  # seconds since 1970, once it is ready
        self._was_ready = False
        self._settings = settings
        self._key = secrets.token_urlsafe(24)
        self._began = time.monotonic()
        self._settled_at: float | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        # This very thread is the child's parent in the eyes of Linux: it lives as long as the child does
        self._thread = threading.Thread(target=self._live, name=f"worker-{load.alias}", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether it answers requests, as far as is known."""
        return self._was_ready and not self.ended.is_set() and not self.stopped

    @property
    def usable(self) -> bool:
        """Whether it is ready or may become so."""
        return self.error is None and not self.stopped and not self.ended.is_set()

    @property
    def died_loading(self) -> bool:
        """Whether it ended before it was ready without saying why, and nobody asked for it."""
        return self.ended.is_set() and not self._was_ready and self.error is None and not self.stopped

    @property
    def elapsed(self) -> float:
        """Seconds of loading, until now or until it settled."""
        return (self._settled_at or time.monotonic()) - self._began

    def death(self) -> RuntimeDied:
        """The error that its end means for whoever was using it."""
        how = "was unloaded" if self.stopped else f"died, exit code {self.exit_code}"
        return RuntimeDied(f"the worker of {self.load.alias} {how}", model=self.load.alias, exit_code=self.exit_code)

    def stop(self, grace: float = GRACE_S) -> None:
        """End it: asked first, killed after `grace` seconds; waits until it is gone."""
        with self._lock:
            self.stopped = True
            process = self._process
        self._settle()
        if process is not None:
            _close(process.stdin)
            if not self.ended.wait(grace):
                child.kill(process)
        self._thread.join(5)

    def kill(self) -> None:
        """End it at once, as a crash does; returns when it is gone."""
        if self._process is not None:
            child.kill(self._process)
            self.ended.wait(5)

    def _live(self) -> None:
        try:
            folder = statedir.make(self._settings.home, self._settings.prefix_mb * 2**20)
            try:
                if process := self._start(folder):
                    self._attend(process, folder)
            finally:
                statedir.remove(folder)
        except OSError as error:  # no room on the disk, no memory for another process
            self.error = LoadFailed(str(error), model=self.load.alias, reason=str(error))
        finally:
            self._end()

    def _start(self, folder: Path) -> subprocess.Popen[str] | None:
        """The process with its order given; None when it was stopped before that."""
        with self._lock:  # `stop` closes the pipe that the order goes through
            if not self.stopped:
                process = self._process = self._launcher.start("engine.runtime.worker")
                self.pid = process.pid
                assert process.stdin
                order = {"load": self.load.to_dict(), "key": self._key, "slot_dir": str(folder)}
                with contextlib.suppress(BrokenPipeError):  # it died at birth, which the empty answer will say
                    process.stdin.write(json.dumps(order) + "\n")
                    process.stdin.flush()
            return self._process

    def _attend(self, process: subprocess.Popen[str], folder: Path) -> None:
        """Hear the answer, and stay until the process is gone."""
        assert process.stdout
        logger = threading.Thread(target=self._keep_log, args=(process,), name="worker-log", daemon=True)
        logger.start()
        try:
            if line := process.stdout.readline():
                self._hear(json.loads(line), folder)
            if self._was_ready:
                self._settle()
                self.exit_code = process.wait()
                self._end()  # before the log and the states are put away: somebody may be waiting to begin another life
        finally:
            self.exit_code = _gone(process)
            logger.join(1)
            _close(process.stdin)
            _close(process.stdout)
        if isinstance(self.error, LoadFailed):
            self.error = self._with_reason(self.error)  # the log is complete now

    def _hear(self, told: dict[str, Any], folder: Path) -> None:
        if told["state"] == "failed":
            self.error = error_from(told)
            return
        try:
            self._open(told["address"], folder)
        except EngineError as error:
            self.error = LoadFailed(f"health check: {error}", model=self.load.alias, reason=str(error))
        else:
            self.load = replace(self.load, gpu_layers=told["gpu_layers"])
            self.since = time.time()
            self._was_ready = True

    def _open(self, address: str, folder: Path) -> None:
        """Ask the server how it is and what its window really is, and put the gate in front of it."""
        self.server = LlamaServer(address, self._key)
        self.server.get("/health")
        props = self.server.get("/props")
        self.window = int(props["default_generation_settings"]["n_ctx"])
        self.slots = int(props["total_slots"])
        self.gate = Gate(self.server, self.slots, self.window, self._settings, folder)
        if not (self.load.embedding or self.load.reranking):
            self.gate.fill(opening(self.server))

    def _with_reason(self, error: LoadFailed) -> LoadFailed:
        """The error, with the first one that llama.cpp logged as the reason: it says itself only that it could not."""
        told = [line.split(" E ", 1)[1].strip() for line in self.log if " E " in line]
        reason = told[0] if told else str(error.details.get("reason", ""))
        return LoadFailed(f"{self.load.alias}: {reason}", model=self.load.alias, reason=reason)

    def _keep_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        with process.stderr:
            for line in process.stderr:
                self.log.append(line.rstrip("\n"))

    def _settle(self) -> None:
        self._settled_at = self._settled_at or time.monotonic()
        self.settled.set()

    def _end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        self._settle()
        if self._was_ready:
            self.gate.close(self.death())
            self.server.close()


def _gone(process: subprocess.Popen[str]) -> int:
    """Its exit code; killed if it does not end by itself within a moment."""
    try:
        return process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill(process)
        return process.wait()


def _close(pipe: IO[str] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):  # the other end is gone
            pipe.close()
