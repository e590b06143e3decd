"""Child processes: they end with their parent, and whole."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine import child
from tests.patience import SOON_S

PARENT = """
import sys, threading, time
from engine import child
started = []
thread = threading.Thread(target=lambda: (started.append(child.start("tests.standins.sleeper")), time.sleep(60)))
thread.start()
while not started:
    time.sleep(0.01)
started[0].stdout.readline()
print(started[0].pid, flush=True)
time.sleep(60)
"""


def gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=child.ROOT)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid, SOON_S)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are a thing of POSIX")
def test_kill_takes_the_children_of_the_child_along() -> None:
    process = child.start("tests.standins.sleeper")
    assert process.stdout and process.stdin and process.stderr
    grandchild = int(process.stdout.readline())
    child.kill(process)
    assert process.wait(SOON_S) == -9
    assert gone(grandchild, SOON_S)
    child.kill(process)  # a second time does nothing
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_closing_its_standard_input_ends_the_child(tmp_path: Path) -> None:
    process = child.start("tests.standins.sleeper")
    assert process.stdout and process.stdin and process.stderr
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(SOON_S) == 0
    for pipe in (process.stdout, process.stderr):
        pipe.close()
