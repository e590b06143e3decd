"""The exact prompts of LM Studio on this machine, as its own command `lms log stream` tells them. Knows no page.

Its server shows nobody the text behind the template. Its log does, on that machine alone: so it is read while an LM
Studio model is in use, and a request finds its prompt by what it said.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import urlsplit

from engine import child

Reason = Literal["not_observable", "lms_missing", "lms_elsewhere", "lms_failed", "lms_silent"]

ARGUMENTS = ("log", "stream", "--json")
PROVIDER = "lmstudio"
HERE = frozenset({"localhost", "127.0.0.1", "::1"})
PORT = 1234
KEPT = 64
LINE_MAX = 4 * 2**20  # characters; a longer event is passed over
PATIENCE_S = 0.2  # for an event that is written while its answer is short
POLL_S = 0.02


@dataclass(frozen=True)
class Seen:
    """One prompt as LM Studio logged it; `at` in seconds of the monotonic clock."""

    at: float
    model: str
    text: str


def command() -> str | None:
    """Where `lms` is: on the PATH, or where LM Studio puts it; None where it is not."""
    own = Path.home() / ".lmstudio" / "bin"
    return shutil.which("lms") or shutil.which("lms", path=str(own))


def is_lmstudio(provider: str, base_url: str) -> bool:
    """Whether an endpoint is LM Studio, by its row or by the port that only LM Studio uses."""
    return provider == PROVIDER or urlsplit(base_url).port == PORT


class LmsLog:
    """Reads the log from `listen()` to `close()`; one child process at most, which ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[Seen] = deque(maxlen=KEPT)
        self._launcher: child.Launcher | None = None
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def listen(self, base_url: str) -> None:
        """Begin to read if that is this machine and `lms` is here; nothing where it is read already or has failed."""
        with self._lock:
            if self._process is None and urlsplit(base_url).hostname in HERE and command() is not None:
                self._launcher = child.Launcher()
                self._process = self._launcher.start("engine.lms_child")
                self._reader = threading.Thread(target=self._read, args=(self._process,), name="lms-log", daemon=True)
                self._reader.start()

    def reason(self, base_url: str) -> Reason:
        """Why the prompt of a request to that address is not known."""
        if urlsplit(base_url).hostname not in HERE:
            return "lms_elsewhere"
        if command() is None:
            return "lms_missing"
        running = self._process is not None and self._process.poll() is None
        return "lms_silent" if running else "lms_failed"

    def prompt_of(self, said: Iterable[str], seconds: float) -> str | None:
        """The latest prompt of the last `seconds` that holds every text of `said`, in this order; None if none came."""
        if self._process is None:
            return None
        texts, since = [text.strip() for text in said if text.strip()], time.monotonic() - seconds
        until = time.monotonic() + PATIENCE_S
        while True:
            for seen in reversed(self._snapshot()):
                if seen.at >= since and _holds(seen.text, texts):
                    return seen.text
            if time.monotonic() > until or self._process.poll() is not None:
                return None
            time.sleep(POLL_S)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            process, reader, launcher = self._process, self._reader, self._launcher
        if process is not None and reader is not None:
            child.kill(process)
            process.wait()
            reader.join()
            for pipe in (process.stdin, process.stderr):
                if pipe is not None:
                    pipe.close()
        if launcher is not None:
            launcher.close()

    def _snapshot(self) -> tuple[Seen, ...]:
        with self._lock:
            return tuple(self._seen)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for line in _lines(stream):
                seen = _event(line)
                if seen is not None:
                    with self._lock:
                        self._seen.append(seen)
        process.wait()


def _lines(stream: IO[str]) -> Iterable[str]:
    """The lines of at most LINE_MAX characters."""
    whole = True
    while line := stream.readline(LINE_MAX):
        ends = line.endswith("\n")
        if whole and ends:
            yield line
        whole = ends


def _event(line: str) -> Seen | None:
    """The prompt that a line tells; None for every other line. The event may lie in the field `data`."""
    try:
        told: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    event = told.get("data", told) if isinstance(told, dict) else None
    if not isinstance(event, dict) or event.get("type") != "llm.prediction.input":
        return None
    text = event.get("input")
    return Seen(time.monotonic(), str(event.get("modelIdentifier", "")), text) if isinstance(text, str) else None


def _holds(prompt: str, texts: list[str]) -> bool:
    place = 0
    for text in texts:
        found = prompt.find(text, place)
        if found < 0:
            return False
        place = found + len(text)
    return True
