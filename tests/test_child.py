"""Child processes: they end with their parent, and whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
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


def test_a_child_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ["OPENAI_API_KEY", "REPLICATE_API_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "AZURE_OPENAI_APIKEY",
               "PGPASSWORD", "DB_PASSWORD", "mistral_api_key", "GOOGLE_APPLICATION_CREDENTIALS"]  # fmt: skip
    needed = ["ATELIER_WINDOW", "LD_PRELOAD_X", "GLIBC_TUNABLES_X", "PYTHONUTF8", "KEYBOARD", "TOKENIZERS_PARALLELISM"]
    for name in (*secrets, *needed):
        monkeypatch.setenv(name, "1")
    process = child.start("tests.standins.sleeper")
    assert process.stdout
    process.stdout.readline()
    given = psutil.Process(process.pid).environ()
    assert not set(secrets) & set(given)
    assert {*needed, "PATH", "HOME"} <= set(given)
    end(process)


LAUNCHED = """
import os, sys, threading
from engine import child
launchers = []
maker = threading.Thread(target=lambda: launchers.append(child.Launcher()))
maker.start()
maker.join()
child.step_back()
process = launchers[0].start("tests.standins.sleeper")
process.stdout.readline()
print(process.pid, os.getpriority(os.PRIO_PROCESS, process.pid), os.getpriority(os.PRIO_PROCESS, 0), flush=True)
sys.stdin.readline()
launchers[0].close()
print("closed", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("background", [True, False])
def test_work_in_the_background_is_thrifty_unless_told_otherwise(
    background: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *_, env, **__: given.append(env))
    for name in child.THRIFTY:
        monkeypatch.delenv(name, raising=False)
    child.start("x", background=background)
    assert (child.THRIFTY.items() <= given[0].items()) is background
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    child.start("x", background=background)
    assert given[1]["MALLOC_ARENA_MAX"] == "7"


def test_memory_is_given_back_wherever_that_is_possible() -> None:
    child.give_memory_back()


@pytest.fixture
def launching() -> Iterator[subprocess.Popen[str]]:
    """A process that has made a launcher in a thread that is gone, stepped back, and started a child with it."""
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHED], cwd=child.ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    yield process
    end(process)


@pytest.mark.skipif(sys.platform != "linux", reason="only there do threads have priorities of their own")
def test_a_launchers_child_goes_before_those_who_stepped_back(launching: subprocess.Popen[str]) -> None:
    assert launching.stdout
    pid, priority, parents = map(int, launching.stdout.readline().split())
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert (priority, parents) == (mine, max(mine, child.BEHIND_CHILDREN_NICE))
    assert not gone(pid, 0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child ends with the process")
def test_a_launchers_child_ends_with_it(launching: subprocess.Popen[str]) -> None:
    assert launching.stdout and launching.stdin
    pid = int(launching.stdout.readline().split()[0])
    launching.stdin.write("\n")
    launching.stdin.flush()
    assert launching.stdout.readline() == "closed\n"
    assert gone(pid, SOON_S)


def test_a_launchers_child_dies_with_a_process_that_is_killed(launching: subprocess.Popen[str]) -> None:
    assert launching.stdout
    pid = int(launching.stdout.readline().split()[0])
    launching.kill()
    assert gone(pid, SOON_S)


def end(process: subprocess.Popen[str]) -> None:
    """Kill it and close its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_a_child_has_a_group_of_its_own_in_our_session() -> None:
    with child.start("tests.standins.sleeper") as process:
        found = os.getsid(process.pid), os.getpgid(process.pid)
        child.kill(process)
    assert found == (os.getsid(0), process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="a policy of Linux's scheduler")
@pytest.mark.parametrize(("nice", "policy"), [(10, "SCHED_OTHER"), (child.LOWEST_NICE, "SCHED_IDLE")])
def test_the_lowest_gets_what_nobody_else_wants(nice: int, policy: str) -> None:
    code = f"import os; from engine import child; child.give_way({nice}); print(os.sched_getscheduler(0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == getattr(os, policy)
