"""One life of the microscope's worker process, asked line by line. Never starts it anew; knows no visitor."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import threading
from collections import deque
from typing import IO, Any, cast

from engine import child
from engine.errors import RuntimeDied, TimedOut, error_from
from engine.sampling.words import Vocabulary

MODULE = "engine.sampling.microscope_child"
LAST_WORDS = 20  # lines of standard error that are kept
END_S = 10.0  # from the end of its answers to the end of the process, on a full machine


class Worker:
    """The process that `launcher` starts, to look into the model called `name`. One thread asks at a time.

    `vocabulary` and `runtime` are there once it is open.
    """

    vocabulary: Vocabulary
    runtime: str

    def __init__(self, name: str, launcher: child.Launcher) -> None:
        self._name = name
        self._process = launcher.start(MODULE)
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._listener = threading.Thread(target=_listen, args=(self._process, self._words), daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def open(self, order: dict[str, Any]) -> None:
        """Load the model. Raises what stands against it."""
        told, data = self.ask(order)
        self.runtime = told["runtime"]
        self.vocabulary = Vocabulary.from_bytes(told["vocabulary"], data)

    def ask(self, order: dict[str, Any], limit_s: float | None = None) -> tuple[dict[str, Any], bytes]:
        """The answer, and the bytes that follow it. Raises what the worker raised, RuntimeDied, TimedOut."""
        late = threading.Event()
        timer = threading.Timer(limit_s, self._too_late, (late,)) if limit_s else None
        if timer:
            timer.start()
        try:
            told, data = self._exchange(order)
        except RuntimeDied as death:
            if late.is_set():
                raise TimedOut("the grammar took too long", seconds=limit_s) from death
            raise
        finally:
            if timer:
                timer.cancel()
        if "error" in told:
            raise error_from(told["error"])
        return told, data

    def kill(self) -> None:
        """End the process, now."""
        child.kill(self._process)
        self._process.wait()
        self._listener.join(1)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError, ValueError):  # the other end is gone; another thread reads
                    pipe.close()

    def _exchange(self, order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        into, out = (
            cast(IO[str], self._process.stdin),
            cast(IO[bytes], cast(io.TextIOWrapper, self._process.stdout).buffer),
        )
        try:
            into.write(json.dumps(order) + "\n")
            into.flush()
            line = out.readline()
            told: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
            data = out.read(told.get("bytes", 0))
        except (OSError, ValueError) as error:  # its end broke the pipe, or ours was closed
            raise self._death() from error
        if "bytes" not in told or len(data) < told["bytes"]:
            raise self._death()
        return told, data

    def _too_late(self, late: threading.Event) -> None:
        late.set()
        child.kill(self._process)

    def _death(self) -> RuntimeDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._listener.join(1)
        code, words = self._process.poll(), [line for line in self._words if line.strip()]
        text = f"the microscope's worker of {self._name} died, exit code {code}"
        return RuntimeDied(text, model=self._name, exit_code=code, reason=words[-1] if words else None)


def _listen(process: subprocess.Popen[str], words: deque[str]) -> None:
    assert process.stderr
    with contextlib.suppress(ValueError):  # closed while it was read
        for line in process.stderr:
            words.append(line.rstrip("\n"))
