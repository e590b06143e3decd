"""Child processes that end with their parent and can be ended whole, on the three systems. Knows not what they do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1
LOWEST_NICE = 19
SECRET = re.compile(
    r"(?:(?:^|_|API)KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(?:^|_)AUTH)S?(?:_|$)", re.IGNORECASE
)
BEHIND_CHILDREN_NICE = 10
# For work in the background, unless our own environment says otherwise: glibc keeps apart what each thread has freed,
# and Lance reads 8192 rows at a time. `bench rag`, 100,000 chunks: 554 MiB above start with, 703 in an earlier run
THRIFTY: Mapping[str, str] = MappingProxyType({"MALLOC_ARENA_MAX": "2", "LANCE_DEFAULT_BATCH_SIZE": "1024"})


def start(module: str, *, background: bool = False) -> subprocess.Popen[str]:
    """A running `python -m module OUR_PID` with pipes on its three ends, in a process group of its own.

    The calling thread must outlive the child: Linux takes the end of that thread for the end of the parent.
    """
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
        flags |= subprocess.IDLE_PRIORITY_CLASS if background else 0
    return subprocess.Popen(
        [sys.executable, "-m", module, str(os.getpid())],
        cwd=ROOT,  # so that `-m` finds the project wherever we were started
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=(dict(THRIFTY) if background else {}) | without_secrets(os.environ),
        # Ctrl-C in the terminal is for the parent alone, who then ends its children. Not a session of its own: Linux
        # weighs sessions before processes (sched(7), autogroup), and the niceness of either would mean nothing
        process_group=None if sys.platform == "win32" else 0,
        creationflags=flags,
    )


def give_memory_back() -> None:
    """Return once the system has what glibc keeps of freed memory; elsewhere nothing is done. Takes milliseconds."""
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without keys, tokens and passwords, by name: whatever a child reads and loads, it holds none."""
    return {name: value for name, value in environment.items() if not SECRET.search(name)}


def inherited(**more: str) -> dict[str, str]:
    """What a program of somebody else's gets of our environment: no secrets, and these variables besides."""
    return without_secrets(os.environ) | more


class Launcher:
    """Starts children from one thread, which lives until `close` and keeps the priority of the thread that made it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="launcher")
        self._thread.submit(os.getpid).result()  # an executor makes its thread when it is first needed

    def start(self, module: str) -> subprocess.Popen[str]:
        """What the function `start` gives."""
        return self._thread.submit(start, module).result()

    def close(self) -> None:
        """End the thread, and on Linux every child with it."""
        self._thread.shutdown(wait=False)


def step_back() -> None:
    """Let a launcher's children go before this thread and all that it starts, where threads have priorities (Linux).

    llama.cpp's threads wait for each other several thousand times a second: beside a busy process of equal priority
    two of them write a fourth as fast (89 → 24 tokens/s), beside one that steps back as fast as alone (`bench heavy`).
    """
    if sys.platform == "linux":
        now = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(now, BEHIND_CHILDREN_NICE))  # going up again takes a right


def give_way(nice: int) -> None:
    """Let others go first, down to that niceness. For the child itself; Windows sets it at the start.

    At the lowest, Linux gives it only what nobody else wants (SCHED_IDLE, sched(7)): niceness alone leaves it a
    seventieth of a core, for which llama.cpp's threads wait for each other.
    """
    if sys.platform != "win32":
        os.nice(max(0, nice - os.nice(0)))
    if sys.platform == "linux" and nice >= LOWEST_NICE:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this child when process `parent` dies, where it can (Linux); first thing in a child."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def exit_at_end_of_input() -> threading.Thread:
    """The thread that ends this process once standard input is closed, which the parent's death does everywhere."""

    def watch() -> None:
        # not sys.stdin.read(): its lock, held here, would abort the interpreter at an ordinary end
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os._exit(0)

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    thread.start()
    return thread


def kill(process: subprocess.Popen[str]) -> None:
    """End the child and all that it started, at once; nothing where it has ended already."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        _kill_tree(process.pid)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _kill_tree(pid: int) -> None:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (*root.children(recursive=True), root):
            process.kill()
