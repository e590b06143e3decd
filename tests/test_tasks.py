"""One task in a child process: progress, result, errors, cancelling."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from engine.errors import BadInput, JobFailed, PromptTooLong
from engine.tasks import Progress, TaskRun, run
from tests.patience import SOON_S
from tests.test_child import gone


def test_progress_then_result() -> None:
    work = TaskRun("tests.standins.tasks:count", {"to": 3})
    assert list(work)[-1] == Progress(3, 3)
    assert work.result == {"counted": 3, "text": "é\n\u2028"}


def test_it_runs_at_the_lowest_priority_unless_told() -> None:
    assert run("tests.standins.tasks:priority", {}) == 19
    work = TaskRun("tests.standins.tasks:priority", {}, nice=15)
    assert list(work) and work.result == (19 if sys.platform == "win32" else 15)


def test_what_a_task_prints_is_no_message() -> None:
    assert run("tests.standins.tasks:talk", {}) == "said"


def test_an_engine_error_arrives_whole() -> None:
    with pytest.raises(PromptTooLong) as caught:
        run("tests.standins.tasks:refuse", {})
    assert caught.value.details == {"prompt_tokens": 300, "window": 256}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("tests.standins.tasks:crash", "ZeroDivisionError: by the test"),
        ("tests.standins.tasks:nothing", "has no attribute 'nothing'"),
        ("tests.standins.absent:x", "No module named"),
    ],
)
def test_a_defect_is_a_failed_job_with_the_last_line(task: str, reason: str) -> None:
    with pytest.raises(JobFailed, match=reason):
        run(task, {})


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_child_that_is_killed_is_a_failed_job() -> None:
    with pytest.raises(JobFailed) as caught:
        run("tests.standins.tasks:die", {})
    assert caught.value.details["exit_code"] == -9


@pytest.mark.parametrize("name", ["", "os", "os:", ":x", "os:system('x')", "a b:c"])
def test_only_names_of_functions_are_tasks(name: str) -> None:
    with pytest.raises(BadInput):
        TaskRun(name, {})


def test_cancel_ends_all_its_processes_at_once(tmp_path: Path) -> None:
    work = TaskRun("tests.standins.tasks:sleep", {"scratch": str(tmp_path / "pid")})
    seen: list[Progress] = []
    thread = threading.Thread(target=lambda: seen.extend(work))
    thread.start()
    while not seen:
        time.sleep(0.01)
    grandchild = int((tmp_path / "pid").read_text(encoding="utf-8"))
    assert psutil.pid_exists(grandchild)
    began = time.monotonic()
    work.cancel()
    thread.join()
    assert time.monotonic() - began < SOON_S
    assert work.result is None
    assert gone(grandchild, SOON_S)


def test_cancelled_before_it_began_it_starts_nothing() -> None:
    work = TaskRun("tests.standins.tasks:count", {"to": 1})
    work.cancel()
    assert list(work) == []
